/// program.h: programs that plugins run. A program is started directly, without a shell, and ends with its owner unless
/// the owner lets it go.
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

/// A running program. The destructor kills it (SIGKILL) unless it has ended or was let go, but does not wait for its
/// end: a thread of the server does that, and kills it again if necessary. So a program that the server's user may not
/// kill (one started with sudo) delays nothing. Used by one thread at a time.
class SMTPD_API Program {
public:
    struct Start {
        std::vector<std::string> words;                         ///< path and arguments; no shell interprets them
        std::optional<std::vector<std::string>> environment{};  ///< "NAME=value"; nothing: the server's own environment
        /// Pairs of our descriptor and the program's, such as {pipe, 0}. Those of 0, 1 and 2 that are not named are
        /// /dev/null; the program gets no other descriptors.
        std::vector<std::pair<int, int>> descriptors{};
        /// The program gets its own process group, so that signals to the server's group (mpm_prefork's at a stop) do
        /// not end it. For a program that ends by itself at the end of its input.
        bool own_group = false;
    };
    /// Starts the program with no signal blocked or ignored, whatever the calling thread does. Also an Error while 64
    /// killed programs are still running.
    static Result<Program> start(const Start& how);
    ~Program();
    Program(Program&& other) noexcept : process_(std::exchange(other.process_, -1)) {}
    Program& operator=(Program&&) = delete;

    /// The exit status. An Error if a signal ended the program, if its status is lost, or if it has not ended by the
    /// deadline; in the last case it keeps running.
    Result<int> wait_until(std::chrono::steady_clock::time_point deadline);
    /// Lets the program finish its work: nothing waits for it, and it leaves no zombie.
    void let_go() noexcept;

private:
    Program() = default;

    int process_ = -1;  ///< process id; -1 = there is no process to wait for
};

/// A pipe: the end to read from and the end to write to, both close-on-exec.
SMTPD_API Result<std::pair<FileDescriptor, FileDescriptor>> make_pipe();

}  // namespace smtpd
