/// smtpd_auth.cc: the command smtpd-auth, which runs SPF, DKIM, ARC and DMARC without a server. See its manual page,
/// docs/smtpd-auth.1.
#include "support/edit_distance.h"
#include "tools/auth_command.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <cstdio>

namespace smtpd::tools {

const char program[] = "smtpd-auth";

namespace {

/// All subcommands, in the order of the help.
const std::vector<Subcommand>& subcommands() {
    static const std::vector<Subcommand> all{spf_subcommand(),       dkim_subcommand(),     dkim_sign_subcommand(),
                                             arc_subcommand(),       arc_seal_subcommand(), dmarc_subcommand(),
                                             orgdomain_subcommand(), check_subcommand(),    ar_parse_subcommand(),
                                             srs_subcommand()};
    return all;
}

/// "--ip ADDRESS", in brackets if the option is optional.
std::string shown(const AuthOption& option) {
    std::string text(option.name);
    if (!option.value.empty()) text += " " + std::string(option.value);
    if (option.use == AuthOption::Use::needed) return text;
    return "[" + text + "]" + (option.use == AuthOption::Use::repeated ? "..." : "");
}

std::string help_of(const Subcommand& command) {
    std::string call = format_text("usage: smtpd-auth {}", command.name);
    for (const auto& option : command.options)
        if (option.use == AuthOption::Use::needed) call += " " + shown(option);
    call += " [OPTION]...";
    if (!command.words.empty()) call += " " + std::string(command.words);
    std::string text = format_text("{}\n\n{}\n\n", call, command.help);
    for (const auto& option : command.options) {
        std::string name(option.name);
        if (!option.value.empty()) name += " " + std::string(option.value);
        name.resize(std::max<std::size_t>(name.size(), 24), ' ');
        text += format_text("  {} {}\n", name, option.help);
    }
    return text;
}

std::string help() {
    std::string text =
        "usage: smtpd-auth COMMAND [OPTION]...\n"
        "       smtpd-auth COMMAND --help\n"
        "       smtpd-auth --version | --help\n"
        "\n";
    for (const auto& command : subcommands()) {
        std::string name(command.name);
        name.resize(std::max<std::size_t>(name.size(), 12), ' ');
        text += format_text("  {} {}\n", name, command.help);
    }
    return text +
           "\n"
           "Options of all commands:\n"
           "  --resolver HOST:PORT     asks this name server instead of the system's\n"
           "  --zone FILE              what the DNS says: a master file, or JSON {\"zonedata\": …}\n"
           "  --now EPOCH              the time, in seconds since 1970\n"
           "  --timeout SECONDS        how long to wait for the DNS (20)\n"
           "\n"
           "The result is one line of JSON. Exit status: 0 for every result, 64 and up if there is none.\n";
}

int run(const std::vector<std::string>& words) {
    const auto& all = subcommands();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Subcommand& command) { return command.name == words[0]; });
    if (words[0].starts_with('-'))
        return complain(format_text("unknown option \"{}\" before the command; --help lists them", quoted(words[0])),
                        usage_error);
    if (found == all.end()) {
        std::vector<std::string> names;
        for (const auto& command : all) names.emplace_back(command.name);
        return complain(format_text("unknown command \"{}\"{}; --help lists the commands", quoted(words[0]),
                                    support::did_you_mean(words[0], names)),
                        usage_error);
    }
    if (words.size() == 2 && (words[1] == "--help" || words[1] == "-h")) {
        std::fputs(help_of(*found).c_str(), stdout);
        return good;
    }
    AuthCall call(*found, {words.begin() + 1, words.end()});
    return found->run(call);
}

}  // namespace
}  // namespace smtpd::tools

int main(int argc, char** argv) {
    return smtpd::tools::run_auth_program(argc, argv, smtpd::tools::help, smtpd::tools::run);
}
