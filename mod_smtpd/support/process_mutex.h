/// process_mutex.h: a mutex in memory that several processes share. It survives a process that is killed while it holds
/// the mutex.
///
/// It must be in shared memory that is mapped before the processes are forked; it is created once, and never destroyed:
/// it disappears with the memory.
#pragma once

#include <cerrno>
#include <chrono>

#include <pthread.h>

namespace smtpd::support {

class ProcessMutex {
public:
    using Time = std::chrono::steady_clock::time_point;
    enum class Got {
        it,
        orphan,   ///< acquired, but a process died while it held it: repair what it guards, then call mend(). Otherwise
                  ///< it can never be acquired again.
        nothing,  ///< not acquired in time
    };

    ProcessMutex() noexcept;
    ProcessMutex(const ProcessMutex&) = delete;
    ProcessMutex& operator=(const ProcessMutex&) = delete;

    Got lock_until(Time limit) noexcept;
    Got try_lock() noexcept { return got(pthread_mutex_trylock(&mutex_)); }
    void mend() noexcept { pthread_mutex_consistent(&mutex_); }
    void unlock() noexcept { pthread_mutex_unlock(&mutex_); }

private:
    static Got got(int status) noexcept {
        return status == 0 ? Got::it : status == EOWNERDEAD ? Got::orphan : Got::nothing;
    }

    pthread_mutex_t mutex_;
};

}  // namespace smtpd::support
