/// smtpd_try.cc: the command smtpd-try, which shows what would happen to a client and its message. See its man page,
/// docs/smtpd-try.1.
///
/// It reads its arguments and lets httpd itself do the work: httpd runs a configuration test with the internal
/// directive SmtpTry, and mod_smtpd simulates the session with the configured plugins (mod_smtpd/httpd/dry_run.h). So
/// no second parser of the configuration can differ from the server's.
#include "dry_run/conversation.h"
#include "dry_run/request.h"
#include "support/edit_distance.h"
#include "support/strings.h"
#include "tools/child_program.h"
#include "tools/version.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/options.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace smtpd::tools {
namespace {

constexpr const char* usage =
    "usage: smtpd-try [-f HTTPD.CONF] --ip ADDRESS [OPTION]... [MESSAGE]\n"
    "       smtpd-try [-f HTTPD.CONF] --list [OPTION]...\n"
    "\n"
    "  --host NAME[:PORT]    the virtual host, if several speak SMTP\n"
    "  --ip ADDRESS[:PORT]   the client\n"
    "  --client-host NAME    its name by reverse DNS, as with HostnameLookups\n"
    "  --helo NAME           its name in EHLO\n"
    "  --no-esmtp            the client says HELO, not EHLO\n"
    "  --tls                 the connection counts as encrypted, as on a host with SSLEngine on\n"
    "  --auth USER           AUTH, with the first line of --password-file FILE\n"
    "  --auth-login          with the mechanism LOGIN instead of PLAIN\n"
    "  --from ADDRESS        the sender, \"\" for the null sender; without it the session ends after EHLO\n"
    "  --to ADDRESS          a recipient; may be repeated\n"
    "  MESSAGE               a file with the message, - for standard input; by default a short message\n"
    "  --no-message          the session ends after the recipients\n"
    "\n"
    "  --zone FILE           the answers of the DNS, instead of real queries\n"
    "  --again TIME          the client connects again after TIME; may be repeated\n"
    "  --wait                wait for delays instead of skipping them\n"
    "  --log LEVEL           show log lines up to this level (warning)\n"
    "  --json                output for programs\n"
    "  --list                the chains of hooks, and the plugins with their options\n"
    "\n"
    "  -d DIR, -D NAME       are passed on to httpd\n"
    "  --httpd PROGRAM       the httpd to use, if not the one that mod_smtpd was built for\n"
    "  --envvars FILE        shell variables for httpd's configuration; none: no file\n"
    "  --version             the version of this command\n"
    "\n"
    "Exit status: 0 accepted or nothing to accept, 1 rejected, 2 deferred, 3 the dry run failed.\n";

constexpr int not_tried = 3;
constexpr std::size_t largest_file = 256 * 1024 * 1024;

int complain(const std::string& text) {
    std::fputs(format_text("smtpd-try: {}\n", text).c_str(), stderr);
    return not_tried;
}

struct Call {
    dry_run::Request request;
    std::string config = SMTPD_HTTPD_CONF;
    std::string httpd = SMTPD_HTTPD;
    std::optional<std::string> envvars;
    std::vector<std::string> handed_on;  ///< words for httpd
    std::optional<std::string> message;
    std::optional<std::string> password_file;
    std::optional<std::string> zone_file;
    bool has_client = false;
    bool has_message = true;
    bool wants_help = false;
    bool wants_version = false;
};

/// The mistake in the value; "" if the value is right.
using Take = std::function<std::string(Call&, const std::string& value)>;

struct Option {
    std::string_view name;
    bool has_value;
    Take take;
};

template <class F>
Option flag(std::string_view name, F set) {
    return {name, false, [set](Call& call, const std::string&) { return set(call), std::string(); }};
}
template <class F>
Option value(std::string_view name, F take) {
    return {name, true, [take](Call& call, const std::string& value) -> std::string {
                if constexpr (std::is_void_v<decltype(take(call, value))>) return take(call, value), std::string();
                else return take(call, value);
            }};
}

std::string take_client(Call& call, const std::string& text) {
    const auto client = dry_run::parse_endpoint(text, 49152);
    if (!client) return "an IP address such as 192.0.2.1, 192.0.2.1:4711 or [2001:db8::1]:4711";
    call.request.client = *client;
    call.has_client = true;
    return {};
}

/// A value must not contain characters that would begin another SMTP command.
std::string take_word(std::string& into, const std::string& text, std::string_view what) {
    if (std::any_of(text.begin(), text.end(),
                    [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }))
        return std::string(what) + " without control characters";
    into = text;
    return {};
}

std::string take_address(std::string& into, std::string text) {
    if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
    return take_word(into, text, "an address");
}

std::string take_again(Call& call, const std::string& text) {
    Duration time{};
    if (!OptionType<Duration>::read(text, time).empty() || time.count() < 0) return "a time such as 90, 10min or 2h";
    call.request.again.push_back(time);
    return {};
}

std::string take_level(Call& call, const std::string& text) {
    const auto level = parse_log_level(text);
    if (!level) return "a log level such as info";
    call.request.log = *level;
    return {};
}

const std::vector<Option>& options() {
    static const std::vector<Option> all{
        flag("-h", [](Call& call) { call.wants_help = true; }),
        flag("--help", [](Call& call) { call.wants_help = true; }),
        flag("--version", [](Call& call) { call.wants_version = true; }),
        value("-f", [](Call& call, const std::string& text) { call.config = text; }),
        value("-d",
              [](Call& call, const std::string& text) {
                  call.handed_on.insert(call.handed_on.end(), {"-d", text});
              }),
        value("-D",
              [](Call& call, const std::string& text) {
                  call.handed_on.insert(call.handed_on.end(), {"-D", text});
              }),
        value("--httpd", [](Call& call, const std::string& text) { call.httpd = text; }),
        value("--envvars", [](Call& call, const std::string& text) { call.envvars = text; }),
        value("--host", [](Call& call, const std::string& text) { call.request.host = text; }),
        value("--ip", take_client),
        value("--client-host",
              [](Call& call, const std::string& text) {
                  return take_word(call.request.client_host, text, "a host name");
              }),
        value("--helo",
              [](Call& call, const std::string& text) { return take_word(call.request.helo, text, "a name"); }),
        flag("--no-esmtp", [](Call& call) { call.request.is_esmtp = false; }),
        flag("--tls", [](Call& call) { call.request.tls = "TLSv1.3"; }),
        value("--auth",
              [](Call& call, const std::string& text) { return take_word(call.request.user, text, "a user"); }),
        value("--password-file", [](Call& call, const std::string& text) { call.password_file = text; }),
        flag("--auth-login", [](Call& call) { call.request.mechanism = "LOGIN"; }),
        value("--from",
              [](Call& call, const std::string& text) { return take_address(call.request.from.emplace(), text); }),
        value("--to",
              [](Call& call, const std::string& text) { return take_address(call.request.to.emplace_back(), text); }),
        flag("--no-message", [](Call& call) { call.has_message = false; }),
        value("--zone", [](Call& call, const std::string& text) { call.zone_file = text; }),
        value("--again", take_again),
        flag("--wait", [](Call& call) { call.request.takes_time = true; }),
        value("--log", take_level),
        flag("--json", [](Call& call) { call.request.is_json = true; }),
        flag("--list", [](Call& call) { call.request.is_list = true; }),
    };
    return all;
}

std::string unknown_option(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& known : options()) names.emplace_back(known.name);
    return format_text("there is no option {}{}; --help lists them", quoted(name), support::did_you_mean(name, names));
}

