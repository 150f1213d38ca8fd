/// request_test.cc: a request arrives unchanged in the server's program, and so does the outcome in the command.
#include "dry_run/request.h"
#include "dry_run/conversation.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace {

using namespace smtpd;
using std::string;

}  // namespace

class DryRunRequestTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DryRunRequestTest);
    CPPUNIT_TEST(a_request_comes_back_as_it_was);
    CPPUNIT_TEST(a_request_is_read_to_the_last_octet);
    CPPUNIT_TEST(what_is_no_request_is_an_error);
    CPPUNIT_TEST(an_outcome_is_told_from_what_is_none);
    CPPUNIT_TEST(endpoints_are_read);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_request_comes_back_as_it_was() {
        dry_run::Request request;
        request.is_json = request.is_list = request.takes_time = true;
        request.is_esmtp = false;
        request.host = "mx.example.com:25";
        request.client = *dry_run::parse_endpoint("[2001:db8::1]:4711", 0);
        request.client_host = "host.example";
        request.tls = "TLSv1.3";
        request.helo = "me";
        request.user = "user";
        request.password = string("pass\0\nword 3\n", 13);
        request.mechanism = "LOGIN";
        request.from = "";
        request.to = {"a@b", "c d@e"};
        request.message = string("x 1\n\0\n", 6);
        request.zone = "";
        request.again = {Duration(1), std::chrono::hours(2)};
        request.log = LogLevel::debug;
        const string text = request.to_text();
        const auto copy = dry_run::Request::from_text(text);
        CPPUNIT_ASSERT(copy);
        CPPUNIT_ASSERT_EQUAL(text, copy->to_text());
        CPPUNIT_ASSERT_EQUAL(*request.message, *copy->message);
        CPPUNIT_ASSERT_EQUAL(request.password, copy->password);
        CPPUNIT_ASSERT(copy->from && copy->from->empty());
        CPPUNIT_ASSERT(copy->zone && copy->again == request.again && copy->log == LogLevel::debug &&
                       copy->to == request.to);
        const auto plain = dry_run::Request::from_text(dry_run::Request().to_text());
        CPPUNIT_ASSERT(plain && !plain->from && !plain->message && !plain->zone && plain->is_esmtp && !plain->is_json);
    }

    void a_request_is_read_to_the_last_octet() {
        dry_run::Request request;
        request.message = "text";
        request.log = LogLevel::debug;
        const string text = request.to_text();
        for (std::size_t size = 0; size < text.size(); ++size) {
            const auto cut = dry_run::Request::from_text(text.substr(0, size));
            CPPUNIT_ASSERT_MESSAGE(format_text("{} octets", size), !cut || cut->to_text() != text);
        }
    }

    void what_is_no_request_is_an_error() {
        for (const char* text :
             {"", "x", "host 1\n", "host -1\nx\n", "nothing 1\nx\n", "client 1\nx\n", "host 99999999999999999999\nx\n"})
            CPPUNIT_ASSERT_MESSAGE(text, !dry_run::Request::from_text(text));
    }

    void an_outcome_is_told_from_what_is_none() {
        string output = dry_run::with_outcome("text\n", dry_run::MailOutcome::deferred);
        CPPUNIT_ASSERT(dry_run::take_outcome(output) == dry_run::MailOutcome::deferred);
        CPPUNIT_ASSERT_EQUAL(string("text\n"), output);
        for (string none : {string(), string("text"), string("0"), string("x\0009", 3)})
            CPPUNIT_ASSERT_MESSAGE(none, !dry_run::take_outcome(none));
    }

    void endpoints_are_read() {
        const struct {
            const char* text;
            const char* address;
            int port;
        } rows[] = {
            {"192.0.2.1", "192.0.2.1", 7},
            {"192.0.2.1:25", "192.0.2.1", 25},
            {"2001:db8::1", "2001:db8::1", 7},
            {"[2001:db8::1]:25", "2001:db8::1", 25},
            {"[2001:db8::1]", "2001:db8::1", 7},
            {"", nullptr, 0},
            {"host", nullptr, 0},
            {"192.0.2.1:0", nullptr, 0},
            {"192.0.2.1:65536", nullptr, 0},
            {"192.0.2.1:", nullptr, 0},
            {"[2001:db8::1", nullptr, 0},
            {"[2001:db8::1]x5", nullptr, 0},
        };
        for (const auto& row : rows) {
            const auto endpoint = dry_run::parse_endpoint(row.text, 7);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, row.address != nullptr, endpoint.has_value());
            if (!endpoint) continue;
            CPPUNIT_ASSERT_EQUAL(string(row.address), endpoint->address.to_string());
            CPPUNIT_ASSERT_EQUAL(row.port, static_cast<int>(endpoint->port));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DryRunRequestTest);
