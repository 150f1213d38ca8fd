/// adaptive_test.cc: logging/adaptive: lines at once, and lines of accepted messages again.
#include "fakes/plugin_under_test.h"
#include "fakes/standard_error.h"

#include <cppunit/extensions/HelperMacros.h>

#include <unistd.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;

class AdaptiveLogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AdaptiveLogTest);
    CPPUNIT_TEST(lines_up_to_the_level_are_written_at_once);
    CPPUNIT_TEST(lines_of_an_accepted_message_are_written_again);
    CPPUNIT_TEST(lines_of_other_transactions_are_not);
    CPPUNIT_TEST(one_refusal_does_not_silence_what_follows);
    CPPUNIT_TEST(sessions_are_kept_apart);
    CPPUNIT_TEST(lines_outside_sessions_are_not_kept);
    CPPUNIT_TEST(what_is_kept_has_a_limit);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    /// The output to standard error meanwhile, without the process's id at the beginning of each line.
    template <class F>
    static std::string lines_written_by(F call) {
        std::string text = fakes::standard_error_of(call);
        const std::string id = std::to_string(getpid()) + " ";
        std::string out;
        while (!text.empty()) {
            const auto end = text.find('\n');
            CPPUNIT_ASSERT_MESSAGE(text, end != std::string::npos && text.starts_with(id));
            out += text.substr(id.size(), end - id.size()) + ";";
            text.erase(0, end + 1);
        }
        return out;
    }

    static void line(PluginUnderTest& plugin, LogLevel level, const char* text, const char* session = "session") {
        LogLine line;
        line.level = level;
        line.session = session;
        line.hook = "rcpt";
        line.plugin = "x";
        line.text = text;
        plugin.write_log(line);
    }
    /// The server replies to the message; the transaction ends.
    static void end_message(PluginUnderTest& plugin, std::uint32_t accepted_so_far) {
        plugin.connection().set_counts(0, 0, accepted_so_far);
        (void)plugin.queue_post("");
        (void)plugin.reset_transaction();
    }

public:
    void lines_up_to_the_level_are_written_at_once() {
        const struct {
            const char* options;
            const char* lines;
        } rows[] = {
            {"", "[session] (rcpt) x: e;[session] (rcpt) x: w;"},
            {"reject=LOGERROR", "[session] (rcpt) x: e;"},
            {"reject 6", "[session] (rcpt) x: e;[session] (rcpt) x: w;[session] (rcpt) x: i;"},
            {"reject=emerg accept=debug", ""},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("logging/adaptive", row.options);
            const auto text = lines_written_by([&] {
                line(plugin, LogLevel::error, "e");
                line(plugin, LogLevel::warning, "w");
                line(plugin, LogLevel::info, "i");
            });
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.lines), text);
        }
    }

    void lines_of_an_accepted_message_are_written_again() {
        const struct {
            const char* options;
            const char* lines;
        } rows[] = {
            {"", "`[session] (rcpt) x: e;"},
            {"accept=warn prefix=+", "+[session] (rcpt) x: e;+[session] (rcpt) x: w;"},
            {"accept LOGINFO reject LOGEMERG prefix \"ok: \"",
             "ok: [session] (rcpt) x: e;ok: [session] (rcpt) x: w;ok: [session] (rcpt) x: i;"},
            {"accept=emerg", ""},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("logging/adaptive", row.options);
            (void)lines_written_by([&] {
                line(plugin, LogLevel::error, "e");
                line(plugin, LogLevel::warning, "w");
                line(plugin, LogLevel::info, "i");
            });
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::string(row.lines),
                                         lines_written_by([&] { end_message(plugin, 1); }));
            CPPUNIT_ASSERT_EQUAL_MESSAGE("once", std::string(), lines_written_by([&] { end_message(plugin, 2); }));
        }
    }

    void lines_of_other_transactions_are_not() {
        PluginUnderTest plugin("logging/adaptive", "accept=info reject=emerg");
        CPPUNIT_ASSERT_EQUAL_MESSAGE("RSET", std::string(), lines_written_by([&] {
                                         line(plugin, LogLevel::info, "one");
                                         (void)plugin.reset_transaction();
                                     }));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("refused at the end", std::string(), lines_written_by([&] {
                                         line(plugin, LogLevel::info, "two");
                                         end_message(plugin, 0);
                                     }));
        CPPUNIT_ASSERT_EQUAL(std::string("`[session] (rcpt) x: three;"), lines_written_by([&] {
                                 line(plugin, LogLevel::info, "three");
                                 end_message(plugin, 1);
                             }));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("refused after one that was accepted", std::string(), lines_written_by([&] {
                                         line(plugin, LogLevel::info, "four");
                                         end_message(plugin, 1);
                                     }));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the client went away", std::string(), lines_written_by([&] {
                                         line(plugin, LogLevel::info, "five");
                                         (void)plugin.post_connection();
                                         end_message(plugin, 1);
                                     }));
    }

    void one_refusal_does_not_silence_what_follows() {
        PluginUnderTest plugin("logging/adaptive", "accept=info reject=emerg");
        const Response refusal = deny("no");
        (void)lines_written_by([&] {
            (void)plugin.run(VerdictHook(HookId::deny, plugin.connection(), HookId::rcpt, "x", refusal));
            line(plugin, LogLevel::info, "one");
        });
        CPPUNIT_ASSERT_EQUAL(std::string("`[session] (rcpt) x: one;"),
                             lines_written_by([&] { end_message(plugin, 1); }));
    }

    void sessions_are_kept_apart() {
        PluginUnderTest plugin("logging/adaptive", "accept=info reject=emerg");
        CPPUNIT_ASSERT_EQUAL(std::string("`[session] (rcpt) x: mine;"), lines_written_by([&] {
                                 line(plugin, LogLevel::info, "not mine", "another");
                                 line(plugin, LogLevel::info, "mine");
                                 end_message(plugin, 1);
                             }));
    }

    void lines_outside_sessions_are_not_kept() {
        PluginUnderTest plugin("logging/adaptive", "accept=info reject=info");
        CPPUNIT_ASSERT_EQUAL(std::string("(rcpt) x: server;"), lines_written_by([&] {
                                 line(plugin, LogLevel::info, "server", "");
                                 end_message(plugin, 1);
                             }));
    }

    void what_is_kept_has_a_limit() {
        PluginUnderTest plugin("logging/adaptive", "accept=info reject=emerg");
        const auto many = lines_written_by([&] {
            for (int i = 0; i < 1003; ++i) line(plugin, LogLevel::info, "x");
            end_message(plugin, 1);
        });
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t(1001), std::count(many.begin(), many.end(), ';'));
        CPPUNIT_ASSERT(many.ends_with("`[session] 3 more lines were not kept;"));
        const std::string large(100'000, 'x');
        const auto long_ones = lines_written_by([&] {
            for (int i = 0; i < 4; ++i) line(plugin, LogLevel::info, large.c_str());
            end_message(plugin, 2);
        });
        CPPUNIT_ASSERT(long_ones.ends_with("`[session] 2 more lines were not kept;"));
        CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t(3), std::count(long_ones.begin(), long_ones.end(), ';'));
    }

    void mistakes_are_found_at_configtest() {
        for (const char* wrong : {"accept=loud", "reject=-1", "prefix"})
            CPPUNIT_ASSERT_MESSAGE(wrong, !PluginUnderTest("logging/adaptive", wrong).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(AdaptiveLogTest);

}  // namespace
}  // namespace smtpd
