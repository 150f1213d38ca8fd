/// stored_message_test.cc: a message leaves as it arrived, whatever its pieces and wherever it is kept; and nothing
/// remains after a failure.
#include "message/stored_message.h"

#include "fakes/temp_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <future>
#include <memory>
#include <utility>
#include <vector>

namespace smtpd::message {
namespace {

using fakes::TempDirectory;

std::string written(const Message& message) {
    std::string out;
    const auto done = message.write_to([&](std::string_view bytes) -> Result<void> {
        out += bytes;
        return {};
    });
    return done ? out : "error: " + done.error().what;
}

std::string body_of(const Message& message) {
    std::string out;
    const auto done = message.for_each_body_chunk([&](std::string_view bytes) -> Result<void> {
        out += bytes;
        return {};
    });
    return done ? out : "error: " + done.error().what;
}

/// The body by read_body() with a buffer of that size.
std::string body_read(const Message& message, std::size_t buffer_size) {
    std::string out, buffer(buffer_size, '\0');
    for (;;) {
        const auto got = message.read_body(out.size(), buffer.data(), buffer.size());
        if (!got) return "error: " + got.error().what;
        if (*got == 0) return out;
        out.append(buffer, 0, *got);
    }
}

/// Feeds `text` in pieces of `step` octets (0: all at once).
void feed(StoredMessage& message, std::string_view text, std::size_t step = 0) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t count = step == 0 ? text.size() : std::min(step, text.size() - at);
        CPPUNIT_ASSERT(message.append(text.substr(at, count)));
        at += count;
    }
    CPPUNIT_ASSERT(message.finish());
}

bool replace_body(Message& message, std::string_view text) {
    const auto body = message.begin_body();
    return body->append(text.substr(0, text.size() / 2)) && body->append(text.substr(text.size() / 2)) &&
           body->commit();
}

/// Octets without a period that is a power of two.
std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
    return text;
}

/// Makes files larger than `size` impossible during its lifetime, as a full disk would.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t size) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = size;
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int);
};

struct Row {
    const char* what;
    std::string text;
    std::string block;  ///< of it, the header block
    std::string blank;  ///< the blank line
    std::string body;
    std::string added;  ///< the text between an added field and the rest
};

Row row(const char* what, std::string block, std::string blank, std::string body, std::string added = "") {
    return {what, block + blank + body, block, blank, body, added};
}

