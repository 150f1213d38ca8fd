/// store_fixture.h: the back ends for tests, with a common interface, and processes that a test starts.
#pragma once

#include "fakes/fake_clock.h"
#include "fakes/fake_store.h"
#include "fakes/private_redis.h"
#include "fakes/temp_directory.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/redis_store.h"

#include <cppunit/TestAssert.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::store {

using namespace std::chrono_literals;

inline Limit soon(Duration time = 5s) { return std::chrono::steady_clock::now() + time; }

/// The value, or the test fails with what the Error says.
template <class T>
T must(Result<T> result) {
    if (!result) CPPUNIT_FAIL(result.error().what);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Runs `body` in a process of its own, which ends with 0 if it returns true.
inline pid_t start_process(const std::function<bool()>& body) {
    const pid_t process = ::fork();
    if (process != 0) return process;
    bool is_good = false;
    try {
        is_good = body();
    } catch (...) {}
    ::_exit(is_good ? 0 : 1);
}
/// How it ended: its exit status, or 128 and the signal.
inline int wait_for(pid_t process) {
    int status = 0;
    ::waitpid(process, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A kind of back end: how one is made, and how time passes for it. make() makes another one for the same entries.
class FileKind {
public:
    static constexpr const char* name = "file";
    static bool is_available() { return true; }
    std::unique_ptr<Backend> make(Duration timeout = 5s) {
        return std::make_unique<FileStore>(directory.path("store"), FileStore::least_size * 4, timeout, clock, events);
    }
    void pass(Duration time) { clock.advance(time); }

    fakes::TempDirectory directory;
    fakes::FakeClock clock;
    fakes::FakeStoreEvents events;
};

class MemoryKind {
public:
    static constexpr const char* name = "memory";
    static bool is_available() { return true; }
    ~MemoryKind() { MemoryStore::unmap(table_); }
    std::unique_ptr<Backend> make(Duration timeout = 5s) {
        auto backend = std::make_unique<MemoryStore>(size, timeout, clock);
        backend->attach(table_);
        return backend;
    }
    void pass(Duration time) { clock.advance(time); }

    static constexpr std::size_t size = 4 * 1024 * 1024;
    fakes::FakeClock clock;

private:
    void* const table_ = MemoryStore::map(size);
};

class RedisKind {
public:
    static constexpr const char* name = "redis";
    static bool is_available() { return fakes::PrivateRedis::is_installed(); }
    std::unique_ptr<Backend> make(Duration timeout = 5s) {
        RedisSettings settings;
        settings.server.path = redis.path();
        settings.timeout = timeout;
        return std::make_unique<RedisStore>(settings, events);
    }
    void pass(Duration time) { std::this_thread::sleep_for(time + 2ms); }

    fakes::PrivateRedis redis;
    fakes::FakeStoreEvents events;
};

}  // namespace smtpd::store
