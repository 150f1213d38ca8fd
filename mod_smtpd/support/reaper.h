/// reaper.h: waits for processes that nobody waits for any more, so that none of them stays behind as a zombie.
///
/// The owner of a process hands it over and goes on at once. One thread, started with the first process, looks after
/// all of them: again and again it asks the system whether they have ended, and kills those that are to be ended. It
/// uses no SIGCHLD, which belongs to httpd, and no descriptors. A process that this one may not kill (sudo's, which
/// runs as root) or that does not die (it waits for a disk) is waited for as long as it takes.
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

    /// A child of this process: kills it, now and as often as it takes. Returns at once.
    void end(pid_t process) noexcept { add(process, true); }
    /// A child of this process that has work to finish. Returns at once.
    void await(pid_t process) noexcept { add(process, false); }
    /// How many processes that were to be ended have not ended yet.
    std::size_t unkilled() noexcept;
    /// How many processes it looks after.
    std::size_t size() noexcept;

    /// Ends the thread. Processes that have not ended are left to the system, which does the same for those that are
    /// handed over from now on.
    void stop() noexcept;

private:
    using Clock = std::chrono::steady_clock;
    struct Entry {
        pid_t process;
        bool is_to_end;
        Clock::duration pause;  ///< until the next look; it doubles each time
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

/// The one of this process. It stops when the process ends or the code is unloaded.
Reaper& reaper() noexcept;

}  // namespace smtpd::support
