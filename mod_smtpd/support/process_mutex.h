/// process_mutex.h: a mutex in memory that several processes share. It survives whoever is killed with it in hand.
///
/// Lies in shared memory that is mapped before the processes are forked, is made once, and never destroyed: its octets
/// go with the memory.
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
        orphan,   ///< it is ours, but a process died with it: what it guards is to be mended, then mend() called.
                  ///< Without that, nobody gets it any more.
        nothing,  ///< not to be had by then
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