/// The value is the next word, or the text after "=" in a long option. Returns the mistake, or "".
std::string take_option(Call& call, const std::vector<std::string>& words, std::size_t& at) {
    const std::string& word = words[at];
    const auto equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const auto option = std::find_if(options().begin(), options().end(),
                                     [&](const Option& known) { return known.name == name; });
    if (option == options().end()) return unknown_option(name);
    if (!option->has_value) {
        if (equals != std::string::npos) return format_text("{} takes no value", name);
        return option->take(call, {});
    }
    if (equals == std::string::npos && at + 1 == words.size()) return format_text("{} needs a value", name);
    const std::string value = equals != std::string::npos ? word.substr(equals + 1) : words[++at];
    const std::string allowed = option->take(call, value);
    return allowed.empty() ? std::string() : format_text("{} takes {}, not \"{}\"", name, allowed, quoted(value));
}

std::string read_call(Call& call, const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i].starts_with('-') && words[i] != "-") {
            if (auto wrong = take_option(call, words, i); !wrong.empty()) return wrong;
        } else if (call.message) {
            return format_text("unexpected argument \"{}\": {} is the message already", quoted(words[i]),
                               quoted(std::as_const(*call.message)));
        } else {
            call.message = words[i];
        }
    }
    return {};
}

/// Options that exclude or need each other.
std::string contradiction(const Call& call) {
    const dry_run::Request& request = call.request;
    if (call.wants_help || call.wants_version || request.is_list) return {};
    if (!call.has_client) return "--ip is missing: it names the client; --help lists the options";
    if (!request.to.empty() && !request.from) return "--to needs --from";
    if (call.message && request.to.empty()) return "a message needs --from and --to";
    if (call.message && !call.has_message) return "a message and --no-message exclude each other";
    if (request.user.empty() != !call.password_file) return "--auth and --password-file belong together";
    if (!request.user.empty() && !request.is_esmtp) return "--auth and --no-esmtp exclude each other: AUTH needs EHLO";
    return {};
}

/// A short, well-formed message.
std::string made_message(const dry_run::Request& request) {
    std::string to;
    for (const auto& recipient : request.to) to += (to.empty() ? "" : ",\n\t") + recipient;
    const std::string from = request.from->empty() ? "postmaster@localhost" : *request.from;
    return format_text(
        "From: {}\nTo: {}\nSubject: a dry run\nDate: {}\nMessage-ID: <{}.smtpd-try@localhost>\n\nThis message was made "
        "by smtpd-try.\n",
        from, to, local_time("%a, %d %b %Y %H:%M:%S %z", std::chrono::system_clock::now()), ::getpid());
}

