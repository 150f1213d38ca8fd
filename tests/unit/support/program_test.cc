/// program_test.cc: programs that the server starts, waits for and ends.
#include <smtpd/backend/program.h>

#include <cppunit/extensions/HelperMacros.h>

#include <csignal>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace smtpd {
namespace {

using std::string;
using std::chrono::milliseconds;

class ProgramTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ProgramTest);
    CPPUNIT_TEST(its_status_is_told);
    CPPUNIT_TEST(what_cannot_be_started_is_an_error);
    CPPUNIT_TEST(it_has_the_descriptors_and_the_environment_that_it_was_given);
    CPPUNIT_TEST(it_ignores_no_signals);
    CPPUNIT_TEST(who_takes_too_long_is_ended_with_its_owner);
    CPPUNIT_TEST(who_is_let_go_goes_on);
    CPPUNIT_TEST(a_lost_status_is_an_error);
    CPPUNIT_TEST(it_has_a_process_group_of_its_own_where_that_is_wanted);
    CPPUNIT_TEST_SUITE_END();

    static std::chrono::steady_clock::time_point in(milliseconds time) {
        return std::chrono::steady_clock::now() + time;
    }
    static std::vector<string> shell(const string& script) { return {"/bin/sh", "-c", script}; }

    /// Everything from a pipe until its other end is closed.
    static string all_of(const FileDescriptor& output) {
        string text;
        char buffer[256];
        for (ssize_t got = 0; (got = read(output.get(), buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(got));
        return text;
    }

public:
    void its_status_is_told() {
        for (const int status : {0, 1, 111}) {
            auto program = Program::start({.words = shell("exit " + std::to_string(status))});
            const auto ended = program->wait_until(in(milliseconds(20'000)));
            CPPUNIT_ASSERT(ended);
            CPPUNIT_ASSERT_EQUAL(status, *ended);
        }
        auto killed = Program::start({.words = shell("kill -9 $$")});
        CPPUNIT_ASSERT_EQUAL(string("the program was ended by signal 9"),
                             killed->wait_until(in(milliseconds(20'000))).error().what);
    }

    void what_cannot_be_started_is_an_error() {
        const auto program = Program::start({.words = {"/no/such/program", "x"}});
        CPPUNIT_ASSERT_EQUAL(string("cannot start /no/such/program: No such file or directory"), program.error().what);
    }

    void it_has_the_descriptors_and_the_environment_that_it_was_given() {
        auto output = make_pipe(), input = make_pipe();
        const FileDescriptor inherited(fcntl(input->first.get(), F_DUPFD, 0));  // not close-on-exec
        CPPUNIT_ASSERT(write_all(input->second.get(), "from 3"));
        input->second.close();
        const string script = "cat <&3; echo \" $A$HOME\"; cat; [ -e /proc/$$/fd/" + std::to_string(inherited.get()) +
                              " ] && echo leak; echo lost >&2";
        auto program = Program::start({.words = shell(script),
                                       .environment = std::vector<string>{"A=a", "PATH=/usr/bin:/bin"},
                                       .descriptors = {{output->second.get(), 1}, {input->first.get(), 3}}});
        output->second.close();
        CPPUNIT_ASSERT_EQUAL(string("from 3 a\n"), all_of(output->first));
        CPPUNIT_ASSERT_EQUAL(0, *program->wait_until(in(milliseconds(20'000))));
    }

    void it_has_a_process_group_of_its_own_where_that_is_wanted() {
        for (const bool own : {false, true}) {
            auto output = make_pipe();
            auto program = Program::start({.words = shell("cut -d ' ' -f 5 /proc/$$/stat; echo $$"),
                                           .descriptors = {{output->second.get(), 1}},
                                           .own_group = own});
            output->second.close();
            std::istringstream text(all_of(output->first));
            pid_t group = 0, process = 0;
            text >> group >> process;
            CPPUNIT_ASSERT_EQUAL(own ? process : getpgrp(), group);
            CPPUNIT_ASSERT_EQUAL(0, *program->wait_until(in(milliseconds(20'000))));
        }
    }

    void it_ignores_no_signals() {
        const auto before = signal(SIGPIPE, SIG_IGN);
        auto program = Program::start({.words = shell("kill -PIPE $$; exit 3")});
        signal(SIGPIPE, before);
        CPPUNIT_ASSERT_EQUAL(string("the program was ended by signal 13"),
                             program->wait_until(in(milliseconds(20'000))).error().what);
    }

    void who_takes_too_long_is_ended_with_its_owner() {
        auto output = make_pipe();
        {
            auto program = Program::start({.words = {"/bin/sleep", "600"}, .descriptors = {{output->second.get(), 1}}});
            output->second.close();
            const auto ended = program->wait_until(in(milliseconds(50)));
            CPPUNIT_ASSERT(!ended && ended.error().code == ErrorCode::timeout);
        }
        CPPUNIT_ASSERT_EQUAL(string(), all_of(output->first));  // its end is closed
    }

    void who_is_let_go_goes_on() {
        auto input = make_pipe(), output = make_pipe();
        {
            auto program = Program::start(
                {.words = shell("cat"), .descriptors = {{input->first.get(), 0}, {output->second.get(), 1}}});
            output->second.close();
            program->let_go();
        }
        CPPUNIT_ASSERT(write_all(input->second.get(), "still here"));
        input->second.close();
        CPPUNIT_ASSERT_EQUAL(string("still here"), all_of(output->first));
    }

    /// If SIGCHLD is ignored, the system keeps no status. That must not look like 0, which for a checker of passwords
    /// means that the password is right.
    void a_lost_status_is_an_error() {
        const auto before = signal(SIGCHLD, SIG_IGN);
        auto program = Program::start({.words = shell("sleep 0.2; exit 1")});
        const auto ended = program->wait_until(in(milliseconds(20'000)));
        signal(SIGCHLD, before);
        CPPUNIT_ASSERT(!ended);
        CPPUNIT_ASSERT_EQUAL(string("the program's exit status is lost: No child processes"), ended.error().what);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ProgramTest);

}  // namespace
}  // namespace smtpd
