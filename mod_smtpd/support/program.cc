/// program.cc: see program.h.
#include <smtpd/backend/program.h>

#include "support/reaper.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <type_traits>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd {
namespace {

static_assert(std::is_same_v<pid_t, int>, "program.h includes no system headers");

/// Prepares the new process before the program runs.
class Preparation {
public:
    explicit Preparation(const Program::Start& how) {
        const auto& descriptors = how.descriptors;
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
        int last = STDERR_FILENO;
        for (const auto& [ours, theirs] : descriptors) last = std::max(last, theirs);
        for (int theirs = 0; theirs <= last; ++theirs) {
            const auto named = std::find_if(descriptors.begin(), descriptors.end(),
                                            [theirs](const auto& pair) { return pair.second == theirs; });
            if (named != descriptors.end()) posix_spawn_file_actions_adddup2(&actions_, named->first, theirs);
            else if (theirs <= STDERR_FILENO)
                posix_spawn_file_actions_addopen(&actions_, theirs, "/dev/null",
                                                 theirs == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
        }
        posix_spawn_file_actions_addclosefrom_np(&actions_, last + 1);
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setflags(&attributes_, static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                                  (how.own_group ? POSIX_SPAWN_SETPGROUP : 0)));
    }
    ~Preparation() {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }
    Preparation(const Preparation&) = delete;
    Preparation& operator=(const Preparation&) = delete;

    int spawn(pid_t& process, const std::vector<std::string>& words,
              const std::optional<std::vector<std::string>>& environment) const {
        return posix_spawn(&process, words[0].c_str(), &actions_, &attributes_, pointers(words).data(),
                           environment ? pointers(*environment).data() : environ);
    }

private:
    static std::vector<char*> pointers(const std::vector<std::string>& texts) {
        std::vector<char*> out;
        for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
        out.push_back(nullptr);
        return out;
    }

    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

/// Killed programs that are still running. With this many, no more are started, because an administrator must
/// intervene.
constexpr std::size_t most_unkilled = 64;

/// The status that waitpid() returns for a process that has ended. Without one (if SIGCHLD is ignored) the status is
/// unknown, which is not 0.
Result<int> status_of_ended(pid_t process) {
    int status = 0;
    for (;;) {
        const pid_t ended = waitpid(process, &status, 0);
        if (ended == process) return status;
        if (errno != EINTR) return os_error("the program's exit status is lost", errno);
    }
}

}  // namespace

Result<Program> Program::start(const Start& how) {
    if (support::reaper().unkilled() >= most_unkilled)
        return Error{ErrorCode::unavailable,
                     format_text("cannot start {}: {} killed programs are still running", how.words[0], most_unkilled),
                     0};
    Program program;
    if (const int status = Preparation(how).spawn(program.process_, how.words, how.environment); status != 0) {
        program.process_ = -1;
        return os_error("cannot start " + how.words[0], status);
    }
    return program;
}

Program::~Program() {
    if (process_ > 0) support::reaper().end(process_);
}

Result<int> Program::wait_until(std::chrono::steady_clock::time_point deadline) {
    const FileDescriptor news(static_cast<int>(syscall(SYS_pidfd_open, process_, 0)));
    if (!news) return os_error("cannot watch the program", errno);
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        if (left <= 0) return Error{ErrorCode::timeout, "the program did not end in time", 0};
        pollfd wait{news.get(), POLLIN, 0};
        if (poll(&wait, 1, static_cast<int>(std::min<std::chrono::milliseconds::rep>(left, 60'000))) > 0) break;
    }
    const auto status = status_of_ended(std::exchange(process_, -1));
    if (!status) return status.error();
    if (!WIFEXITED(*status))
        return Error{ErrorCode::unavailable, format_text("the program was ended by signal {}", WTERMSIG(*status)), 0};
    return WEXITSTATUS(*status);
}

void Program::let_go() noexcept {
    if (process_ > 0) support::reaper().await(std::exchange(process_, -1));
}

Result<std::pair<FileDescriptor, FileDescriptor>> make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return os_error("cannot create a pipe", errno);
    return std::pair(FileDescriptor(ends[0]), FileDescriptor(ends[1]));
}

}  // namespace smtpd
