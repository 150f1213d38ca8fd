/// log_queue_test.cc: callers that add a line never wait; lines keep their order; the queue counts dropped lines; at
/// the end it writes all lines.
#include "fakes/fake_log.h"
#include "support/log_queues.h"

#include <smtpd/backend/program.h>
#include <smtpd/base/files.h>
#include <smtpd/server/log_queue.h>

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace smtpd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

constexpr ByteCount small{16 << 10};

LogLine line(std::string_view text, LogLevel level = LogLevel::info) {
    LogLine made;
    made.level = level;
    made.session = "k3f9a2";
    made.transaction = "k3f9a2-1";
    made.hook = "rcpt";
    made.plugin = "rcpt_ok";
    made.client = "192.0.2.1";
    made.text = text;
    return made;
}

/// Keeps the lines; waits until its gate is open.
class FakeWriter final : public LogQueue::Writer {
public:
    bool write(const LogQueue::Line& line, LogQueue::Wait& wait) override {
        while (!is_open_)
            if (!wait.pause(milliseconds(1))) return false;
        if (throws_) throw std::runtime_error("broken");
        if (fails_) return false;
        const std::lock_guard lock(mutex_);
        texts_.push_back(line.line.to_string() + (line.target.empty() ? "" : " > " + line.target));
        return true;
    }
    void idle() override { ++idle_; }

    void open(bool is_open = true) { is_open_ = is_open; }
    void fail() { fails_ = true; }
    void throw_always() { throws_ = true; }
    int idle_calls() const { return idle_; }
    std::vector<std::string> texts() const {
        const std::lock_guard lock(mutex_);
        return texts_;
    }

private:
    std::atomic<bool> is_open_{true}, fails_{false}, throws_{false};
    std::atomic<int> idle_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> texts_;
};

class LogQueueTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogQueueTest);
    CPPUNIT_TEST(lines_come_whole_and_in_order);
    CPPUNIT_TEST(lines_of_several_threads_all_come);
    CPPUNIT_TEST(who_adds_does_not_wait_and_what_is_dropped_is_counted_once);
    CPPUNIT_TEST(lines_are_taken_again_when_half_is_free);
    CPPUNIT_TEST(one_line_is_taken_however_long_it_is);
    CPPUNIT_TEST(what_cannot_be_written_goes_to_the_server);
    CPPUNIT_TEST(an_exception_is_reported_once);
    CPPUNIT_TEST(a_stop_writes_everything);
    CPPUNIT_TEST(a_stop_gives_up_where_nothing_is_taken);
    CPPUNIT_TEST(a_stop_waits_for_a_slow_reader_as_long_as_it_reads);
    CPPUNIT_TEST(without_a_thread_the_end_writes);
    CPPUNIT_TEST(all_queues_are_stopped_at_the_same_time);
    CPPUNIT_TEST(behind_the_stop_lines_go_to_the_server);
    CPPUNIT_TEST(a_wait_writes_to_a_pipe_that_is_full_for_a_while);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeLog log_;
    FakeWriter writer_;

    static void settle() { CPPUNIT_ASSERT(support::settle_log_queues(seconds(20))); }
    /// With its thread.
    std::unique_ptr<LogQueue> queue(ByteCount limit = small) {
        auto made = std::make_unique<LogQueue>("logging/fake", writer_, log_, limit);
        made->start();
        return made;
    }
    static void add(LogQueue& queue, std::string_view text, LogLevel level = LogLevel::info) {
        queue.add({}, line(text, level));
    }
    static std::string shown(std::string_view text) { return line(text).to_string(); }

