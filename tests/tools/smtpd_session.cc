/// smtpd_session.cc: one SMTP session on standard input and output: the engine and real plugins, without httpd, sockets
/// and waiting.
///
///     smtpd-session [options] <dialogue >replies
///
/// It reads the client's octets from standard input unchanged (a line without CRLF is the client's mistake), and writes
/// the server's octets to standard output. The same input with the same options gives the same output: the clock stands
/// still, except that a waiting session wakes at once with an advanced clock; dates are in UTC. The client waits for
/// each reply before it sends its next line.
///
///     --control DIR           control files (me, rcpthosts, plugins, ...), including the lists `logging` and `plugins`
///     --plugin "NAME OPTION..."  a further plugin; may be repeated. Without a plugin that accepts recipients, the
///                             server rejects all
///     --plugin-dir DIR        a directory of plugins; may be repeated. The build's own directory comes last
///     --client ADDRESS[:PORT] the client; an IPv6 address with a port in brackets (default 192.0.2.1:49152)
///     --me NAME               the server's name (default: control file `me`, else localhost)
///     --id ID                 the session's id (default: session)
///     --clock SECONDS         the start time, in seconds since 1970 (default: 1767225600, 2026-01-01 00:00 UTC)
///     --bare-newline POLICY   reject, normalize or accept
///     --tls PROTOCOL          the connection counts as encrypted with that protocol (TLSv1.3)
///     --max-size OCTETS       the largest message
///     --spool DIR             the directory for messages over 256 KB (default: the directory for temporary files)
///     --log LEVEL             log lines up to that level go to standard error (default: warning)
///     --zone FILE             the answers of the DNS (format: net/zone_resolver.h); without it every question fails
///     --early                 the client does not wait: all its input is present from the beginning
///
/// Exit status: 0 after any session; 2 if the call or the configuration is wrong, with a message on standard error.
#include "dry_run/conversation.h"
#include "engine/session.h"
#include "fakes/fake_store.h"
#include "host/plugin_set.h"
#include "support/strings.h"

#include <smtpd/base/files.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd;
using engine::Step;

struct Arguments {
    std::string control;
    std::vector<std::string> plugins;
    std::vector<std::string> plugin_dirs;
    Endpoint client{*IpAddress::parse("192.0.2.1"), 49152};
    std::string me;
    std::string id = "session";
    std::string tls;
    std::uint64_t clock = 1767225600;
    smtp::BareNewline bare_newline = smtp::BareNewline::reject;
    std::uint64_t max_size = 0;
    std::string spool = std::filesystem::temp_directory_path();
    LogLevel log = LogLevel::warning;
    std::string zone;
    bool is_early = false;
};

/// Prints the mistake and returns the exit status.
int give_up(std::string_view what) {
    std::cerr << "smtpd-session: " << what << '\n';
    return 2;
}

std::optional<smtp::BareNewline> parse_policy(std::string_view text) {
    if (text == "reject") return smtp::BareNewline::reject;
    if (text == "normalize") return smtp::BareNewline::normalize;
    if (text == "accept") return smtp::BareNewline::accept;
    return std::nullopt;
}

template <class T>
bool take(T& into, const std::optional<T>& value) {
    if (value) into = *value;
    return value.has_value();
}

/// False if the option does not exist, or if its value is invalid.
bool set_option(Arguments& arguments, std::string_view name, const std::string& value) {
    if (name == "--control") arguments.control = value;
    else if (name == "--plugin") arguments.plugins.push_back(value);
    else if (name == "--plugin-dir") arguments.plugin_dirs.push_back(value);
    else if (name == "--client") return take(arguments.client, dry_run::parse_endpoint(value, 49152));
    else if (name == "--me") arguments.me = value;
    else if (name == "--id") arguments.id = value;
    else if (name == "--tls") arguments.tls = value;
    else if (name == "--clock")
        return take(arguments.clock, support::parse_unsigned(value)) && arguments.clock < 100'000'000'000;
    else if (name == "--bare-newline") return take(arguments.bare_newline, parse_policy(value));
    else if (name == "--max-size") return take(arguments.max_size, support::parse_unsigned(value));
    else if (name == "--spool") arguments.spool = value;
    else if (name == "--zone") arguments.zone = value;
    else if (name == "--log") return take(arguments.log, parse_log_level(value));
    else return false;
    return !value.empty();
}

class StandardError final : public LogSink {
public:
    explicit StandardError(LogLevel up_to) : up_to_(up_to) {}
    bool enabled(LogLevel level) const noexcept override { return level <= up_to_; }
    void write(const LogLine& line) noexcept override {
        const std::string text = std::string(log_level_name(line.level)) + " " + line.to_string() + "\n";
        std::fwrite(text.data(), 1, text.size(), stderr);
    }

private:
    const LogLevel up_to_;
};

void write(const std::string& output) {
    std::fwrite(output.data(), 1, output.size(), stdout);
    std::fflush(stdout);
}

