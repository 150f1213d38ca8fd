/// command.h: what the commands for administrators have in common: help, complaints, exit statuses.
#pragma once

#include <functional>
#include <optional>
#include <string>
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

/// The whole of main(). `run` is given the words behind the command's name and returns the exit status, or nothing when
/// they are no call of it, which prints `help`; so does --help. What it throws is a complaint.
int run_command(int argc, char** argv, const std::string& help,
                const std::function<std::optional<int>(std::vector<std::string>)>& run);

}  // namespace smtpd::tools