Result<std::string> read_message(const std::string& name) {
    if (name != "-") return read_file(name, largest_file);
    std::string text;
    char buffer[64 * 1024];
    for (std::size_t octets = 0; (octets = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;)
        text.append(buffer, octets);
    if (std::ferror(stdin) != 0) return Error{ErrorCode::io, "cannot read standard input", 0};
    return text;
}

/// Reads files here, with the caller's rights.
Result<void> read_files(Call& call) {
    dry_run::Request& request = call.request;
    if (call.password_file) {
        const auto text = read_file(*call.password_file, 4096);
        if (!text) return text.error();
        request.password = text->substr(0, text->find_first_of("\r\n"));
    }
    if (call.zone_file) {
        auto text = read_file(*call.zone_file, largest_file);
        if (!text) return text.error();
        if (const auto zone = dry_run::read_zone(*text); !zone)
            return Error{ErrorCode::config, format_text("--zone {}: {}", *call.zone_file, zone.error().what), 0};
        request.zone = std::move(*text);
    }
    if (!call.has_message || request.to.empty()) return {};
    auto message = call.message ? read_message(*call.message) : Result<std::string>(made_message(request));
    if (!message) return message.error();
    request.message = std::move(*message);
    return {};
}

/// Debian keeps variables for its configuration in a file beside it.
std::string envvars_of(const Call& call) {
    if (call.envvars) return *call.envvars == "none" ? std::string() : *call.envvars;
    const auto slash = call.config.rfind('/');
    const std::string beside = (slash == std::string::npos ? std::string(".") : call.config.substr(0, slash)) +
                               "/envvars";
    return ::access(beside.c_str(), R_OK) == 0 ? beside : std::string();
}

std::vector<std::string> command_of(const Call& call) {
    std::vector<std::string> words;
    if (auto envvars = envvars_of(call); !envvars.empty()) {
        if (envvars.find('/') == std::string::npos) envvars = "./" + envvars;  // otherwise the shell would search PATH
        words = {"/bin/sh", "-c", ". \"$0\" && exec \"$@\"", envvars};
    }
    words.insert(words.end(), {call.httpd, "-t", "-f", call.config});
    words.insert(words.end(), call.handed_on.begin(), call.handed_on.end());
    words.insert(words.end(), {"-c", format_text("SmtpTry {} {}", ChildProgram::input, ChildProgram::output)});
    return words;
}

/// Prints httpd's own messages, except for "Syntax OK".
void show_words_of_httpd(std::string_view words) {
    while (!words.empty()) {
        const auto line = dry_run::take_line(words);
        if (support::trim(line) != "Syntax OK") std::fwrite(line.data(), 1, line.size(), stderr);
    }
}

/// Explains why httpd made no report.
int explain(const Call& call, const ChildProgram::Done& done) {
    const auto says = [&](std::string_view words) { return done.words.find(words) != std::string::npos; };
    if (done.status == 0)
        return complain(format_text("{} accepts the configuration {}, but makes no report", call.httpd, call.config));
    if (says("Invalid command 'SmtpTry'"))
        return complain(format_text("{} does not load mod_smtpd, or loads an old version of it", call.config));
    if (says("AH00111"))
        complain(
            "the configuration uses variables; name their file with --envvars FILE, for example /etc/apache2/envvars");
    return complain(
        format_text("{} does not accept the configuration {}; see its messages above", call.httpd, call.config));
}

int run(const Call& call) {
    auto done = ChildProgram::run(command_of(call), call.request.to_text());
    if (!done) return complain(done.error().what);
    show_words_of_httpd(done->words);
    const auto outcome = dry_run::take_outcome(done->output);
    if (!outcome) return explain(call, *done);
    if (*outcome == dry_run::MailOutcome::failed) return complain(done->output);
    std::fwrite(done->output.data(), 1, done->output.size(), stdout);
    if (std::fflush(stdout) != 0) return complain("cannot write the report");
    return *outcome == dry_run::MailOutcome::none ? 0 : static_cast<int>(*outcome);  // nothing was refused
}

int run(const std::vector<std::string>& words) {
    Call call;
    std::string wrong = read_call(call, words);
    if (wrong.empty()) wrong = contradiction(call);
    if (!wrong.empty()) return complain(wrong);
    if (call.wants_help) return std::fputs(usage, stdout), 0;
    if (call.wants_version) return show_version("smtpd-try"), 0;
    call.config = std::filesystem::absolute(call.config).string();  // httpd would look below its root
    if (::access(call.config.c_str(), R_OK) != 0)
        return complain(
            os_error(format_text("cannot read the configuration {} (-f names another one)", call.config), errno).what);
    if (const auto good = read_files(call); !good) return complain(good.error().what);
    return run(call);
}

}  // namespace
}  // namespace smtpd::tools

int main(int argc, char** argv) {
    try {
        return smtpd::tools::run(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const std::exception& exception) { return smtpd::tools::complain(exception.what()); }
}