/// Runs a session over standard input and output, line by line.
void run(dry_run::Conversation& conversation) {
    write(conversation.start());
    for (char buffer[64 * 1024]; !conversation.is_over();) {
        std::string_view rest(buffer, std::fread(buffer, 1, sizeof buffer, stdin));
        if (rest.empty()) break;
        while (!rest.empty()) write(conversation.say(dry_run::take_line(rest)));
    }
    write(conversation.end());
}

/// The control directory's lists, then the plugins of the call.
std::vector<host::PluginLine> plugin_lines(const Arguments& arguments, host::DirectoryControlFiles& control,
                                           host::Problems& problems) {
    std::vector<host::PluginLine> lines;
    for (const char* name : {"logging", "plugins"}) {
        auto listed = host::read_plugin_file(control, name);
        if (listed) lines.insert(lines.end(), listed->begin(), listed->end());
        else problems.push_back({true, "", listed.error().what});
    }
    for (const auto& text : arguments.plugins) {
        const auto words = support::split_words(text);
        if (words.empty()) continue;
        host::PluginLine line;
        host::split_instance(words.front(), line.name, line.label);
        line.words.assign(words.begin() + 1, words.end());
        line.file = "--plugin";
        line.line = static_cast<unsigned>(&text - arguments.plugins.data()) + 1;
        lines.push_back(std::move(line));
    }
    return lines;
}

int serve(const Arguments& arguments) {
    dry_run::DryRunClock clock{WallTime(std::chrono::seconds(arguments.clock))};
    StandardError log(arguments.log);
    std::vector<std::string> directories;
    if (!arguments.control.empty()) directories.push_back(arguments.control);
    host::DirectoryControlFiles control(directories, clock, log);

    engine::Settings settings;
    settings.server_name = !arguments.me.empty() ? arguments.me : control.first_line("me").value_or("localhost");
    settings.authserv_id = control.first_line("me-auth-results").value_or("");
    settings.bare_newline = arguments.bare_newline;
    settings.max_message_size = arguments.max_size;
    settings.spool.directory = arguments.spool;
    settings.spool.threshold = 256 * 1024;

    fakes::FakeStore store(clock);  // empty at the beginning
    host::Environment environment;
    environment.plugin_dirs = arguments.plugin_dirs;
    environment.plugin_dirs.push_back(SMTPD_BUILD_DIR "/stage/plugins");
    environment.control = &control;
    environment.server_name = settings.server_name;
    environment.clock = &clock;
    environment.log = &log;
    environment.stores = &store;

    host::Problems problems;
    const auto lines = plugin_lines(arguments, control, problems);
    const auto plugins = host::PluginSet::build(lines, environment, problems);
    for (auto& text : control.take_problems()) problems.push_back({true, "", std::move(text)});
    for (const auto& problem : problems) std::cerr << "smtpd-session: " << problem.to_string() << '\n';
    if (std::any_of(problems.begin(), problems.end(), [](const host::Problem& problem) { return problem.is_error; }))
        return 2;
    if (const auto started = plugins->child_start(); !started) return give_up(started.error().what);

    std::unique_ptr<net::Resolver> zone;
    if (!arguments.zone.empty()) {
        const auto text = read_file(arguments.zone, 16 * 1024 * 1024);
        auto read = text ? dry_run::read_zone(*text) : Result<std::unique_ptr<net::Resolver>>(text.error());
        if (!read) return give_up("--zone " + arguments.zone + ": " + read.error().what);
        zone = std::move(*read);
    }
    std::optional<dry_run::Names> names;
    if (zone) names.emplace(*zone, clock);

    engine::Peer peer;
    peer.id = arguments.id;
    peer.client = arguments.client;
    peer.local = {arguments.client.address.is_v6() ? *IpAddress::parse("::1") : *IpAddress::parse("127.0.0.1"), 25};
    peer.sessions_of_client = 1;
    peer.tls_protocol = arguments.tls;
    if (!arguments.tls.empty()) peer.tls_cipher = "unknown";
    peer.nonce = "nonce";
    engine::Session session(settings, *plugins, clock, plugins->log(), std::move(peer),
                            engine::Services{.names = names ? &*names : nullptr});
    dry_run::Conversation conversation(session, clock, names ? &*names : nullptr);
    if (arguments.is_early) write(conversation.all_at_once(std::string(std::istreambuf_iterator<char>(std::cin), {})));
    else run(conversation);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--early") {
            arguments.is_early = true;
            continue;
        }
        if (i + 1 == argc || !set_option(arguments, name, argv[i + 1]))
            return give_up("cannot use " + quoted(name) + (i + 1 < argc ? " " + quoted(argv[i + 1]) : std::string()) +
                           "; the head of its source lists the options");
        ++i;
    }
    if (!arguments.control.empty() && !std::filesystem::is_directory(arguments.control))
        return give_up("--control: " + arguments.control + " is no directory");
    setenv("TZ", "UTC", 1);
    tzset();
    return serve(arguments);
}
