/// program.h: programs that plugins run, started directly and never left behind unless they are meant to be.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/files.h>
#include <smtpd/base/result.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace smtpd {

/// A program that is running. Its owner ends it (SIGKILL), unless it has ended or was let go, and does not wait for its
/// end: a thread of the server does, which also kills it again. So a program that the server's user may not kill (one
/// behind sudo) delays nobody. One thread at a time.
class SMTPD_API Program {
public:
    struct Start {
        std::vector<std::string> words;                         ///< its path and its arguments; no shell reads them
        std::optional<std::vector<std::string>> environment{};  ///< "NAME=value"; nothing: that of the server
        /// Ours and the program's, such as {pipe, 0}. Of 0, 1 and 2 those that are not named are /dev/null; it has no
        /// others.
        std::vector<std::pair<int, int>> descriptors{};
        /// Its process group is its own: signals to that of the server (mpm_prefork's at a stop) do not end it. For one
        /// that ends by itself, with its input.
        bool own_group = false;
    };
    /// Blocks no signals and ignores none, whatever the thread that starts it does. An Error, too, while 64 programs
    /// that were to be ended are still running.
    static Result<Program> start(const Start& how);
    ~Program();
    Program(Program&& other) noexcept : process_(std::exchange(other.process_, -1)) {}
    Program& operator=(Program&&) = delete;

    /// Its exit status. An Error when a signal has ended it, when its status is lost, or when it has not ended by then;
    /// it goes on in the last case.
    Result<int> wait_until(std::chrono::steady_clock::time_point deadline);
    /// It has work to finish: nobody waits for it, and no zombie stays behind.
    void let_go() noexcept;

private:
    Program() = default;

    int process_ = -1;  ///< its number; -1 when there is nothing to wait for
};

/// A pipe: the end to read from and the end to write to, both close-on-exec.
SMTPD_API Result<std::pair<FileDescriptor, FileDescriptor>> make_pipe();

}  // namespace smtpd
