/// fair_process_lock_test.cc: processes get the lock in turn, and none waits for a dead process.
#include "store/fair_process_lock.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::store {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// The messages between the processes of a test.
struct Shared {
    std::atomic<int> entries{0};
    std::atomic<bool> is_in{false};
    std::atomic<bool> is_over{false};
};

class FairProcessLockTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FairProcessLockTest);
    CPPUNIT_TEST(who_has_just_been_in_is_behind_who_waits);
    CPPUNIT_TEST(one_at_a_time_is_in);
    CPPUNIT_TEST(waiting_has_an_end);
    CPPUNIT_TEST(the_dead_keep_nobody_out);
    CPPUNIT_TEST(who_does_not_wait_gets_in_only_where_nobody_is);
    CPPUNIT_TEST(without_one_the_way_is_free);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        process_lock_ = FairProcessLock::map();
        shared_ = new (mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared;
    }
    void tearDown() override {
        shared_->is_over = true;
        if (child_ > 0) waitpid(child_, nullptr, 0);
        child_ = 0;
        FairProcessLock::unmap(process_lock_);
        munmap(shared_, sizeof(Shared));
    }

    /// The other process releases the lock only to take it again at once: with a mutex alone, this one would hardly
    /// ever get it.
    void who_has_just_been_in_is_behind_who_waits() {
        constexpr int times = 20;
        be_another([&] {
            while (!shared_->is_over && process_lock_->lock_until(soon())) {
                ++shared_->entries;
                std::this_thread::sleep_for(2ms);
                process_lock_->unlock();
            }
        });
        wait_for([&] { return shared_->entries > 0; });
        const int before = shared_->entries;
        for (int i = 0; i < times; ++i) {
            CPPUNIT_ASSERT(process_lock_->lock_until(soon()));
            process_lock_->unlock();
        }
        const int others = shared_->entries - before;
        CPPUNIT_ASSERT_MESSAGE(std::to_string(others), others <= 10 * times);
    }

    void one_at_a_time_is_in() {
        const auto work = [this] {
            for (int i = 0; i < 2000 && process_lock_->lock_until(soon()); ++i) {
                const int entries = shared_->entries;
                if (i % 100 == 0) std::this_thread::yield();
                shared_->entries = entries + 1;
                process_lock_->unlock();
            }
        };
        be_another(work);
        work();
        end_of_the_other();
        CPPUNIT_ASSERT_EQUAL(4000, shared_->entries.load());
    }

    void waiting_has_an_end() {
        be_another([&] {
            if (!process_lock_->lock_until(soon())) return;
            shared_->is_in = true;
            while (!shared_->is_over) std::this_thread::sleep_for(1ms);
            process_lock_->unlock();
        });
        wait_for([&] { return shared_->is_in.load(); });
        for (int i = 0; i < 3; ++i) {  // who gave up holds nothing back
            const auto began = Clock::now();
            CPPUNIT_ASSERT(!process_lock_->lock_until(began + 50ms));
            CPPUNIT_ASSERT(Clock::now() - began >= 50ms);
        }
        shared_->is_over = true;
        CPPUNIT_ASSERT(process_lock_->lock_until(soon()));
        process_lock_->unlock();
    }

    void the_dead_keep_nobody_out() {
        for (int i = 0; i < 3; ++i) {
            shared_->is_in = false;
            be_another([&] {
                shared_->is_in = process_lock_->lock_until(soon());
                pause();
            });
            wait_for([&] { return shared_->is_in.load(); });
            kill(child_, SIGKILL);
            CPPUNIT_ASSERT(process_lock_->lock_until(soon()));
            process_lock_->unlock();
            end_of_the_other();
        }
    }

    void who_does_not_wait_gets_in_only_where_nobody_is() {
        be_another([&] {
            if (!process_lock_->try_lock()) return;
            shared_->is_in = true;
            while (!shared_->is_over) std::this_thread::sleep_for(1ms);
            process_lock_->unlock();
        });
        wait_for([&] { return shared_->is_in.load(); });
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT(!process_lock_->try_lock());
        shared_->is_over = true;
        end_of_the_other();
        CPPUNIT_ASSERT(process_lock_->try_lock());
        CPPUNIT_ASSERT(!process_lock_->try_lock());
        process_lock_->unlock();
        shared_->is_in = false;
        be_another([&] {
            shared_->is_in = process_lock_->try_lock();
            pause();
        });
        wait_for([&] { return shared_->is_in.load(); });
        kill(child_, SIGKILL);
        end_of_the_other();
        for (int i = 0; i < 2; ++i) {  // the dead keep nobody out
            CPPUNIT_ASSERT(process_lock_->try_lock());
            process_lock_->unlock();
        }
    }

    void without_one_the_way_is_free() {
        const FairProcessLock::Guard guard(nullptr, Clock::now());
        CPPUNIT_ASSERT(static_cast<bool>(guard));
        {
            const FairProcessLock::Guard first(process_lock_, soon());
            CPPUNIT_ASSERT(static_cast<bool>(first));
        }
        const FairProcessLock::Guard second(process_lock_, Clock::now());
        CPPUNIT_ASSERT(static_cast<bool>(second));
    }

private:
    static FairProcessLock::Time soon() { return Clock::now() + 60s; }

    void be_another(const std::function<void()>& body) {
        child_ = fork();
        if (child_ != 0) return;
        body();
        _exit(0);
    }
    void end_of_the_other() { waitpid(std::exchange(child_, 0), nullptr, 0); }
    static void wait_for(const std::function<bool()>& condition) {
        for (const auto limit = soon(); !condition();) {
            CPPUNIT_ASSERT(Clock::now() < limit);
            std::this_thread::sleep_for(1ms);
        }
    }

    FairProcessLock* process_lock_ = nullptr;
    Shared* shared_ = nullptr;
    pid_t child_ = 0;
};
CPPUNIT_TEST_SUITE_REGISTRATION(FairProcessLockTest);

}  // namespace
}  // namespace smtpd::store
