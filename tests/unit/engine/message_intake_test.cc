#include "engine/message_intake.h"

#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using Status = MessageIntake::Status;
using smtp::BareNewline;
using namespace std::string_literals;

constexpr auto data = MessageIntake::Source::data, chunks = MessageIntake::Source::chunks;

struct Watcher final : MessageIntake::Observer {
    StageResult result{.reply = {}, .proceeds = true};
    std::string octets;
    unsigned headers = 0;

    void message_octets(std::string_view piece) override { octets += piece; }
    StageResult header_arrived() override {
        ++headers;
        return result;
    }
};

/// A transaction and the intake of its message.
struct Message {
    explicit Message(MessageIntake::Source source, const MessageIntake::Rules& rules = {}, bool is_binary = false,
                     std::size_t max_header = 10000)
        : spool(settings(max_header)), transaction("t-1", spool) {
        if (is_binary) transaction.envelope().body_type = BodyType::binary_mime;
        intake.emplace(source, transaction, rules, watcher, MonotonicTime());
    }
    static message::SpoolSettings settings(std::size_t max_header) {
        message::SpoolSettings settings;
        settings.threshold = ~std::uint64_t(0);
        settings.max_header_size = max_header;
        return settings;
    }
    Status data_of(std::string_view text) {
        CPPUNIT_ASSERT_EQUAL(text.size(), intake->feed(text));
        CPPUNIT_ASSERT(intake->is_at_end());
        return intake->end_of_data();
    }
    Status chunk_of(std::string_view text, bool is_last) {
        intake->feed_chunk(text);
        return intake->end_of_chunk(is_last);
    }
    std::string code() const { return intake->refusal() ? std::to_string(intake->refusal()->code) : "none"; }
    std::string kept() {
        std::string out;
        CPPUNIT_ASSERT(transaction.message().write_to([&](std::string_view octets) {
            out += octets;
            return Result<void>();
        }));
        return out;
    }

    message::SpoolSettings spool;
    MailTransaction transaction;
    Watcher watcher;
    std::optional<MessageIntake> intake;
};

class MessageIntakeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MessageIntakeTest);
    CPPUNIT_TEST(data_ends_at_its_dot_and_no_further);
    CPPUNIT_TEST(chunks_add_up_to_the_message);
    CPPUNIT_TEST(a_message_without_a_header_has_one_at_its_end);
    CPPUNIT_TEST(what_goes_wrong_is_told_at_the_end);
    CPPUNIT_TEST(a_bare_newline_closes_the_session_under_reject_only);
    CPPUNIT_TEST(a_chunk_with_a_defect_is_refused_at_its_end);
    CPPUNIT_TEST(a_dropped_message_is_looked_at_to_its_end);
    CPPUNIT_TEST(binary_is_kept_but_for_its_header);
    CPPUNIT_TEST(a_refused_header_is_told_at_the_end_or_at_once);
    CPPUNIT_TEST(only_an_observed_message_is_handed_on);
    CPPUNIT_TEST(a_chunk_takes_what_is_its_own);
    CPPUNIT_TEST_SUITE_END();

