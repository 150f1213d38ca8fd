#include "dry_run/request.h"

#include "support/strings.h"

#include <smtpd/base/format.h>

#include <array>

namespace smtpd::dry_run {
namespace {

constexpr std::array<std::string_view, 5> outcome_names{"accepted", "rejected", "deferred", "failed", "none"};

/// "name length LF octets LF"
void put(std::string& out, std::string_view name, std::string_view value) {
    out += format_text("{} {}\n{}\n", name, value.size(), value);
}

std::optional<std::pair<std::string_view, std::string_view>> take(std::string_view& text) {
    const auto blank = text.find(' ');
    const auto end = text.find('\n');
    if (blank == text.npos || end == text.npos || blank > end) return std::nullopt;
    const auto length = support::parse_unsigned(text.substr(blank + 1, end - blank - 1));
    if (!length || *length >= text.size() - end - 1) return std::nullopt;
    const std::pair field{text.substr(0, blank), text.substr(end + 1, *length)};
    text.remove_prefix(end + 1 + *length + 1);
    return field;
}

/// False if the value is not valid.
bool set(Request& request, std::string_view name, std::string_view value) {
    const auto number = support::parse_unsigned(value);
    if (name == "list") request.is_list = true;
    else if (name == "json") request.is_json = true;
    else if (name == "host") request.host = value;
    else if (name == "client") {
        const auto address = IpAddress::parse(value);
        if (!address) return false;
        request.client.address = *address;
    } else if (name == "port") request.client.port = static_cast<std::uint16_t>(number.value_or(0));
    else if (name == "client-host") request.client_host = value;
    else if (name == "tls") request.tls = value;
    else if (name == "helo") request.helo = value;
    else if (name == "old") request.is_esmtp = false;
    else if (name == "user") request.user = value;
    else if (name == "password") request.password = value;
    else if (name == "mechanism") request.mechanism = value;
    else if (name == "from") request.from = value;
    else if (name == "to") request.to.emplace_back(value);
    else if (name == "message") request.message = value;
    else if (name == "zone") request.zone = value;
    else if (name == "wait") request.takes_time = true;
    else if (name == "again") request.again.emplace_back(number.value_or(0));
    else if (name == "log" && number) request.log = static_cast<LogLevel>(*number);
    else return false;
    return true;
}

}  // namespace

std::string Request::to_text() const {
    std::string out;
    const auto flag = [&](std::string_view name, bool is_set) {
        if (is_set) put(out, name, "");
    };
    const auto optional = [&](std::string_view name, const std::optional<std::string>& value) {
        if (value) put(out, name, *value);
    };
    flag("list", is_list);
    flag("json", is_json);
    put(out, "host", host);
    put(out, "client", client.address.to_string());
    put(out, "port", std::to_string(client.port));
    put(out, "client-host", client_host);
    put(out, "tls", tls);
    put(out, "helo", helo);
    flag("old", !is_esmtp);
    put(out, "user", user);
    put(out, "password", password);
    put(out, "mechanism", mechanism);
    optional("from", from);
    for (const auto& recipient : to) put(out, "to", recipient);
    optional("message", message);
    optional("zone", zone);
    flag("wait", takes_time);
    for (const auto time : again) put(out, "again", std::to_string(time.count()));
    put(out, "log", std::to_string(static_cast<unsigned>(log)));
    return out;
}

Result<Request> Request::from_text(std::string_view text) {
    Request request;
    for (bool is_first = true; is_first || !text.empty(); is_first = false) {
        const auto field = take(text);
        if (!field || !set(request, field->first, field->second))
            return Error{ErrorCode::config, "it contains no request of this version", 0};
    }
    return request;
}

std::string_view outcome_name(MailOutcome outcome) noexcept { return outcome_names[static_cast<std::size_t>(outcome)]; }

std::string with_outcome(std::string output, MailOutcome outcome) {
    output += '\0';
    output += static_cast<char>('0' + static_cast<int>(outcome));
    return output;
}

std::optional<MailOutcome> take_outcome(std::string& output) {
    if (output.size() < 2 || output[output.size() - 2] != '\0') return std::nullopt;
    const int number = output.back() - '0';
    if (number < 0 || number >= static_cast<int>(outcome_names.size())) return std::nullopt;
    output.resize(output.size() - 2);
    return static_cast<MailOutcome>(number);
}

}  // namespace smtpd::dry_run