public:
    void lines_come_whole_and_in_order() {
        const auto lines = queue();
        lines->add({}, line("one"), "first");
        lines->add({}, line(""));
        add(*lines, "three");
        settle();
        CPPUNIT_ASSERT(writer_.texts() ==
                       std::vector<std::string>({shown("one") + " > first", shown(""), shown("three")}));
        CPPUNIT_ASSERT(writer_.idle_calls() >= 1);
        CPPUNIT_ASSERT(log_.lines().empty());
    }

    void lines_of_several_threads_all_come() {
        const auto lines = queue({10 << 20});
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&lines] {
                for (int j = 0; j < 500; ++j) add(*lines, "x");
            });
        for (auto& thread : threads) thread.join();
        settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2000), writer_.texts().size());
    }

    void who_adds_does_not_wait_and_what_is_dropped_is_counted_once() {
        const auto lines = queue();
        writer_.open(false);
        const auto began = SteadyClock::now();
        for (int i = 0; i < 1000; ++i) add(*lines, std::to_string(i));
        CPPUNIT_ASSERT(SteadyClock::now() - began < seconds(2));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.count("SMTPD0070"));
        writer_.open();
        settle();
        const auto texts = writer_.texts();
        const std::size_t kept = texts.size() - 1;
        CPPUNIT_ASSERT(kept > 20 && kept < 200);  // of about 16 KB
        for (std::size_t i = 0; i < kept; ++i) CPPUNIT_ASSERT_EQUAL(shown(std::to_string(i)), texts[i]);
        const auto dropped = std::to_string(1000 - kept) + " lines were dropped";
        CPPUNIT_ASSERT_EQUAL("(logging) logging/fake: " + dropped, texts.back());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.count("SMTPD0071: " + dropped));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), log_.lines().size());
        add(*lines, "again");
        settle();
        CPPUNIT_ASSERT_EQUAL(shown("again"), writer_.texts().back());
    }

    void lines_are_taken_again_when_half_is_free() {
        const auto lines = queue();
        writer_.open(false);
        for (int i = 0; i < 1000; ++i) add(*lines, "x");
        writer_.open();
        settle();
        const auto written = writer_.texts().size();
        CPPUNIT_ASSERT(writer_.texts().back().ends_with(" lines were dropped"));
        for (int i = 0; i < 3; ++i) add(*lines, "y");
        settle();
        CPPUNIT_ASSERT_EQUAL(written + 3, writer_.texts().size());
    }

    void one_line_is_taken_however_long_it_is() {
        const auto lines = queue();
        add(*lines, std::string(1 << 20, 'x'));
        settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), writer_.texts().size());
    }

    /// The server's log already has warnings.
    void what_cannot_be_written_goes_to_the_server() {
        const auto lines = queue();
        writer_.fail();
        add(*lines, "info");
        add(*lines, "warning", LogLevel::warning);
        settle();
        CPPUNIT_ASSERT_EQUAL(std::string("(rcpt) rcpt_ok: info\n"), log_.to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("k3f9a2-1"), log_.lines().front().transaction);
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.1"), log_.lines().front().client);
    }

    void an_exception_is_reported_once() {
        const auto lines = queue();
        writer_.throw_always();
        for (int i = 0; i < 3; ++i) add(*lines, "kept");
        settle();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.count("logging/fake: plugin fault: broken (reported once)"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), log_.count("rcpt_ok: kept"));
    }

    void a_stop_writes_everything() {
        const auto lines = queue();
        writer_.open(false);
        for (int i = 0; i < 20; ++i) add(*lines, "x");
        std::thread later([this] {
            std::this_thread::sleep_for(milliseconds(200));
            writer_.open();
        });
        lines->stop();
        later.join();
        CPPUNIT_ASSERT_EQUAL(std::size_t(20), writer_.texts().size());
        CPPUNIT_ASSERT(log_.lines().empty());
    }

    void a_stop_gives_up_where_nothing_is_taken() {
        const auto lines = queue();
        writer_.open(false);
        for (int i = 0; i < 1000; ++i) add(*lines, "x");
        const auto began = SteadyClock::now();
        lines->stop();
        const auto time = SteadyClock::now() - began;
        CPPUNIT_ASSERT(time > milliseconds(1500) && time < seconds(10));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), log_.count("SMTPD0072: 1000 lines were lost"));
    }

    void a_stop_waits_for_a_slow_reader_as_long_as_it_reads() {
        auto pipe = make_pipe();
        fcntl(pipe->second.get(), F_SETFL, O_NONBLOCK);
        fcntl(pipe->second.get(), F_SETPIPE_SZ, 4096);
        class PipeWriter final : public LogQueue::Writer {
        public:
            explicit PipeWriter(int pipe) : pipe_(pipe) {}
            bool write(const LogQueue::Line& line, LogQueue::Wait& wait) override {
                return bool(wait.write(pipe_, line.line.text));
            }

        private:
            const int pipe_;
        } writer(pipe->second.get());
        LogQueue lines("logging/fake", writer, log_, {1 << 20});
        lines.start();
        for (int i = 0; i < 8; ++i) add(lines, std::string(4096, 'x'));
        std::thread reader([&pipe] {
            char buffer[4096];
            for (std::size_t left = 8 * 4096; left > 0;) {
                std::this_thread::sleep_for(milliseconds(400));
                left -= static_cast<std::size_t>(::read(pipe->first.get(), buffer, sizeof buffer));
            }
        });
        const auto began = SteadyClock::now();
        lines.stop();
        CPPUNIT_ASSERT(SteadyClock::now() - began > milliseconds(2100));
        reader.join();
        CPPUNIT_ASSERT(log_.lines().empty());
    }

    void without_a_thread_the_end_writes() {
        {
            LogQueue lines("logging/fake", writer_, log_, small);
            add(lines, "x");
            CPPUNIT_ASSERT(writer_.texts().empty());
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), writer_.texts().size());
    }

    void all_queues_are_stopped_at_the_same_time() {
        const auto one = queue(), two = queue(), three = queue();
        writer_.open(false);
        for (auto* const lines : {one.get(), two.get(), three.get()}) add(*lines, "x");
        const auto began = SteadyClock::now();
        support::stop_log_queues();
        CPPUNIT_ASSERT(SteadyClock::now() - began < seconds(4));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), log_.count("SMTPD0072: 1 line was lost"));
    }

    void behind_the_stop_lines_go_to_the_server() {
        const auto lines = queue();
        lines->stop();
        lines->stop();
        add(*lines, "late");
        add(*lines, "warning", LogLevel::warning);
        CPPUNIT_ASSERT_EQUAL(std::string("(rcpt) rcpt_ok: late\n"), log_.to_string());
    }

    void a_wait_writes_to_a_pipe_that_is_full_for_a_while() {
        class Waiting final : public LogQueue::Wait {
        public:
            explicit Waiting(int reader) : reader_(reader) {}
            bool until_writable(int) override {
                char buffer[65536];
                received += static_cast<std::size_t>(::read(reader_, buffer, sizeof buffer));
                return received < 300'000;
            }
            bool pause(milliseconds) override { return true; }
            std::size_t received = 0;

        private:
            const int reader_;
        };
        auto pipe = make_pipe();
        fcntl(pipe->second.get(), F_SETFL, O_NONBLOCK);
        Waiting wait(pipe->first.get());
        CPPUNIT_ASSERT(wait.write(pipe->second.get(), std::string(200'000, 'x')));
        const auto given_up = wait.write(pipe->second.get(), std::string(500'000, 'x'));
        CPPUNIT_ASSERT(!given_up && given_up.error().code == ErrorCode::timeout);
        pipe->first.close();
        const auto before = signal(SIGPIPE, SIG_IGN);
        const auto closed = wait.write(pipe->second.get(), "x");
        signal(SIGPIPE, before);
        CPPUNIT_ASSERT(!closed && closed.error().os_status == EPIPE);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LogQueueTest);

}  // namespace
}  // namespace smtpd
