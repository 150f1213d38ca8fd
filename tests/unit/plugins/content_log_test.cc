/// content_log_test.cc: copies of messages.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/base/files.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sys/stat.h>
#include <unistd.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

constexpr const char* message = "Subject: x\r\n\r\nFrom here\r\n>From there\r\nplain\r\n";

class ContentLogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ContentLogTest);
    CPPUNIT_TEST(raw_copies_are_as_received);
    CPPUNIT_TEST(mbox_copies_have_separators);
    CPPUNIT_TEST(the_file_comes_from_option_or_control_file);
    CPPUNIT_TEST(it_can_be_switched_off);
    CPPUNIT_TEST(a_copy_that_cannot_be_written_is_no_harm_to_mail);
    CPPUNIT_TEST(a_copy_is_whole_or_not_there);
    CPPUNIT_TEST_SUITE_END();

    static std::string read(const std::string& path) {
        const auto content = read_file(path, 1 << 20);
        return content ? *content : "(" + content.error().what + ")";
    }

    /// Fails in the middle.
    class BrokenMessage final : public Message {
    public:
        Headers& headers() override { return headers_; }
        const Headers& headers() const override { return headers_; }
        bool is_complete() const noexcept override { return true; }
        std::uint64_t size() const noexcept override { return 100; }
        std::uint64_t body_size() const noexcept override { return 100; }
        Result<std::size_t> read_body(std::uint64_t, char*, std::size_t) const override {
            return Error{ErrorCode::io, "broken"};
        }
        Result<void> for_each_body_chunk(const ByteSink&) const override { return Error{ErrorCode::io, "broken"}; }
        Result<void> write_to(const ByteSink& sink) const override {
            if (auto written = sink("half of it\r\n"); !written) return written;
            return Error{ErrorCode::io, "broken"};
        }
        std::shared_ptr<const Message> snapshot() const override { return std::make_shared<const BrokenMessage>(); }
        std::unique_ptr<NewBody> begin_body() override {
            throw std::logic_error("the body of this message stays as it is");
        }
        bool body_was_replaced() const noexcept override { return false; }

    private:
        Headers headers_;
    };

public:
    void raw_copies_are_as_received() {
        PluginUnderTest plugin("content_log", "file=log");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post(message)));
        CPPUNIT_ASSERT_EQUAL(std::string(message), read(plugin.directory().path("log")));
        plugin.transaction().message().headers().prepend("X-Added", "later");
        (void)plugin.data_post();
        CPPUNIT_ASSERT_EQUAL(message + std::string("X-Added: later\r\n") + message,
                             read(plugin.directory().path("log")));
        struct stat about {};
        CPPUNIT_ASSERT_EQUAL(0, stat(plugin.directory().path("log").c_str(), &about));
        CPPUNIT_ASSERT_EQUAL(0600U, about.st_mode & 0777U);
    }

    void mbox_copies_have_separators() {
        PluginUnderTest plugin("content_log", "file=log format=mbox");
        (void)plugin.data_post(message);
        plugin.transaction().set_sender(fakes::FakeTransaction::address("\"a b\"@example.net"));
        (void)plugin.data_post("Subject: y\r\n\r\nno end");
        const std::string content = read(plugin.directory().path("log"));
        const std::string time = local_time("%a %b %e %H:%M:%S %Y", plugin.clock().wall());
        CPPUNIT_ASSERT_EQUAL("From MAILER-DAEMON " + time + "\nSubject: x\n\n>From here\n>>From there\nplain\n\n" +
                                 "From \"a_b\"@example.net " + time + "\nSubject: y\n\nno end\n\n",
                             content);
    }

    void the_file_comes_from_option_or_control_file() {
        PluginUnderTest by_default("content_log");
        (void)by_default.data_post(message);
        CPPUNIT_ASSERT_EQUAL(
            std::string(message),
            read(by_default.directory().path("mail/" + local_time("%Y%m%d", by_default.clock().wall()))));

        PluginUnderTest by_file("content_log", "", {{"content_log_file", "copies/%Y/all\n"}});
        (void)by_file.data_post(message);
        CPPUNIT_ASSERT_EQUAL(std::string(message), read(by_file.directory().path("copies/2026/all")));
        const std::string absolute = by_file.directory().path("elsewhere/%%");
        by_file.write_control("content_log_file", absolute + "\n");
        (void)by_file.data_post(message);
        CPPUNIT_ASSERT_EQUAL(std::string(message), read(by_file.directory().path("elsewhere/%")));

        PluginUnderTest by_option("content_log", "file=option-%Y", {{"content_log_file", "control\n"}});
        (void)by_option.data_post(message);
        CPPUNIT_ASSERT_EQUAL(std::string(message), read(by_option.directory().path("option-2026")));
    }

    void it_can_be_switched_off() {
        const struct {
            const char* content;
            bool is_on;
        } rows[] = {{"", true},     {"true\n", true},   {"1\n", true},  {"yes \n", true},
                    {"on\n", true}, {"false\n", false}, {"0\n", false}, {"no\n", false}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("content_log", "file=log", {{"content_log_enabled", row.content}});
            (void)plugin.data_post(message);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.content, row.is_on,
                                         access(plugin.directory().path("log").c_str(), F_OK) == 0);
        }
    }

    void a_copy_that_cannot_be_written_is_no_harm_to_mail() {
        PluginUnderTest plugin("content_log", "file=blocked/log");
        plugin.directory().write("blocked", "a file");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post(message)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), plugin.log().texts(LogLevel::error).size());
        CPPUNIT_ASSERT(plugin.log().contains("Not a directory"));

        PluginUnderTest full("content_log", "file=/dev/full");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(full.data_post(message)));
        CPPUNIT_ASSERT(full.log().contains("No space left on device"));
    }

    void a_copy_is_whole_or_not_there() {
        for (const char* options : {"file=log", "file=log format=mbox"}) {
            PluginUnderTest plugin("content_log", options);
            plugin.directory().write("log", "before\n");
            plugin.transaction().set_message(std::make_unique<BrokenMessage>());
            CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post()));
            CPPUNIT_ASSERT_EQUAL(std::string("before\n"), read(plugin.directory().path("log")));
            CPPUNIT_ASSERT(plugin.log().contains("broken"));
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ContentLogTest);

}  // namespace
}  // namespace smtpd
