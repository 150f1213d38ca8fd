/// headers_test.cc: required and repeated fields, and dates.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;

class HeadersPluginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HeadersPluginTest);
    CPPUNIT_TEST(required_fields_must_be_there);
    CPPUNIT_TEST(singular_fields_must_not_be_repeated);
    CPPUNIT_TEST(a_message_without_header_is_refused);
    CPPUNIT_TEST(all_faults_are_told_and_counted);
    CPPUNIT_TEST(dates_far_from_now_are_refused);
    CPPUNIT_TEST(dates_are_read_in_all_forms);
    CPPUNIT_TEST(what_is_no_date_is_not_judged);
    CPPUNIT_TEST(reject_options_decide);
    CPPUNIT_TEST(immune_clients_are_not_judged);
    CPPUNIT_TEST_SUITE_END();

    // The fake clock stands at Fri, 20 Nov 2026 18:27:00 +0000.
    static std::string dated(const std::string& date) {
        return "From: a@example.net\r\nDate: " + date + "\r\n\r\nbody\r\n";
    }

    static std::string judge(const char* options, const std::string& message) {
        PluginUnderTest plugin("headers", options);
        return shown(plugin.data_post(message));
    }

public:
    void required_fields_must_be_there() {
        const struct {
            const char* options;
            const char* message;
            const char* answer;
        } rows[] = {
            {"", "From: a@example.net\r\n\r\nbody\r\n", "declined"},
            {"", "Subject: x\r\n\r\nbody\r\n", "deny 5.6.0 A message must have a From field"},
            {"require=From,Date", "FROM: a@example.net\r\ndate: today\r\n\r\n", "declined"},
            {"require=From,Date", "From: a@example.net\r\n\r\n", "deny 5.6.0 A message must have a Date field"},
            {"require From,Date,X-Mailer", "Subject: x\r\n\r\n",
             "deny 5.6.0 A message must have a From field / A message must have a Date field / A message must have a "
             "X-Mailer field"},
            {"require=Date require=To", "From: a@example.net\r\n\r\n",
             "deny 5.6.0 A message must have a Date field / A message must have a To field"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.message, std::string(row.answer), judge(row.options, row.message));
    }

    void singular_fields_must_not_be_repeated() {
        for (const std::string name : {"Date", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-Id",
                                       "In-Reply-To", "References", "Subject"}) {
            const std::string second = name == "From" || name == "Date" ? "" : name + ": two\r\n";
            const std::string message = "From: a@example.net\r\nDate: x\r\n" + name + ": one\r\n" + second + "\r\n";
            CPPUNIT_ASSERT_EQUAL("deny 5.6.0 More than one " + name + " field", judge("", message));
        }
        const char* others = "From: a@example.net\r\nReceived: x\r\nReceived: y\r\nComments: x\r\nComments: y\r\n\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), judge("", others));
    }

    void a_message_without_header_is_refused() {
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.6.0 The message has no header"), judge("", "\r\nbody\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.6.0 The message has no header"), judge("", ""));
    }

    void all_faults_are_told_and_counted() {
        PluginUnderTest plugin("headers", "require=From,Date future=1");
        const auto answer = plugin.data_post(
            "To: a@example.com\r\nTo: b@example.com\r\nDate: Fri, 1 Jan 2100 00:00:00 GMT\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("deny 5.6.0 A message must have a From field / More than one To field / The "
                                         "Date is too far in the future"),
                             shown(answer));
        CPPUNIT_ASSERT_EQUAL(-3, plugin.connection().karma());
    }

    void dates_far_from_now_are_refused() {
        const std::string past = "deny 5.6.0 The Date is too far in the past",
                          future = "deny 5.6.0 The Date is too far in the future";
        const struct {
            const char* options;
            const char* date;
            std::string answer;
        } rows[] = {
            {"past=2 future=2", "Fri, 20 Nov 2026 18:27:00 +0000", "declined"},
            {"past=2 future=2", "Thu, 19 Nov 2026 18:27:00 +0000", "declined"},
            {"past=2 future=2", "Wed, 18 Nov 2026 18:27:01 +0000", "declined"},
            {"past=2 future=2", "Wed, 18 Nov 2026 18:26:59 +0000", past},
            {"past=2 future=2", "Sun, 22 Nov 2026 18:27:00 +0000", "declined"},
            {"past=2 future=2", "Sun, 22 Nov 2026 18:27:01 +0000", future},
            {"past=2 future=2", "Thu, 26 Nov 2026 18:27:00 +0000", future},
            {"past=2", "Fri, 1 Jan 2100 00:00:00 +0000", "declined"},
            {"future=2", "Wed, 11 Apr 2262 23:47:17 +0000", future},  // the system clock ends a second earlier
            {"future=2", "Fri, 1 Jan 2263 00:00:00 +0000", future},
            {"past=2 future=2", "Fri, 1 Jan 2500 00:00:00 +0000", future},
            {"past=2", "Fri, 1 Jan 2500 00:00:00 +0000", "declined"},
            {"past=100000 future=100000", "Fri, 31 Dec 9999 23:59:59 -2359", future},
            {"past=2 future=2", "Fri, 1 Jan 1600 00:00:00 +0000", past},  // it begins in 1677
            {"past=100000 future=100000", "Sat, 1 Jan 0000 00:00:00 +0000", past},
            {"future=2", "Fri, 1 Jan 1600 00:00:00 +0000", "declined"},
            {"future=2", "Thu, 1 Jan 1970 00:00:00 +0000", "declined"},
            {"", "Thu, 1 Jan 1970 00:00:00 +0000", "declined"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.options) + " at " + row.date, row.answer,
                                         judge(row.options, dated(row.date)));
    }

    /// Each of these is the time of the clock: a day to either side is just within the limits, a millisecond more is
    /// not.
    void dates_are_read_in_all_forms() {
        const char* same_moment[] = {
            "20 Nov 2026 18:27:00 +0000",
            "20 Nov 2026 18:27 GMT",
            "Fri, 20 Nov 2026 19:27:00 +0100",
            "Fri, 20 Nov 2026 13:27:00 EST",
            "Fri, 20 Nov 2026 14:27:00 edt",
            "20 Nov 26 10:27 PST",
            "20 Nov 126 18:27:00 UT",
            "Fri, 20 NOV 2026 18:27:00 Z",
            "Fri, 20 Nov 2026 18:27:00 -0000 (UTC)",
            "Fri(day) , 20 (a (nested \\) one)) Nov 2026 18 : 27 : 00 +0000",
            "Sat, 21 Nov 2026 03:57:00 +0930",
            "Fri, 20 Nov 2026 18:27:00",
            "Fri, 20 Nov 2026 18:27:00 XYZ",
            "Fri,\r\n 20 Nov 2026\r\n\t18:27:00 +0000",
            "Fri, 20 Nov 2026 12:27:00 CST",
            "Fri, 20 Nov 2026 11:27:00 MST",
            "Fri, 20 Nov 2026 11:27:00 PDT",
            "Fri, 20 Nov 2026 13:27:00 -0500",
        };
        for (const char* date : same_moment) {
            PluginUnderTest plugin("headers", "past=1 future=1");
            const auto at = [&](std::chrono::hours moved) {
                plugin.clock().advance(moved);
                return std::string(verdict_name(plugin.data_post(dated(date)).verdict));
            };
            CPPUNIT_ASSERT_EQUAL_MESSAGE(date, std::string("declined"), at(std::chrono::hours(24)));
            plugin.clock().advance(std::chrono::milliseconds(1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(date, std::string("deny"), at(std::chrono::hours(0)));
            PluginUnderTest earlier("headers", "past=1 future=1");
            earlier.clock().advance(std::chrono::hours(-24));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(date, std::string("declined"), shown(earlier.data_post(dated(date))));
            earlier.clock().advance(std::chrono::milliseconds(-1));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(date, std::string("deny"),
                                         std::string(verdict_name(earlier.data_post(dated(date)).verdict)));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("deny"),
                             judge("past=1", dated("20 Nov 76 18:27:00 GMT")).substr(0, 4));  // 1976
        CPPUNIT_ASSERT_EQUAL(std::string("deny"),
                             judge("future=1", dated("20 Nov 49 18:27:00 GMT")).substr(0, 4));  // 2049
        CPPUNIT_ASSERT_EQUAL(std::string("deny"), judge("past=1", dated("29 Feb 2024 23:59:60 GMT")).substr(0, 4));
    }

    void what_is_no_date_is_not_judged() {
        for (const char* date : {"",
                                 "yesterday",
                                 "Fri 20 Nov 1970 18:27:00 GMT",
                                 "Xyz, 20 Nov 1970 18:27:00 GMT",
                                 "31 Nov 1970 18:27:00 GMT",
                                 "29 Feb 1970 18:27:00 GMT",
                                 "0 Nov 1970 18:27:00 GMT",
                                 "20 Foo 1970 18:27:00 GMT",
                                 "20 Nov 1 18:27:00 GMT",
                                 "20 Nov 19700 18:27:00 GMT",
                                 "20 Nov 1970 24:27:00 GMT",
                                 "20 Nov 1970 18:60:00 GMT",
                                 "20 Nov 1970 18:27:61 GMT",
                                 "20 Nov 1970 18.27 GMT",
                                 "20 Nov 1970",
                                 "20 Nov 1970 18:27:00 +100",
                                 "20 Nov 1970 18:27:00 +0060",
                                 "20 Nov 1970 18:27:00 GMT and more",
                                 "20 Nov 1970 18:27:00 +0000 x",
                                 "1970-11-20T18:27:00Z",
                                 "(unclosed \\"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(date, std::string("declined"), judge("past=1 future=1", dated(date)));
    }

    void reject_options_decide() {
        const char* message = "Subject: x\r\n\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft 4.6.0 A message must have a From field"),
                             judge("reject_type=temp", message));
        PluginUnderTest tolerant("headers", "reject=0");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(tolerant.data_post(message)));
        CPPUNIT_ASSERT(!tolerant.connection().is_naughty());
        CPPUNIT_ASSERT_EQUAL(-1, tolerant.connection().karma());
        CPPUNIT_ASSERT(tolerant.log().contains("fail, tolerated: A message must have a From field"));
    }

    void immune_clients_are_not_judged() {
        PluginUnderTest plugin("headers");
        plugin.transaction().set_whitelisted("a friend's address");
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post("\r\n")));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(HeadersPluginTest);

}  // namespace
}  // namespace smtpd
