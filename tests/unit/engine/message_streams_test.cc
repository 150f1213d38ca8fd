/// message_streams_test.cc: streams that read a message while it arrives: at once, or in separate threads and behind
/// the client.
#include "fakes/fake_tasks.h"
#include "fakes/session_under_test.h"

#include <smtpd/body_stream.h>

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <string>
#include <utility>

namespace smtpd::engine {
namespace {

using fakes::codes;
using fakes::SessionUnderTest;
using std::string;

constexpr Duration limit(5000);

/// Records its calls.
class Watcher final : public MessageObserver {
public:
    Watcher(string& seen, support::Lane* lane) : seen_(seen), lane_(lane) {}
    ~Watcher() override { seen_ += "gone"; }
    void chunk(std::string_view octets) noexcept override {
        octets.size() > 20 ? seen_ += std::to_string(octets.size()) + " " : (seen_ += octets) += " ";
    }
    void end() noexcept override { seen_ += "end "; }
    void abort() noexcept override { seen_ += "abort "; }
    support::Lane* lane() const noexcept override { return lane_; }
    Duration limit() const noexcept override { return engine::limit; }
    const string& name() const noexcept override { return name_; }

private:
    string& seen_;
    support::Lane* const lane_;
    const string name_ = "watcher";
};

class MessageStreamsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessageStreamsTest);
    CPPUNIT_TEST(a_stream_that_does_not_wait_is_called_at_once);
    CPPUNIT_TEST(a_message_that_is_not_complete_is_aborted);
    CPPUNIT_TEST(without_threads_all_are_called_at_once);
    CPPUNIT_TEST(a_stream_that_waits_is_called_by_one_thread_at_a_time);
    CPPUNIT_TEST(the_message_waits_for_the_end_of_its_streams);
    CPPUNIT_TEST(a_stream_that_ends_too_late_is_left_behind);
    CPPUNIT_TEST(a_client_waits_for_a_stream_that_lags);
    CPPUNIT_TEST(so_does_a_client_that_sends_chunks);
    CPPUNIT_TEST(a_stream_that_lags_for_too_long_is_left_behind);
    CPPUNIT_TEST(the_wait_does_not_count_against_the_client);
    CPPUNIT_TEST(the_end_of_the_session_is_told_by_the_thread);
    CPPUNIT_TEST_SUITE_END();

public:
    void setUp() override {
        client_.tasks = &tasks_;
        client_.hooks.accept_mail();
    }

