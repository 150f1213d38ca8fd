#include "httpd/resolver_directive.h"

#include "httpd/directive_values.h"

#include "support/strings.h"

#include <smtpd/options.h>

#include <algorithm>

namespace smtpd::httpd {
namespace {

/// "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"
std::optional<net::ResolverSettings::Server> read_name_server(std::string_view text) {
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos || text.find(':') > end) return std::nullopt;
        port = text.substr(end + 1);
        text = text.substr(1, end - 1);
    } else if (const auto colon = text.find(':'); colon == text.rfind(':') && colon != std::string_view::npos) {
        port = text.substr(colon);
        text = text.substr(0, colon);
    }
    net::ResolverSettings::Server server;
    const auto address = IpAddress::parse(text);
    if (!address) return std::nullopt;
    server.address = *address;
    if (port.empty()) return server;
    const auto number = support::parse_unsigned(port.substr(1));
    if (port.front() != ':' || !number || *number == 0 || *number > 65535) return std::nullopt;
    server.port = static_cast<std::uint16_t>(*number);
    return server;
}

/// Reads one name=value of SmtpResolver; returns "" or what is allowed.
std::string read_resolver_option(std::string_view name, std::string_view value, net::ResolverSettings& settings) {
    if (name == "timeout") {
        Duration time{};
        if (!OptionType<Duration>::read(value, time).empty() || time < std::chrono::milliseconds(100) ||
            time > std::chrono::seconds(60))
            return "timeout takes a time from 100ms to 60s";
        settings.timeout = time;
    } else if (name == "tries") {
        if (!read_count(value, settings.tries, 1).empty() || settings.tries > 10)
            return "tries takes a number from 1 to 10";
    } else if (name == "cache") {
        std::uint64_t octets = 0;
        if (!read_size(value, octets).empty() || octets > 1024 * 1024 * 1024)
            return "cache takes a number of octets up to 1g, such as 4m; 0 disables it";
        settings.cache_octets = octets;
    } else {
        return format_text("there is no option \"{}\"; the options are timeout, tries and cache", name);
    }
    return {};
}

}  // namespace

/// SmtpResolver [server …] [timeout=time] [tries=number] [cache=size]
const char* set_resolver(cmd_parms* cmd, void*, int argc, char* const argv[]) {
    net::ResolverSettings settings;
    if (argc == 0)
        return "SmtpResolver takes the addresses of name servers, each with or without a port, and timeout=, tries= or "
               "cache=";
    for (int i = 0; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (const auto equals = word.find('='); equals != std::string_view::npos) {
            const auto problem = read_resolver_option(word.substr(0, equals), word.substr(equals + 1), settings);
            if (!problem.empty()) return complaint(cmd, format_text("SmtpResolver: {}", problem));
            continue;
        }
        const auto server = read_name_server(word);
        if (!server)
            return complaint(cmd,
                             format_text("SmtpResolver: \"{}\" is not the address of a name server, such as 192.0.2.1, "
                                         "192.0.2.1:5353 or [::1]:5353",
                                         word));
        settings.servers.push_back(*server);
    }
    if (settings.servers.size() > net::ResolverSettings::max_servers)
        return complaint(cmd,
                         format_text("SmtpResolver takes {} name servers at most", net::ResolverSettings::max_servers));
    config_of(cmd).resolver = std::move(settings);
    return nullptr;
}

}  // namespace smtpd::httpd
