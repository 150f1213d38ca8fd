#include "support/process_mutex.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace smtpd::support {

ProcessMutex::ProcessMutex() noexcept {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

ProcessMutex::Got ProcessMutex::lock_until(Time limit) noexcept {
    int status = pthread_mutex_trylock(&mutex_);
    if (status == EBUSY) {
        // POSIX supports only the adjustable clock here.
        const auto left = std::max(limit - std::chrono::steady_clock::now(),
                                   std::chrono::steady_clock::duration::zero());
        timespec until{};
        clock_gettime(CLOCK_REALTIME, &until);
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count() + until.tv_nsec;
        until.tv_sec += static_cast<std::time_t>(nanoseconds / 1'000'000'000);
        until.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
        status = pthread_mutex_timedlock(&mutex_, &until);
#ifdef __SANITIZE_THREAD__
        // The sanitizer's pthread_mutex_timedlock() takes EOWNERDEAD for a failure, unlike its pthread_mutex_trylock().
        if (status == EOWNERDEAD) {
            __tsan_mutex_pre_lock(&mutex_, __tsan_mutex_try_lock);
            __tsan_mutex_post_lock(&mutex_, __tsan_mutex_try_lock, 0);
        }
#endif
    }
    return got(status);
}

}  // namespace smtpd::support
