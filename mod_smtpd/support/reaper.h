/// reaper.h: waits for child processes that their owners have released, so that none remains as a zombie.
///
/// The owner of a process hands it over and continues at once. One thread, started with the first process, watches all
/// of them: it repeatedly asks the system whether they have ended, and kills those that must end. It uses no SIGCHLD,
/// which belongs to httpd, and no descriptors. If a process may not be killed (one of sudo, which runs as root) or does
/// not die (it waits for a disk), the thread waits for as long as it takes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace smtpd::support {

/// Thread-safe.
class Reaper {
public:
    using Kill = std::function<void(pid_t)>;

    Reaper();
    /// For tests: `kill` is called instead of kill(process, SIGKILL).
    explicit Reaper(Kill kill);
    ~Reaper() { stop(); }
    Reaper(const Reaper&) = delete;
    Reaper& operator=(const Reaper&) = delete;

    /// Kills a child of this process, repeatedly if necessary. Returns at once.
    void end(pid_t process) noexcept { add(process, true); }
    /// Waits for a child of this process that has work to finish. Returns at once.
    void await(pid_t process) noexcept { add(process, false); }
    /// How many processes that must end have not ended yet.
    std::size_t unkilled() noexcept;
    /// How many processes are being watched.
    std::size_t size() noexcept;

    /// Ends the thread. Processes that have not ended are left to the system, as are those that are handed over from
    /// now on.
    void stop() noexcept;

private:
    using Clock = std::chrono::steady_clock;
    struct Entry {
        pid_t process;
        bool is_to_end;
        Clock::duration pause;  ///< until the next check; doubled each time
        Clock::time_point next;
    };

    void add(pid_t process, bool is_to_end) noexcept;
    bool has_ended(const Entry& entry) const noexcept;
    void look_locked(Clock::time_point now) noexcept;
    void start_locked() noexcept;
    void forget_parent_locked() noexcept;
    void run();

    const Kill kill_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Entry> entries_;
    std::thread thread_;
    pid_t owner_ = 0;  ///< the process that the thread runs in
    bool stopping_ = false;
};

/// The reaper of this process. It stops when the process ends or the code is unloaded.
Reaper& reaper() noexcept;

}  // namespace smtpd::support
