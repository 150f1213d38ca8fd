/// reaper_test.cc: the reaper kills its processes as often as necessary, and leaves no zombie.
#include "support/reaper.h"

#include <smtpd/backend/program.h>

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::support {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr uid_t nobody = 65534;

pid_t start(const std::string& script) {
    pid_t process = -1;
    std::string words[] = {"/bin/sh", "-c", script};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    CPPUNIT_ASSERT_EQUAL(0, posix_spawn(&process, "/bin/sh", nullptr, nullptr, arguments, environ));
    return process;
}

template <class Condition>
bool comes_true(Condition condition) {
    for (const auto end = Clock::now() + seconds(20); Clock::now() < end; std::this_thread::sleep_for(milliseconds(2)))
        if (condition()) return true;
    return false;
}

/// Whether the number is no longer a child of this process: it has ended and has been waited for.
bool is_reaped(pid_t process) {
    siginfo_t about{};
    return ::waitid(P_PID, static_cast<id_t>(process), &about, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

/// Gives this process the rights of an unprivileged user over root's processes.
class AsNobody {
public:
    AsNobody() { CPPUNIT_ASSERT_EQUAL(0, ::setresuid(nobody, nobody, 0)); }
    ~AsNobody() { CPPUNIT_ASSERT_EQUAL(0, ::setresuid(0, 0, 0)); }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;
};

class ReaperTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ReaperTest);
    CPPUNIT_TEST(who_is_to_end_is_killed_and_reaped);
    CPPUNIT_TEST(who_does_not_die_at_once_is_killed_again);
    CPPUNIT_TEST(who_has_work_to_finish_is_not_killed);
    CPPUNIT_TEST(many_threads_hand_over_processes);
    CPPUNIT_TEST(a_stop_waits_for_nobody);
    CPPUNIT_TEST(a_process_of_somebody_else_is_no_matter);
    CPPUNIT_TEST(a_program_that_may_not_be_killed_delays_nobody);
    CPPUNIT_TEST(programs_are_not_started_while_too_many_cannot_be_ended);
    CPPUNIT_TEST(a_program_that_was_let_go_leaves_no_zombie);
    CPPUNIT_TEST_SUITE_END();

public:
    void who_is_to_end_is_killed_and_reaped() {
        Reaper reaper;
        const pid_t process = start("exec sleep 600");
        reaper.end(process);
        CPPUNIT_ASSERT(comes_true([&] { return reaper.size() == 0; }));
        CPPUNIT_ASSERT(is_reaped(process));
    }

    /// Its first three kills are lost.
    void who_does_not_die_at_once_is_killed_again() {
        std::atomic<int> kills{0};
        Reaper reaper([&kills](pid_t process) {
            if (++kills > 3) ::kill(process, SIGKILL);
        });
        const pid_t process = start("exec sleep 600");
        const auto began = Clock::now();
        reaper.end(process);
        CPPUNIT_ASSERT(Clock::now() - began < seconds(1));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), reaper.unkilled());
        CPPUNIT_ASSERT(comes_true([&] { return reaper.size() == 0; }));
        CPPUNIT_ASSERT(kills >= 4);
        CPPUNIT_ASSERT(is_reaped(process));
    }

    void who_has_work_to_finish_is_not_killed() {
        std::atomic<int> kills{0};
        Reaper reaper([&kills](pid_t) { ++kills; });
        const pid_t process = start("sleep 0.2");
        reaper.await(process);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), reaper.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), reaper.unkilled());
        CPPUNIT_ASSERT(comes_true([&] { return reaper.size() == 0; }));
        CPPUNIT_ASSERT(is_reaped(process));
        CPPUNIT_ASSERT_EQUAL(0, kills.load());
    }

    void many_threads_hand_over_processes() {
        Reaper reaper;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&reaper, i] {
                for (int j = 0; j < 5; ++j)
                    (i + j) % 2 == 0 ? reaper.end(start("exec sleep 600")) : reaper.await(start("exit 1"));
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT(comes_true([&] { return reaper.size() == 0; }));
    }

    void a_stop_waits_for_nobody() {
        Reaper reaper([](pid_t) {});
        const pid_t process = start("exec sleep 600"), later = start("exec sleep 600");
        reaper.end(process);
        const auto began = Clock::now();
        reaper.stop();
        reaper.end(later);
        CPPUNIT_ASSERT(Clock::now() - began < seconds(2));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), reaper.size());
        for (const pid_t left : {process, later}) {
            ::kill(left, SIGKILL);
            CPPUNIT_ASSERT_EQUAL(left, ::waitpid(left, nullptr, 0));
        }
    }

    void a_process_of_somebody_else_is_no_matter() {
        std::atomic<int> kills{0};
        Reaper reaper([&kills](pid_t) { ++kills; });
        reaper.end(1);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), reaper.size());
        CPPUNIT_ASSERT_EQUAL(0, kills.load());
    }

    /// With the real kill(), which lacks permission. Root only: no other user can start a process that it may not kill.
    void a_program_that_may_not_be_killed_delays_nobody() {
        if (::geteuid() != 0) return;
        auto started = Program::start({.words = {"/bin/sleep", "600"}});
        std::optional<Program> program(std::move(*started));
        const auto began = Clock::now();
        {
            const AsNobody nobody;
            const auto ended = program->wait_until(began + milliseconds(50));
            CPPUNIT_ASSERT(!ended && ended.error().code == ErrorCode::timeout);
            program.reset();
            CPPUNIT_ASSERT(Clock::now() - began < seconds(5));
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), reaper().unkilled());
        }
        CPPUNIT_ASSERT(comes_true([] { return reaper().size() == 0; }));  // killed again, with the permission
    }

    void programs_are_not_started_while_too_many_cannot_be_ended() {
        if (::geteuid() != 0) return;
        std::vector<Program> programs;
        for (int i = 0; i < 64; ++i) {
            auto started = Program::start({.words = {"/bin/sleep", "600"}});
            programs.push_back(std::move(*started));
        }
        {
            const AsNobody nobody;
            programs.clear();
            const auto one_more = Program::start({.words = {"/bin/true"}});
            CPPUNIT_ASSERT(!one_more);
            CPPUNIT_ASSERT_EQUAL(std::string("cannot start /bin/true: 64 killed programs are still running"),
                                 one_more.error().what);
        }
        CPPUNIT_ASSERT(comes_true([] { return reaper().size() == 0; }));
        CPPUNIT_ASSERT(Program::start({.words = {"/bin/true"}}));
    }

    void a_program_that_was_let_go_leaves_no_zombie() {
        auto input = make_pipe();
        auto program = Program::start({.words = {"/bin/cat"}, .descriptors = {{input->first.get(), 0}}});
        program->let_go();
        CPPUNIT_ASSERT(reaper().size() > 0);
        input->second.close();
        CPPUNIT_ASSERT(comes_true([] { return reaper().size() == 0; }));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ReaperTest);

}  // namespace
}  // namespace smtpd::support