    void a_stream_that_does_not_wait_is_called_at_once() {
        observe(nullptr);
        client_.begin_data();
        client_.feed("A: 1\r\n\r\n..x\r\n");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.feed(".\r\n")));
        CPPUNIT_ASSERT(seen_.starts_with("A: 1\r\n") && seen_.ends_with("end gone"));
        CPPUNIT_ASSERT(seen_.find("..x") == string::npos);
    }

    void a_message_that_is_not_complete_is_aborted() {
        observe(nullptr);
        client_.begin_data();
        client_.feed("A: 1\r\n");
        client_.abandon();
        CPPUNIT_ASSERT(seen_.ends_with("abort gone"));
        CPPUNIT_ASSERT(seen_.find("end") == string::npos);
    }

    void without_threads_all_are_called_at_once() {
        client_.tasks = nullptr;
        observe(&lane_);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.feed("A: 1\r\n.\r\n")));
        CPPUNIT_ASSERT(seen_.ends_with("end gone"));
    }

    void a_stream_that_waits_is_called_by_one_thread_at_a_time() {
        observe(&lane_);
        client_.begin_data();
        client_.feed("A: 1\r\n");
        client_.feed("B: 2\r\n");
        CPPUNIT_ASSERT_EQUAL(string(), seen_);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), tasks_.waiting.size());
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("A: 1\r\nB: 2\r\n "), seen_);
        client_.feed("C: 3\r\n");
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT(seen_.ends_with("C: 3\r\n "));
    }

    void the_message_waits_for_the_end_of_its_streams() {
        observe(&lane_);
        client_.hooks.watch(HookId::data_post_headers);
        client_.begin_data();
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("A: 1\r\n.\r\nNOOP\r\n"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT(client_.session().wake_at() == client_.clock.now() + limit);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), client_.hooks.count(HookId::data_post_headers));
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("250 250"), codes(client_.resume()));
        CPPUNIT_ASSERT_EQUAL(string("A: 1\r\n end gone"), seen_);
    }

    void a_stream_that_ends_too_late_is_left_behind() {
        observe(&lane_);
        client_.begin_data();
        client_.feed("A: 1\r\n.\r\n");
        CPPUNIT_ASSERT_EQUAL(string(), client_.wait(limit - Duration(1)));
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.wait(Duration(1))));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), client_.log.count("watcher did not end in time"));
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("abort gone"), seen_);
    }

    void a_client_waits_for_a_stream_that_lags() {
        observe(&lane_);
        client_.begin_data();
        client_.feed(lines(BodyStream::max_lag + 1000));
        CPPUNIT_ASSERT(client_.step == Step::need_input);
        client_.feed("more\r\n");
        CPPUNIT_ASSERT(client_.is_parked());
        client_.feed(".\r\nNOOP\r\n");
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string(), client_.resume());
        CPPUNIT_ASSERT(client_.is_parked());  // for the rest of it
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("250 250"), codes(client_.resume()));
        CPPUNIT_ASSERT(seen_.ends_with("more\r\n end gone"));
    }

    void so_does_a_client_that_sends_chunks() {
        observe(&lane_);
        client_.begin_transaction();
        const string text = lines(BodyStream::max_lag + 1000);
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.feed("BDAT " + std::to_string(text.size()) + "\r\n" + text)));
        CPPUNIT_ASSERT_EQUAL(string(), client_.feed("BDAT 6 LAST\r\nmore\r\n"));
        CPPUNIT_ASSERT(client_.is_parked());
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string(), client_.resume());
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.resume()));
        CPPUNIT_ASSERT(seen_.ends_with("more\r\n end gone"));
    }

    void a_stream_that_lags_for_too_long_is_left_behind() {
        observe(&lane_);
        client_.begin_data();
        client_.feed(lines(BodyStream::max_lag + 1000));
        client_.feed("more\r\n");
        client_.feed(".\r\n");
        CPPUNIT_ASSERT_EQUAL(string("250"), codes(client_.wait(limit)));
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("abort gone"), seen_);
    }

    void the_wait_does_not_count_against_the_client() {
        observe(&lane_);
        client_.begin_data();
        const auto since = client_.session().progress().since;
        client_.feed(lines(BodyStream::max_lag + 1000));
        client_.feed("more\r\n");
        CPPUNIT_ASSERT(!client_.session().progress().receiving);
        client_.clock.advance(Duration(3000));
        CPPUNIT_ASSERT(tasks_.run_one());
        client_.resume();
        CPPUNIT_ASSERT(client_.session().progress().receiving);
        CPPUNIT_ASSERT(client_.session().progress().since == since + Duration(3000));
    }

    void the_end_of_the_session_is_told_by_the_thread() {
        observe(&lane_);
        client_.begin_data();
        client_.feed("A: 1\r\n");
        client_.abandon();
        client_.destroy();
        CPPUNIT_ASSERT_EQUAL(string(), seen_);
        CPPUNIT_ASSERT(tasks_.run_one());
        CPPUNIT_ASSERT_EQUAL(string("abort gone"), seen_);
    }

private:
    void observe(support::Lane* lane) {
        client_.hooks.make_streams = [this, lane](MessageObservers& out) {
            out.push_back(std::make_unique<Watcher>(seen_, lane));
        };
    }
    static string lines(std::size_t size) {
        string out;
        while (out.size() < size) out += string(70, 'x') + "\r\n";
        return out;
    }

    string seen_;
    support::Lane lane_{"watcher"};
    fakes::FakeTasks tasks_;
    SessionUnderTest client_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(MessageStreamsTest);

}  // namespace
}  // namespace smtpd::engine
