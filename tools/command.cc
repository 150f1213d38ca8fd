/// command.cc: what the commands for administrators have in common.
#include "tools/command.h"

#include <smtpd/base/format.h>

#include <cstdio>
#include <exception>

namespace smtpd::tools {

void say(const std::string& line) { std::fputs((line + "\n").c_str(), stdout); }

int complain(const std::string& text, int status) {
    std::fputs(format_text("{}: {}\n", program, text).c_str(), stderr);
    return status;
}

int run_command(int argc, char** argv, const std::string& help,
                const std::function<std::optional<int>(std::vector<std::string>)>& run) {
    try {
        const std::vector<std::string> words(argv + 1, argv + argc);
        const bool wants_help = words.size() == 1 && (words[0] == "--help" || words[0] == "-h");
        if (!wants_help)
            if (const auto status = run(words)) return *status;
        std::fputs(help.c_str(), wants_help ? stdout : stderr);
        return wants_help ? good : failed;
    } catch (const std::exception& exception) { return complain(exception.what()); }
}

}  // namespace smtpd::tools
