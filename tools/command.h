/// command.h: what the commands for administrators have in common: help, complaints, exit statuses.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::tools {

/// "smtpd-store": each command defines its own.
extern const char program[];

/// Exit statuses.
constexpr int good = 0;
constexpr int not_all = 1;  ///< something that was asked for is not there, or was not understood
constexpr int failed = 2;

/// Prints a line where results go.
void say(const std::string& line);
/// Prints "PROGRAM: text" where errors go, and gives the exit status that follows from it.
int complain(const std::string& text, int status = failed);

/// How one command of a program is called.
struct Form {
    std::string_view name;
    std::string_view words;  ///< "NAMESPACE [PREFIX]"
    std::size_t least;
    std::size_t most;
};
constexpr std::size_t any_number = 1000000;

/// What is wrong with a call: the word that is unknown, unexpected or missing; "" if nothing is.
std::string mistake_in(std::span<const Form> forms, const std::string& command, const std::vector<std::string>& words);

/// The whole of main(). `run` is given the words behind the program's name and returns the exit status. Without words,
/// and with --help, `help` is printed; --version prints the version. What it throws is a complaint.
int run_command(int argc, char** argv, const std::string& help,
                const std::function<int(std::vector<std::string>)>& run);

}  // namespace smtpd::tools
