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
constexpr int not_all = 1;  ///< a requested entry does not exist, or the command did not understand it
constexpr int failed = 2;

/// Prints a line to standard output.
void say(const std::string& line);
/// Prints "PROGRAM: text" to standard error, and returns the exit status.
int complain(const std::string& text, int status = failed);

/// The syntax of one command of a program.
struct Form {
    std::string_view name;
    std::string_view words;  ///< "NAMESPACE [PREFIX]"
    std::size_t least;
    std::size_t most;
};
constexpr std::size_t any_number = 1000000;

/// The mistake in a call: an unknown, unexpected or missing word. "" if the call is right.
std::string mistake_in(std::span<const Form> forms, const std::string& command, const std::vector<std::string>& words);

/// The body of main(). `run` gets the words after the program's name and returns the exit status. Without words, and
/// with --help, prints `help`; with --version, the version. Reports an exception from `run` as a complaint.
int run_command(int argc, char** argv, const std::string& help,
                const std::function<int(std::vector<std::string>)>& run);

}  // namespace smtpd::tools
