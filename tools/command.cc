/// command.cc: what the commands for administrators have in common.
#include "tools/command.h"

#include "support/edit_distance.h"
#include "tools/version.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <cstdio>
#include <exception>

namespace smtpd::tools {

void say(const std::string& line) { std::fputs((line + "\n").c_str(), stdout); }

int complain(const std::string& text, int status) {
    std::fputs(format_text("{}: {}\n", program, text).c_str(), stderr);
    return status;
}

std::string mistake_in(std::span<const Form> forms, const std::string& command, const std::vector<std::string>& words) {
    if (command.starts_with('-'))
        return format_text("unknown option \"{}\"; --help lists the options", quoted(command));
    const auto form = std::find_if(forms.begin(), forms.end(), [&](const Form& one) { return one.name == command; });
    if (form == forms.end()) {
        std::vector<std::string> names;
        for (const auto& one : forms) names.emplace_back(one.name);
        return format_text("unknown command \"{}\"{}; --help lists the commands", quoted(command),
                           support::did_you_mean(command, names));
    }
    const std::string takes = form->words.empty() ? format_text("{} takes nothing more", form->name)
                                                  : format_text("{} takes {}", form->name, form->words);
    if (words.size() < form->least) return format_text("a word is missing: {}", takes);
    if (words.size() > form->most) return format_text("unexpected word \"{}\": {}", quoted(words[form->most]), takes);
    return {};
}

int run_command(int argc, char** argv, const std::string& help,
                const std::function<int(std::vector<std::string>)>& run) {
    try {
        const std::vector<std::string> words(argv + 1, argv + argc);
        const bool is_single = words.size() == 1;
        if (is_single && words[0] == "--version") return show_version(program), good;
        const bool wants_help = is_single && (words[0] == "--help" || words[0] == "-h");
        if (!words.empty() && !wants_help) return run(words);
        std::fputs(help.c_str(), wants_help ? stdout : stderr);
        return wants_help ? good : failed;
    } catch (const std::exception& exception) { return complain(exception.what()); }
}

}  // namespace smtpd::tools