const std::vector<Row>& rows() {
    static const std::vector<Row> all = {
        row("ordinary", "Subject: x\r\nFrom: a\r\n", "\r\n", "text\r\nmore\r\n"),
        row("empty message", "", "", ""),
        row("empty body", "A: 1\r\n", "\r\n", ""),
        row("header only", "A: 1\r\nB: 2\r\n", "", ""),
        row("header without a line end", "A: 1\r\nB: 2", "", ""),
        row("ends in CR after the header", "A: 1\r\n\r", "", ""),
        row("ends in CR within the header", "A: 1\r", "", ""),
        row("blank line only", "", "\r\n", ""),
        row("starts with a blank line", "", "\r\n", "Subject: x\r\n\r\ny\r\n"),
        row("starts with blank lines", "", "\r\n", "\r\n\r\n"),
        row("starts with a bare LF", "", "\n", "Subject: x\r\n"),
        row("no field at all", "", "", "hello\r\n", "\r\n"),
        row("no field and no line end", "", "", "hello", "\r\n"),
        row("one letter", "", "", "x", "\r\n"),
        row("no field, then a blank line and more", "", "", "hello world\r\n\r\nA: 1\r\n", "\r\n"),
        row("no field, then a field", "", "", "hello\r\nSubject: x\r\n\r\ntext\r\n", "\r\n"),
        row("starts with a blank", "", "", " Subject: x\r\n\r\ntext\r\n", "\r\n"),
        row("starts with a colon", "", "", ": x\r\n", "\r\n"),
        row("CR only", "", "", "\r", "\r\n"),
        row("starts with CR and text", "", "", "\rA: 1\r\n\r\nx", "\r\n"),
        row("starts with CR CR LF", "", "", "\r\r\nA: 1\r\n", "\r\n"),
        row("8-bit text", "", "", "\xc3\xa4: 1\r\n", "\r\n"),
        row("a name beyond all measure", "", "", std::string(2000, 'x') + ": 1\r\n", "\r\n"),
        row("a long name", std::string(998, 'x') + ": 1\r\n", "\r\n", "y"),
        row("many blanks before the colon", "", "", "x" + std::string(2000, ' ') + ": 1\r\n", "\r\n"),
        row("mbox", "From a@b Fri Nov 20 18:27:00 2026\r\nSubject: x\r\n", "\r\n", "text\r\n"),
        row("mbox line only", "From a@b\r\n", "", ""),
        row("nothing but From", "", "", "From ", "\r\n"),
        row("obsolete field", "Subject : x\r\n", "\r\n", "text\r\n"),
        row("junk in the middle", "A: 1\r\njunk\r\nB: 2\r\n", "\r\n", "text\r\n"),
        row("folded", "A: 1\r\n 2\r\n", "\r\n", "text\r\n"),
        row("bare LF", "A: 1\nB: 2\n", "\n", "text\n"),
        row("bare LF, then CRLF", "A: 1\n", "\r\n", "text\r\n"),
        row("CRLF, then bare LF", "A: 1\r\n", "\n", "text\r\n"),
        row("CR CR LF is no blank line", "A: 1\r\n\r\r\nB: 2\r\n", "\r\n", "x"),
        row("blank line in the body", "A: 1\r\n", "\r\n", "a\r\n\r\nb\r\n"),
        row("dots and NUL", "A: 1\r\n", "\r\n", std::string(".\r\n..\r\n\0\r\n", 10)),
        row("body of 200 KB", "A: 1\r\n", "\r\n", pattern(200'000)),
    };
    return all;
}

class StoredMessageTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StoredMessageTest);
    CPPUNIT_TEST(what_came_in_goes_out_however_it_was_cut);
    CPPUNIT_TEST(every_cut_in_two_gives_the_same_message);
    CPPUNIT_TEST(added_fields_never_run_into_the_body);
    CPPUNIT_TEST(headers_are_known_as_soon_as_the_blank_line_has_come);
    CPPUNIT_TEST(fields_added_before_the_header_came_stay_on_top);
    CPPUNIT_TEST(the_threshold_decides_where_a_body_is_kept);
    CPPUNIT_TEST(a_spooled_body_reads_as_one_in_memory);
    CPPUNIT_TEST(a_spool_file_has_no_name_however_it_is_made);
    CPPUNIT_TEST(a_spool_file_belongs_to_its_owner_only);
    CPPUNIT_TEST(a_spool_file_leaves_the_last_descriptors_alone);
    CPPUNIT_TEST(a_full_disk_is_an_error_that_stays);
    CPPUNIT_TEST(a_full_device_is_no_space);
    CPPUNIT_TEST(a_missing_spool_directory_is_an_error_that_names_it);
    CPPUNIT_TEST(a_failed_message_reads_as_an_error_not_as_a_short_one);
    CPPUNIT_TEST(a_large_header_is_forgotten_but_counted);
    CPPUNIT_TEST(the_header_limit_is_exact_however_the_message_is_cut);
    CPPUNIT_TEST(a_body_that_is_not_kept_is_counted_and_cannot_be_read);
    CPPUNIT_TEST(an_incomplete_message_cannot_be_written);
    CPPUNIT_TEST(a_sink_that_fails_stops_the_reading);
    CPPUNIT_TEST(a_snapshot_stays_as_it_was);
    CPPUNIT_TEST(a_snapshot_is_read_by_several_threads);
    CPPUNIT_TEST(a_snapshot_of_half_a_message_has_no_body);
    CPPUNIT_TEST(a_new_body_takes_the_place_of_the_old_one);
    CPPUNIT_TEST(a_new_body_that_is_not_finished_changes_nothing);
    CPPUNIT_TEST(a_new_body_that_cannot_be_stored_changes_nothing);
    CPPUNIT_TEST(a_new_body_is_kept_where_the_old_one_was_not);
    CPPUNIT_TEST_SUITE_END();

    TempDirectory directory_;

    SpoolSettings settings_with(std::uint64_t threshold) const {
        SpoolSettings settings;
        settings.directory = directory_.path();
        settings.threshold = threshold;
        return settings;
    }
    SpoolSettings settings(std::uint64_t threshold = 1 << 20) const {
        SpoolSettings settings;
        settings.directory = directory_.path();
        settings.threshold = threshold;
        return settings;
    }

    void check(const Row& expected, const StoredMessage& message, const std::string& how) {
        CPPUNIT_ASSERT_MESSAGE(how, message.is_complete());
        CPPUNIT_ASSERT_MESSAGE(how, message.headers_complete());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(how, expected.block, message.headers().original());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(how, expected.body, body_of(message));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(how, std::uint64_t{expected.body.size()}, message.body_size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(how, std::uint64_t{expected.text.size()}, message.size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(how, expected.text, written(message));
    }

    void what_came_in_goes_out_however_it_was_cut() {
        for (const std::uint64_t threshold : {std::uint64_t{0}, std::uint64_t{12}, std::uint64_t{1} << 20}) {
            const SpoolSettings where = settings(threshold);
            for (const Row& expected : rows()) {
                for (const std::size_t step : {0u, 1u, 2u, 3u, 7u, 4096u}) {
                    if (expected.text.size() > 10'000 && step > 0 && step < 4096) continue;
                    StoredMessage message(where);
                    feed(message, expected.text, step);
                    check(expected, message, std::string(expected.what) + " by " + std::to_string(step));
                }
            }
        }
        CPPUNIT_ASSERT(directory_.is_empty());
    }

    void every_cut_in_two_gives_the_same_message() {
        const SpoolSettings where = settings();
        for (const Row& expected : rows()) {
            for (std::size_t cut = 0; cut <= std::min<std::size_t>(expected.text.size(), 1100); ++cut) {
                StoredMessage message(where);
                CPPUNIT_ASSERT(message.append(std::string_view(expected.text).substr(0, cut)));
                CPPUNIT_ASSERT(message.append(std::string_view(expected.text).substr(cut)));
                CPPUNIT_ASSERT(message.finish());
                check(expected, message, std::string(expected.what) + " cut at " + std::to_string(cut));
            }
        }
    }

    void added_fields_never_run_into_the_body() {
        const SpoolSettings where = settings();
        for (const Row& expected : rows()) {
            StoredMessage message(where);
            feed(message, expected.text);
            CPPUNIT_ASSERT(message.headers().prepend("Received", "here"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.what, "Received: here\r\n" + expected.added + expected.text,
                                         written(message));
            CPPUNIT_ASSERT(message.headers().remove("Received", 0));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.what, expected.text, written(message));
        }
    }

    void headers_are_known_as_soon_as_the_blank_line_has_come() {
        const SpoolSettings where = settings();
        StoredMessage message(where);
        CPPUNIT_ASSERT(message.append("Subject: x\r\n"));
        CPPUNIT_ASSERT(!message.headers_complete());
        CPPUNIT_ASSERT(message.append("\r"));
        CPPUNIT_ASSERT(!message.headers_complete());
        CPPUNIT_ASSERT(message.append("\n"));
        CPPUNIT_ASSERT(message.headers_complete());
        CPPUNIT_ASSERT(!message.is_complete());
        CPPUNIT_ASSERT_EQUAL(std::string("x"), message.headers().get("subject").value());
        CPPUNIT_ASSERT(message.append("body"));
        CPPUNIT_ASSERT_EQUAL(std::string("body"), body_of(message));  // an observer may read what is there
    }

    void fields_added_before_the_header_came_stay_on_top() {
        const SpoolSettings where = settings();
        StoredMessage message(where);
        message.headers().prepend("X", "y");
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, message.headers().count("X"));
        feed(message, "A: 1\r\n\r\nbody");
        CPPUNIT_ASSERT_EQUAL(std::string("X: y\r\nA: 1\r\n\r\nbody"), written(message));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, message.headers().count("A"));
    }

    void the_threshold_decides_where_a_body_is_kept() {
        const struct {
            const char* what;
            std::uint64_t threshold;
            std::string text;
            bool spooled;
        } cases[] = {
            {"as large as allowed", 10, "A: 1\r\n\r\nbb", false},
            {"one more", 10, "A: 1\r\n\r\nbbb", true},
            {"always", 0, "\r\nb", true},
            {"without a body", 0, "A: 1\r\n\r\n", false},
            {"empty", 0, "", false},
        };
        for (const auto& each : cases) {
            for (const std::size_t step : {std::size_t{0}, std::size_t{1}}) {
                const SpoolSettings where = settings(each.threshold);
                StoredMessage message(where);
                feed(message, each.text, step);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(each.what, each.spooled, message.is_spooled());
            }
        }
    }

    void a_spooled_body_reads_as_one_in_memory() {
        const std::string body = pattern(700'001);
        for (const std::uint64_t threshold : {std::uint64_t{100'000}, std::uint64_t{10'000'000}}) {
            for (const std::size_t step :
                 {std::size_t{0}, std::size_t{1000}, std::size_t{65'536}, std::size_t{300'000}}) {
                const SpoolSettings where = settings(threshold);
                StoredMessage message(where);
                feed(message, "A: 1\r\n\r\n" + body, step);
                CPPUNIT_ASSERT_EQUAL(threshold < body.size(), message.is_spooled());
                CPPUNIT_ASSERT(body == body_of(message));
                for (const std::size_t buffer : {std::size_t{997}, std::size_t{64 * 1024}, std::size_t{1'000'000}})
                    CPPUNIT_ASSERT(body == body_read(message, buffer));
                char octet = 0;
                CPPUNIT_ASSERT_EQUAL(std::size_t{1}, *message.read_body(body.size() - 1, &octet, 1));
                CPPUNIT_ASSERT_EQUAL(body.back(), octet);
                CPPUNIT_ASSERT_EQUAL(std::size_t{0}, *message.read_body(body.size(), &octet, 1));
                CPPUNIT_ASSERT_EQUAL(std::size_t{0}, *message.read_body(~std::uint64_t{0}, &octet, 1));
                CPPUNIT_ASSERT("A: 1\r\n\r\n" + body == written(message));
            }
        }
    }

    void a_spool_file_has_no_name_however_it_is_made() {
        for (const auto creation : {SpoolFile::Creation::anonymous, SpoolFile::Creation::unlinked}) {
            auto file = SpoolFile::create(directory_.path(), creation);
            CPPUNIT_ASSERT(file);
            CPPUNIT_ASSERT(directory_.is_empty());
            char first[] = "abc", second[] = "", third[] = "defg", buffer[16] = {};
            std::vector<iovec> list = {{first, 3}, {second, 0}, {third, 4}};
            CPPUNIT_ASSERT(file->append(list));
            list = {{first, 1}};
            CPPUNIT_ASSERT(file->append(list));
            list = {{second, 0}};
            CPPUNIT_ASSERT(file->append(list));
            CPPUNIT_ASSERT_EQUAL(std::uint64_t{8}, file->size());
            CPPUNIT_ASSERT_EQUAL(std::size_t{8}, *file->read(0, buffer, sizeof buffer));
            CPPUNIT_ASSERT_EQUAL(std::string("abcdefga"), std::string(buffer, 8));
            CPPUNIT_ASSERT_EQUAL(std::size_t{2}, *file->read(6, buffer, sizeof buffer));
        }
    }

    /// The spool behaves as if no descriptors were left, before the last ones are gone.
    void a_spool_file_leaves_the_last_descriptors_alone() {
        const int next = dup(0);  // the number that the file will get
        close(next);
        for (const auto creation : {SpoolFile::Creation::anonymous, SpoolFile::Creation::unlinked}) {
            CPPUNIT_ASSERT(SpoolFile::create(directory_.path(), creation, next + 1));
            const auto refused = SpoolFile::create(directory_.path(), creation, next);
            CPPUNIT_ASSERT(!refused);
            CPPUNIT_ASSERT_EQUAL(EMFILE, refused.error().os_status);
            CPPUNIT_ASSERT(fcntl(next, F_GETFD) < 0);
            CPPUNIT_ASSERT(directory_.is_empty());
        }
    }

    void a_spool_file_belongs_to_its_owner_only() {
        for (const auto creation : {SpoolFile::Creation::anonymous, SpoolFile::Creation::unlinked}) {
            const int next = dup(0);  // the number that the file will get
            close(next);
            const auto file = SpoolFile::create(directory_.path(), creation);
            struct stat status {};
            CPPUNIT_ASSERT_EQUAL(0, fstat(next, &status));
            CPPUNIT_ASSERT_EQUAL(0600u, static_cast<unsigned>(status.st_mode & 07777));
            CPPUNIT_ASSERT_EQUAL(nlink_t{0}, status.st_nlink);
            CPPUNIT_ASSERT(fcntl(next, F_GETFD) & FD_CLOEXEC);
        }
    }

    void a_full_disk_is_an_error_that_stays() {
        const SpoolSettings where = settings(1000);
        const FileSizeLimit limit(100'000);
        StoredMessage message(where);
        CPPUNIT_ASSERT(message.append("A: 1\r\n\r\n"));
        const std::string chunk = pattern(30'000);
        auto kept = message.append(chunk);
        for (int i = 0; i < 6 && kept; ++i) kept = message.append(chunk);
        CPPUNIT_ASSERT(!kept);
        CPPUNIT_ASSERT(ErrorCode::no_space == kept.error().code);
        CPPUNIT_ASSERT(ErrorCode::no_space == message.append("x").error().code);
        CPPUNIT_ASSERT(ErrorCode::no_space == message.finish().error().code);
        CPPUNIT_ASSERT(!message.is_complete());
        CPPUNIT_ASSERT(!message.is_spooled());
        CPPUNIT_ASSERT(directory_.is_empty());
    }

    void a_full_device_is_no_space() {
        SpoolFile file{support::FileDescriptor(open("/dev/full", O_RDWR | O_CLOEXEC))};
        char text[] = "abc";
        std::vector<iovec> list = {{text, 3}};
        const auto done = file.append(list);
        CPPUNIT_ASSERT(!done);
        CPPUNIT_ASSERT(ErrorCode::no_space == done.error().code);
        CPPUNIT_ASSERT_EQUAL(ENOSPC, done.error().os_status);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, file.size());
    }

    void a_missing_spool_directory_is_an_error_that_names_it() {
        SpoolSettings where = settings(10);
        where.directory = directory_.path("missing");
        StoredMessage message(where);
        CPPUNIT_ASSERT(message.append("A: 1\r\n\r\n"));
        const auto kept = message.append("more than ten octets");
        CPPUNIT_ASSERT(!kept);
        CPPUNIT_ASSERT(ErrorCode::io == kept.error().code);
        CPPUNIT_ASSERT_EQUAL("cannot create a spool file in " + where.directory + ": No such file or directory",
                             kept.error().what);
    }

    void a_failed_message_reads_as_an_error_not_as_a_short_one() {
        SpoolSettings where = settings(10);
        where.directory = directory_.path("missing");
        StoredMessage message(where);
        CPPUNIT_ASSERT(!message.append("A: 1\r\n\r\nmore than ten octets"));
        char buffer[8];
        CPPUNIT_ASSERT(!message.read_body(0, buffer, sizeof buffer));
        CPPUNIT_ASSERT_EQUAL(std::string("error: cannot create"), body_of(message).substr(0, 20));
        CPPUNIT_ASSERT_EQUAL(std::string("error: cannot create"), written(message).substr(0, 20));
    }

    void a_large_header_is_forgotten_but_counted() {
        SpoolSettings where = settings();
        where.max_header_size = 1000;
        StoredMessage message(where);
        for (int i = 0; i < 100; ++i) CPPUNIT_ASSERT(message.append("X-Field: " + std::string(100, 'x') + "\r\n"));
        CPPUNIT_ASSERT(message.header_too_large());
        CPPUNIT_ASSERT(message.append("\r\nbody\r\n"));
        CPPUNIT_ASSERT(message.finish());
        CPPUNIT_ASSERT(message.header_too_large());
        CPPUNIT_ASSERT(!message.headers_complete());
        CPPUNIT_ASSERT(!message.is_complete());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{100 * 111 + 8}, message.size());
        CPPUNIT_ASSERT_EQUAL(std::string("error: the header"), written(message).substr(0, 17));
    }

    void the_header_limit_is_exact_however_the_message_is_cut() {
        SpoolSettings where = settings();
        where.max_header_size = 20;
        const struct {
            std::string text;
            bool too_large;
        } cases[] = {
            {"A: 1\r\nB: 2345678901\r\n\r\n" + std::string(100, 'x'), true},
            {"A: 1\r\nB: 234567890\r\n\r\n" + std::string(100, 'x'), false},
            {"A: 1\r\nB: 234567890\r\n", false},
            {"A: 1\r\nB: 234567890\r\n\r", true},
            {"A: 1\r\nB: 234567890\r\n\rx\r\n", true},
            {"A: 1\r\nB: 234567\r\n\rx", false},
            {"no field, and longer than a header may be", false},
            {"a-word-longer-than-a-header-may-be and text", false},
            {"a-word-longer-than-a-header-may-be: text", true},
        };
        for (const auto& each : cases) {
            for (const std::size_t step : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{5}}) {
                StoredMessage message(where);
                feed(message, each.text, step);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(each.text + " by " + std::to_string(step), each.too_large,
                                             message.header_too_large());
                if (!each.too_large) CPPUNIT_ASSERT_EQUAL(each.text, written(message));
            }
        }
    }

    void a_body_that_is_not_kept_is_counted_and_cannot_be_read() {
        SpoolSettings where = settings(0);
        where.keep_body = false;
        where.directory = "/nowhere";
        StoredMessage message(where);
        feed(message, "A: 1\r\n\r\n" + pattern(100'000), 1000);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{100'000}, message.body_size());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{100'008}, message.size());
        CPPUNIT_ASSERT_EQUAL(std::string("1"), message.headers().get("A").value());
        CPPUNIT_ASSERT_EQUAL(std::string("error: the body of the message was not kept"), body_of(message));
        CPPUNIT_ASSERT_EQUAL(std::string("error: the body of the message was not kept"), written(message));
    }

    void an_incomplete_message_cannot_be_written() {
        const SpoolSettings where = settings();
        StoredMessage message(where);
        CPPUNIT_ASSERT(message.append("A: 1\r\n\r\nhalf"));
        CPPUNIT_ASSERT_EQUAL(std::string("error: the message is not complete"), written(message));
    }

    void a_sink_that_fails_stops_the_reading() {
        for (const std::uint64_t threshold : {std::uint64_t{0}, std::uint64_t{1} << 20}) {
            const SpoolSettings where = settings(threshold);
            StoredMessage message(where);
            feed(message, "A: 1\r\n\r\n" + pattern(300'000));
            int calls = 0;
            const auto done = message.write_to([&](std::string_view) -> Result<void> {
                return ++calls < 2 ? Result<void>() : Error{ErrorCode::io, "sink is full", 0};
            });
            CPPUNIT_ASSERT(!done);
            CPPUNIT_ASSERT_EQUAL(std::string("sink is full"), done.error().what);
            CPPUNIT_ASSERT_EQUAL(2, calls);
        }
    }

    void a_snapshot_stays_as_it_was() {
        for (const std::uint64_t threshold : {std::uint64_t(0), ~std::uint64_t(0)}) {
            const SpoolSettings settings = settings_with(threshold);
            auto message = std::make_unique<StoredMessage>(settings);
            feed(*message, "Subject: x\r\n\r\n" + pattern(100'000));
            message->headers().prepend("A", "1");
            const auto before = message->snapshot();
            message->headers().prepend("B", "2");
            CPPUNIT_ASSERT(replace_body(*message, "new"));
            CPPUNIT_ASSERT(written(*before) == "A: 1\r\nSubject: x\r\n\r\n" + pattern(100'000));
            CPPUNIT_ASSERT_EQUAL(std::string("B: 2\r\nA: 1\r\nSubject: x\r\n\r\nnew"), written(*message));
            message.reset();
            CPPUNIT_ASSERT(body_read(*before, 999) == pattern(100'000));
            CPPUNIT_ASSERT_EQUAL(std::string("1"), before->headers().get("A").value_or(""));
            CPPUNIT_ASSERT(!before->body_was_replaced());
        }
    }

    void a_snapshot_is_read_by_several_threads() {
        const SpoolSettings settings = settings_with(1000);
        StoredMessage message(settings);
        feed(message, "Subject: x\r\n\r\n" + pattern(200'000));
        const auto snapshot = message.snapshot();
        const std::string expected = written(message);
        std::vector<std::future<bool>> readers;
        for (int i = 0; i < 4; ++i)
            readers.push_back(std::async(std::launch::async, [snapshot, &expected] {
                bool is_same = true;
                for (int n = 0; n < 20; ++n)
                    is_same = is_same && written(*snapshot) == expected && snapshot->headers().count("subject") == 1;
                return is_same;
            }));
        for (auto& reader : readers) CPPUNIT_ASSERT(reader.get());
    }

    void a_snapshot_of_half_a_message_has_no_body() {
        const SpoolSettings settings = settings_with(1000);
        StoredMessage message(settings);
        CPPUNIT_ASSERT(message.append("Subject: x\r\n\r\nhalf"));
        const auto snapshot = message.snapshot();
        CPPUNIT_ASSERT_EQUAL(std::string("x"), snapshot->headers().get("Subject").value_or(""));
        CPPUNIT_ASSERT_EQUAL(std::string("error: the message is not complete"), body_of(*snapshot));
        CPPUNIT_ASSERT_EQUAL(std::string("error: the message is not complete"), written(*snapshot));
        CPPUNIT_ASSERT(message.append(" and half"));
    }

    void a_new_body_takes_the_place_of_the_old_one() {
        for (const auto& [block, added] : {std::pair{"A: 1\r\n\r\n", ""}, std::pair{"A: 1\r\n", "\r\n"}}) {
            for (const std::size_t size : {0, 5, 200'000}) {
                const SpoolSettings settings = settings_with(1000);
                StoredMessage message(settings);
                feed(message, block);
                CPPUNIT_ASSERT(replace_body(message, pattern(size)));
                CPPUNIT_ASSERT(message.body_was_replaced());
                CPPUNIT_ASSERT_EQUAL(size > 1000, message.is_spooled());
                CPPUNIT_ASSERT_EQUAL(std::uint64_t(size), message.body_size());
                CPPUNIT_ASSERT_EQUAL(std::uint64_t(std::string(block).size() + size), message.size());
                CPPUNIT_ASSERT(written(message) == block + std::string(size > 0 ? added : "") + pattern(size));
                CPPUNIT_ASSERT(body_read(message, 777) == pattern(size));
            }
        }
    }

    void a_new_body_that_is_not_finished_changes_nothing() {
        const SpoolSettings settings = settings_with(1000);
        StoredMessage message(settings);
        CPPUNIT_ASSERT(message.append("A: 1\r\n\r\nold"));
        const auto too_early = message.begin_body();
        CPPUNIT_ASSERT(too_early->append("new"));
        CPPUNIT_ASSERT(!too_early->commit());
        CPPUNIT_ASSERT(message.finish());
        CPPUNIT_ASSERT(message.begin_body()->append("new"));
        CPPUNIT_ASSERT_EQUAL(std::string("A: 1\r\n\r\nold"), written(message));
        const auto twice = message.begin_body();
        CPPUNIT_ASSERT(twice->append("new") && twice->commit());
        CPPUNIT_ASSERT(!twice->append("more") && !twice->commit());
        CPPUNIT_ASSERT_EQUAL(std::string("A: 1\r\n\r\nnew"), written(message));
    }

    void a_new_body_that_cannot_be_stored_changes_nothing() {
        SpoolSettings settings = settings_with(1000);
        settings.directory += "/missing";
        StoredMessage message(settings);
        feed(message, "A: 1\r\n\r\nold");
        const auto body = message.begin_body();
        CPPUNIT_ASSERT(body->append("short"));
        CPPUNIT_ASSERT(!body->append(pattern(2000)));
        CPPUNIT_ASSERT(!body->append("x"));
        CPPUNIT_ASSERT(!body->commit());
        CPPUNIT_ASSERT_EQUAL(std::string("A: 1\r\n\r\nold"), written(message));
    }

    void a_new_body_is_kept_where_the_old_one_was_not() {
        SpoolSettings settings = settings_with(1000);
        settings.keep_body = false;
        StoredMessage message(settings);
        feed(message, "A: 1\r\n\r\nold");
        CPPUNIT_ASSERT_EQUAL(std::string("error: the body of the message was not kept"), written(message));
        CPPUNIT_ASSERT(replace_body(message, "new"));
        CPPUNIT_ASSERT_EQUAL(std::string("A: 1\r\n\r\nnew"), written(message));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(StoredMessageTest);

}  // namespace
}  // namespace smtpd::message
