/// client_attributes.cc: a table of attributes, each with a function that checks its value.
#include "smtp/client_attributes.h"

#include "smtp/utf8.h"
#include "smtp/xtext.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <vector>

namespace smtpd::smtp {
namespace {

constexpr std::size_t max_value = 255;  ///< octets; also Postfix's limit

bool is_unknown(std::string_view value) {
    return support::equals_folded(value, "[UNAVAILABLE]") || support::equals_folded(value, "[TEMPUNAVAIL]");
}

bool is_printable(std::string_view value) {
    return !value.empty() && is_valid_utf8(value) && std::none_of(value.begin(), value.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
    });
}

// Each sets its target from a known value, and returns whether it is valid.

bool read_text(std::string_view value, std::string& target) {
    target = value;
    return is_printable(value);
}

bool read_name(std::string_view value, std::string& target) {
    const auto is_allowed = [](char c) {
        return support::is_alpha(c) || support::is_digit(c) || c == '.' || c == '-' || c == '_';
    };
    target = value;
    return !value.empty() && std::all_of(value.begin(), value.end(), is_allowed);
}

bool read_protocol(std::string_view value, std::string& target) {
    target = support::upper(value);
    return target == "SMTP" || target == "ESMTP";
}

bool read_source(std::string_view value, std::string& target) {
    target = support::upper(value);
    return target == "LOCAL" || target == "REMOTE";
}

bool read_address(std::string_view value, IpAddress& target) {
    constexpr std::string_view prefix = "IPV6:";
    const bool is_v6 = support::starts_with_folded(value, prefix);
    if (is_v6) value.remove_prefix(prefix.size());
    if (is_v6 != (value.find(':') != std::string_view::npos)) return false;
    const auto address = IpAddress::parse(value);
    target = address.value_or(IpAddress());
    return address.has_value();
}

bool read_port(std::string_view value, std::uint16_t& target) {
    const auto number = support::parse_unsigned(value);
    target = static_cast<std::uint16_t>(number.value_or(0));
    return number && *number > 0 && *number <= 65535;
}

template <class T, class Read>
bool set(std::optional<T>& target, std::string_view value, Read read) {
    if (target) return false;  // given twice
    return is_unknown(value) ? (target.emplace(), true) : read(value, target.emplace());
}

struct Attribute {
    std::string_view name;
    bool of_xclient;
    bool of_xforward;
    bool (*take)(ClientAttributes& attributes, std::string_view value);
};

constexpr Attribute attributes[] = {
    {"NAME", true, true, [](ClientAttributes& out, std::string_view value) { return set(out.name, value, read_name); }},
    {"ADDR", true, true,
     [](ClientAttributes& out, std::string_view value) { return set(out.address, value, read_address); }},
    {"PORT", true, true, [](ClientAttributes& out, std::string_view value) { return set(out.port, value, read_port); }},
    {"PROTO", true, true,
     [](ClientAttributes& out, std::string_view value) { return set(out.protocol, value, read_protocol); }},
    {"HELO", true, true, [](ClientAttributes& out, std::string_view value) { return set(out.helo, value, read_text); }},
    {"LOGIN", true, false,
     [](ClientAttributes& out, std::string_view value) { return set(out.login, value, read_text); }},
    {"DESTADDR", true, false,
     [](ClientAttributes& out, std::string_view value) { return set(out.destination, value, read_address); }},
    {"DESTPORT", true, false,
     [](ClientAttributes& out, std::string_view value) { return set(out.destination_port, value, read_port); }},
    {"IDENT", false, true,
     [](ClientAttributes& out, std::string_view value) { return set(out.ident, value, read_text); }},
    {"SOURCE", false, true,
     [](ClientAttributes& out, std::string_view value) { return set(out.source, value, read_source); }},
};

Reply syntax_error(std::string text) { return {501, {5, 5, 4}, std::move(text)}; }

}  // namespace

std::string_view capability_of(AttributeCommand command) noexcept {
    return command == AttributeCommand::xclient ? "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
                                                : "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE";
}

std::variant<ClientAttributes, Reply> parse_client_attributes(AttributeCommand command, std::string_view rest) {
    ClientAttributes out;
    const auto words = support::split_words(rest);
    if (words.empty()) return syntax_error("attributes are missing: NAME=VALUE");
    for (const std::string_view word : words) {
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        const auto* const known = std::find_if(
            std::begin(attributes), std::end(attributes), [&](const Attribute& attribute) {
                return (command == AttributeCommand::xclient ? attribute.of_xclient : attribute.of_xforward) &&
                       support::equals_folded(attribute.name, name);
            });
        if (equals == std::string_view::npos) return syntax_error("attributes are NAME=VALUE");
        if (known == std::end(attributes)) return syntax_error("there is no such attribute");
        const auto value = from_xtext(word.substr(equals + 1));
        if (!value || value->size() > max_value || !known->take(out, *value))
            return syntax_error(format_text("bad value of {}", known->name));
    }
    return out;
}

}  // namespace smtpd::smtp