public:
    void data_ends_at_its_dot_and_no_further() {
        Message message(data);
        CPPUNIT_ASSERT(message.intake->is_receiving());
        CPPUNIT_ASSERT_EQUAL(std::size_t(16), message.intake->feed("A: b\r\n\r\n..x\r\n.\r\nNOOP\r\n"));
        CPPUNIT_ASSERT(message.intake->end_of_data() == Status::complete);
        CPPUNIT_ASSERT(!message.intake->is_receiving() && !message.intake->is_in_chunks());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(16), message.intake->octets_so_far());
        CPPUNIT_ASSERT_EQUAL("A: b\r\n\r\n.x\r\n"s, message.kept());
        CPPUNIT_ASSERT_EQUAL(1U, message.watcher.headers);
    }

    void chunks_add_up_to_the_message() {
        Message message(chunks);
        CPPUNIT_ASSERT(!message.intake->is_receiving() && message.intake->is_in_chunks());
        CPPUNIT_ASSERT(message.chunk_of("A: b\r", false) == Status::incomplete);
        CPPUNIT_ASSERT(message.chunk_of("", false) == Status::incomplete);
        CPPUNIT_ASSERT(!message.intake->is_in_last_chunk());
        CPPUNIT_ASSERT(message.chunk_of("\n\r\n.\r\n", true) == Status::complete);
        CPPUNIT_ASSERT(message.intake->is_in_last_chunk());
        CPPUNIT_ASSERT_EQUAL("A: b\r\n\r\n.\r\n"s, message.kept());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(11), message.intake->octets_so_far());
    }

    void a_message_without_a_header_has_one_at_its_end() {
        Message message(data);
        CPPUNIT_ASSERT(message.data_of(".\r\n") == Status::complete);
        CPPUNIT_ASSERT_EQUAL(1U, message.watcher.headers);
    }

    void what_goes_wrong_is_told_at_the_end() {
        Message large(data, {.max_size = 10});
        CPPUNIT_ASSERT_EQUAL(std::size_t(20), large.intake->feed("A: b\r\n\r\n0123456789\r\n"));
        CPPUNIT_ASSERT(!large.intake->is_at_end() && !large.intake->hangs_up());
        CPPUNIT_ASSERT(large.data_of(".\r\n") == Status::refused);
        CPPUNIT_ASSERT_EQUAL("552"s, large.code());
        Message header(data, {}, false, 20);
        CPPUNIT_ASSERT(header.data_of("A: " + std::string(50, 'x') + "\r\n\r\n.\r\n") == Status::refused);
        CPPUNIT_ASSERT_EQUAL("552"s, header.code());
        Message line(data, {.max_line = 10});
        CPPUNIT_ASSERT(line.data_of("\r\n" + std::string(9, 'x') + "\r\n.\r\n") == Status::refused);
        CPPUNIT_ASSERT_EQUAL("554"s, line.code());
        CPPUNIT_ASSERT(!line.intake->closes_session());
    }

    void a_bare_newline_closes_the_session_under_reject_only() {
        for (const std::string text : {"\r\na\nb\r\n.\r\n", "\r\na\r\r\n.\r\n"}) {
            Message strict(data);
            CPPUNIT_ASSERT(strict.data_of(text) == Status::refused);
            CPPUNIT_ASSERT_EQUAL("554"s, strict.code());
            CPPUNIT_ASSERT(strict.intake->closes_session() && strict.intake->defect());
            Message lenient(data, {.bare_newline = BareNewline::accept});
            CPPUNIT_ASSERT(lenient.data_of(text) == Status::complete);
            CPPUNIT_ASSERT(!lenient.intake->closes_session() && lenient.intake->defect());
        }
        Message with_nul(data);
        CPPUNIT_ASSERT(with_nul.data_of("\r\n\0\r\n.\r\n"s) == Status::refused);
        CPPUNIT_ASSERT(!with_nul.intake->closes_session());
        Message large(data, {.max_size = 3});
        CPPUNIT_ASSERT(large.data_of("\r\n0123\r\r\n.\r\n") == Status::refused);
        CPPUNIT_ASSERT_EQUAL("552"s, large.code());
        CPPUNIT_ASSERT(large.intake->closes_session());
    }

    void a_chunk_with_a_defect_is_refused_at_its_end() {
        Message message(chunks);
        CPPUNIT_ASSERT(message.chunk_of("\r\na\nb", false) == Status::refused);
        CPPUNIT_ASSERT(message.intake->closes_session());
        Message open(chunks);
        CPPUNIT_ASSERT(open.chunk_of("\r\na\r", false) == Status::incomplete);  // a LF may follow
        CPPUNIT_ASSERT(open.chunk_of("b", true) == Status::refused);
    }

    void a_dropped_message_is_looked_at_to_its_end() {
        for (const auto source : {data, chunks})
            for (const std::size_t piece : {1U, 3U, 100U}) {
                Message message(source, {.max_size = 10});
                const std::string text = "A: b\r\n\r\n0123456789\rx\r\n"s + (source == data ? ".\r\n" : "");
                for (std::size_t at = 0; at < text.size(); at += piece) {
                    if (source == data) message.intake->feed(text.substr(at, piece));
                    else message.intake->feed_chunk(text.substr(at, piece));
                }
                const auto status = source == data ? message.intake->end_of_data() : message.intake->end_of_chunk(true);
                CPPUNIT_ASSERT(status == Status::refused && message.intake->closes_session());
                CPPUNIT_ASSERT_EQUAL("552"s, message.code());
            }
    }

    void binary_is_kept_but_for_its_header() {
        Message message(chunks, {}, true);
        CPPUNIT_ASSERT(message.chunk_of("A: b\r\n\r\n\n\r\0"s, true) == Status::complete);
        CPPUNIT_ASSERT_EQUAL("A: b\r\n\r\n\n\r\0"s, message.kept());
        for (const std::string header : {"A: b\nC: d\r\n\r\n", "A: b\r\n\n"}) {
            Message bad(chunks, {}, true);
            CPPUNIT_ASSERT(bad.chunk_of(header, true) == Status::refused);
            CPPUNIT_ASSERT(bad.intake->closes_session());
            Message mended(chunks, {.bare_newline = BareNewline::normalize}, true);
            CPPUNIT_ASSERT(mended.chunk_of(header, true) == Status::refused);
            CPPUNIT_ASSERT(!mended.intake->closes_session());
        }
    }

    void a_refused_header_is_told_at_the_end_or_at_once() {
        Message later(data);
        later.watcher.result = {.reply = {550, {5, 7, 1}, "no"}};
        CPPUNIT_ASSERT(later.data_of("A: b\r\n\r\ntext\r\n.\r\n") == Status::refused);
        CPPUNIT_ASSERT_EQUAL("550"s, later.code());
        CPPUNIT_ASSERT(!later.intake->hangs_up());
        Message now(data);
        now.watcher.result = {.reply = {554, {5, 7, 1}, "no"}, .disconnects = true};
        now.intake->feed("A: b\r\n\r\n");
        CPPUNIT_ASSERT(now.intake->hangs_up());
        CPPUNIT_ASSERT_EQUAL("554"s, now.code());
    }

    void only_an_observed_message_is_handed_on() {
        for (const bool is_observed : {false, true}) {
            Message message(data, {.is_observed = is_observed});
            message.data_of("A: b\r\n\r\n..x\r\n.\r\n");
            CPPUNIT_ASSERT_EQUAL(is_observed ? "A: b\r\n\r\n.x\r\n"s : ""s, message.watcher.octets);
        }
    }

    void a_chunk_takes_what_is_its_own() {
        Chunk chunk{5, 5, true, MonotonicTime()};
        std::string_view input = "abc";
        CPPUNIT_ASSERT_EQUAL("abc"s, std::string(chunk.take(input)));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), chunk.left);
        input = "deNOOP";
        CPPUNIT_ASSERT_EQUAL("de"s, std::string(chunk.take(input)));
        CPPUNIT_ASSERT_EQUAL("NOOP"s, std::string(input));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), chunk.left);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MessageIntakeTest);

}  // namespace
}  // namespace smtpd::engine
