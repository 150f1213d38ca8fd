/// auth_command.cc: reads the options of smtpd-auth, and creates the source of its DNS answers.
#include "tools/auth_command.h"

#include "net/cares_resolver.h"
#include "net/zone_file.h"
#include "support/clock.h"
#include "support/edit_distance.h"
#include "support/strings.h"
#include "tools/auth_json_zone.h"
#include "tools/version.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>

namespace smtpd::tools {
namespace {

constexpr std::size_t largest_file = 256 * 1024 * 1024;
constexpr std::uint64_t longest_timeout = 3600;

const std::vector<AuthOption>& common_options() {
    static const std::vector<AuthOption> all{
        {"--resolver", "HOST:PORT"}, {"--zone", "FILE"}, {"--now", "EPOCH"}, {"--timeout", "SECONDS"}};
    return all;
}

[[noreturn]] void wrong_call(const std::string& text) { throw AuthError(text, usage_error); }

const AuthOption& find_option(const Subcommand& command, const std::string& name) {
    std::vector<std::string> names;
    for (const auto* options : {&command.options, &common_options()})
        for (const auto& option : *options) {
            if (option.name == name) return option;
            names.emplace_back(option.name);
        }
    wrong_call(format_text("unknown option \"{}\"{}; --help lists the options", quoted(name),
                           support::did_you_mean(name, names)));
}

net::ZoneResolver read_zone(const std::string& file) {
    const std::string text = read_whole_file(file);
    const auto first = text.find_first_not_of(" \t\r\n");
    const bool is_json = first != std::string::npos && text[first] == '{';
    auto zone = is_json ? read_json_zone(text) : net::read_zone_file(text);
    if (!zone) throw AuthError(format_text("--zone {}: {}", file, zone.error().what), data_error);
    return std::move(*zone);
}

IpAddress address_of_host(const std::string& host) {
    if (const auto address = IpAddress::parse(host)) return *address;
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr)
        wrong_call(format_text("--resolver: there is no host \"{}\"", quoted(host)));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    char text[NI_MAXHOST];
    const bool is_shown = ::getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                                        NI_NUMERICHOST) == 0;
    return (is_shown ? IpAddress::parse(text) : std::nullopt).value_or(IpAddress());
}

net::ResolverSettings::Server read_server(const std::string& text) {
    std::string host = text, port = "53";
    const auto colon = text.rfind(':');
    if (!IpAddress::parse(text) && colon != std::string::npos && text.find(']', colon) == std::string::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const auto number = support::parse_unsigned(port);
    if (!number || *number == 0 || *number > 65535 || host.empty())
        wrong_call(format_text("--resolver takes HOST:PORT, as 192.0.2.1:53, not \"{}\"", quoted(text)));
    return {address_of_host(host), static_cast<std::uint16_t>(*number)};
}

}  // namespace

std::string read_whole_file(const std::string& name) {
    auto text = read_file(name, largest_file);
    if (!text) throw AuthError(text.error().what, no_input);
    return std::move(*text);
}

AuthCall::AuthCall(const Subcommand& command, std::vector<std::string> arguments) : command_(command) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        if (!word.starts_with("--")) {
            words_.push_back(word);
            continue;
        }
        const auto equals = word.find('=');
        const AuthOption& option = find_option(command, word.substr(0, equals));
        const std::string name(option.name);
        if (option.value.empty() && equals != std::string::npos) wrong_call(format_text("{} takes no value", name));
        if (option.value.empty()) {
            values_[name].emplace_back();
            continue;
        }
        if (equals == std::string::npos && ++i == arguments.size())
            wrong_call(format_text("{} needs a value: {}", name, option.value));
        values_[name].push_back(equals == std::string::npos ? arguments[i] : word.substr(equals + 1));
    }
    const std::string takes = command.words.empty() ? format_text("{} takes no words", command.name)
                                                    : format_text("{} takes {}", command.name, command.words);
    if (words_.size() < command.least_words) wrong_call(format_text("a word is missing: {}", takes));
    if (words_.size() > command.most_words)
        wrong_call(format_text("unexpected word \"{}\": {}", quoted(words_[command.most_words]), takes));
    for (const auto& option : command.options)
        if (option.use == AuthOption::Use::needed && !has(option.name))
            wrong_call(format_text("{} needs {} {}", command.name, option.name, option.value));
    if (has("--resolver") && has("--zone")) wrong_call("--resolver and --zone exclude each other");
}

std::string AuthCall::value(std::string_view option, std::string_view otherwise) const {
    const auto found = values_.find(option);
    return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> AuthCall::values(std::string_view option) const {
    const auto found = values_.find(option);
    return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::uint64_t AuthCall::number(std::string_view option, std::uint64_t otherwise, std::uint64_t least,
                               std::uint64_t most) const {
    if (!has(option)) return otherwise;
    const std::string text = value(option);
    const auto read = support::parse_unsigned(text);
    if (!read || *read < least || *read > most)
        wrong_call(format_text("{} takes a number from {} to {}, not \"{}\"", option, least, most, quoted(text)));
    return *read;
}

WallTime AuthCall::now() const {
    if (!has("--now")) return std::chrono::system_clock::now();
    constexpr std::uint64_t last = 253402300799;  // the year 9999
    const auto seconds = number("--now", 0, 0, last);
    constexpr auto latest = std::chrono::duration_cast<std::chrono::seconds>(WallTime::max().time_since_epoch());
    return WallTime(std::min(std::chrono::seconds(seconds), latest));
}

Evaluation& AuthCall::dns() {
    if (dns_) return *dns_;
    const std::chrono::seconds timeout(number("--timeout", 20, 1, longest_timeout));
    if (has("--zone")) return dns_.emplace(Evaluation(read_zone(value("--zone"))));
    net::ResolverSettings settings;
    if (has("--resolver")) settings.servers.push_back(read_server(value("--resolver")));
    static const support::SystemClock clock;
    return dns_.emplace(Evaluation(std::make_shared<net::CaresResolver>(std::move(settings), clock), timeout));
}

std::string AuthCall::read_input() {
    std::string text;
    char buffer[64 * 1024];
    for (std::size_t octets = 0; (octets = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
        text.append(buffer, octets);
        if (text.size() > largest_file) throw AuthError("standard input is too long", data_error);
    }
    if (std::ferror(stdin) != 0) throw AuthError("standard input cannot be read", no_input);
    return text;
}

int run_auth_program(int argc, char** argv, const std::function<std::string()>& help,
                     const std::function<int(const std::vector<std::string>&)>& run) {
    try {
        const std::vector<std::string> words(argv + 1, argv + argc);
        if (words.size() == 1 && words[0] == "--version") return show_version(program), good;
        const bool wants_help = words.size() == 1 && (words[0] == "--help" || words[0] == "-h");
        if (words.empty() || wants_help) {
            std::fputs(help().c_str(), wants_help ? stdout : stderr);
            return wants_help ? good : usage_error;
        }
        const int status = run(words);
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
            return complain("standard output cannot be written", output_error);
        return status;
    } catch (const AuthError& error) {
        return complain(error.what(), error.status);
    } catch (const std::exception& error) { return complain(error.what(), software_error); }
}

}  // namespace smtpd::tools
