/// server_address.cc: see server_address.h.
#include <smtpd/backend/server_address.h>
#include <smtpd/base/text.h>
#include <smtpd/dns/dns.h>

#include "support/strings.h"

#include <algorithm>
#include <limits>

namespace smtpd {
namespace {

Error wrong(std::string_view what, std::string_view text) {
    return {ErrorCode::config, format_text("{}: \"{}\"", what, quoted(text)), 0};
}

/// Whether the text is a host name as written in a configuration.
bool is_name(std::string_view text) {
    const auto is_allowed = [](char c) {
        return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '_' || c == '.';
    };
    const auto question = DnsQuestion::make(DnsType::a, text);
    return question && std::all_of(question->name.begin(), question->name.end(), is_allowed);
}

std::optional<std::uint16_t> read_port(std::string_view text) {
    const auto number = support::parse_unsigned(text);
    if (!number || *number == 0 || *number > std::numeric_limits<std::uint16_t>::max()) return {};
    return static_cast<std::uint16_t>(*number);
}

/// Splits "[2001:db8::1]:143"; a colon that belongs to an address separates nothing.
std::pair<std::string_view, std::optional<std::string_view>> split_port(std::string_view text) {
    const auto colon = text.rfind(':');
    const auto bracket = text.rfind(']');
    const bool is_inside = bracket != text.npos && colon != text.npos && colon < bracket;
    if (colon == text.npos || is_inside || IpAddress::parse(text)) return {text, {}};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

ServerAddress ServerAddress::local(std::string path) {
    ServerAddress made;
    made.path_ = std::move(path);
    return made;
}

ServerAddress ServerAddress::tcp(std::string_view host, std::uint16_t port) {
    ServerAddress made;
    made.address_ = IpAddress::parse(ascii_equal(host, "localhost") ? "127.0.0.1" : host);
    if (!made.address_ && !is_name(host)) return {};
    made.host_ = IpAddress::parse(host) ? std::string(host) : DnsQuestion::make(DnsType::a, host)->name;
    made.port_ = port;
    return made;
}

Result<ServerAddress> ServerAddress::parse(std::string_view text) {
    constexpr std::string_view scheme = "unix:";
    const bool has_scheme = text.starts_with(scheme);
    if (has_scheme || text.find('/') != text.npos) {
        if (has_scheme) text.remove_prefix(scheme.size());
        return text.empty() ? Result<ServerAddress>(wrong("no path follows", scheme)) : local(std::string(text));
    }
    auto [host, port_text] = split_port(text);
    std::uint16_t port = 0;
    if (port_text) {
        const auto number = read_port(*port_text);
        if (!number) return wrong("the port is not a number from 1 to 65535", text);
        port = *number;
    }
    const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (has_brackets) host = host.substr(1, host.size() - 2);
    if (has_brackets && !IpAddress::parse(host)) return wrong("the text in brackets is not an address", text);
    ServerAddress made = tcp(host, port);
    if (made.host().empty()) return wrong("this is neither a host nor an address nor a path", text);
    return made;
}

ServerAddress ServerAddress::with_default_port(std::uint16_t port) const {
    ServerAddress made = *this;
    if (!is_local() && port_ == 0) made.port_ = port;
    return made;
}

std::string ServerAddress::to_string() const {
    if (is_local()) return path_;
    const bool needs_brackets = port_ != 0 && host_.find(':') != std::string::npos;
    const std::string host = needs_brackets ? "[" + host_ + "]" : host_;
    return port_ == 0 ? host : format_text("{}:{}", host, port_);
}

std::string OptionType<ServerAddress>::read(std::string_view text, ServerAddress& value) {
    const auto parsed = ServerAddress::parse(text);
    if (!parsed) return format_text("{} ({})", name(), parsed.error().what);
    value = *parsed;
    return {};
}
std::string OptionType<ServerAddress>::show(const ServerAddress& value) { return value.to_string(); }
std::string OptionType<ServerAddress>::name() {
    return "a server: host, host:port, [IPv6 address]:port, /path or unix:/path";
}

}  // namespace smtpd
