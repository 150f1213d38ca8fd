/// extensions_test.cc: the table of extensions, and the effect of the switch on EHLO and on commands.
#include "engine/extensions.h"

#include "fakes/session_under_test.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;

class ExtensionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ExtensionsTest);
    CPPUNIT_TEST(extensions_are_found_by_their_keywords);
    CPPUNIT_TEST(what_only_a_queue_can_keep_is_off);
    CPPUNIT_TEST(some_cannot_be_without_others);
    CPPUNIT_TEST(each_can_be_switched_off);
    CPPUNIT_TEST(each_can_be_switched_on);
    CPPUNIT_TEST(limits_are_announced_as_they_are);
    CPPUNIT_TEST(transactions_have_a_limit);
    CPPUNIT_TEST(recipient_domains_have_a_limit);
    CPPUNIT_TEST(statuses_stand_where_rfc_2034_wants_them);
    CPPUNIT_TEST(without_the_extension_there_are_no_statuses);
    CPPUNIT_TEST(help_can_be_off);
    CPPUNIT_TEST_SUITE_END();

public:
    void extensions_are_found_by_their_keywords() {
        CPPUNIT_ASSERT(find_extension("CHUNKING") == Extension::chunking);
        CPPUNIT_ASSERT(find_extension("mt-priority") == Extension::mt_priority);
        for (const char* none : {"", "CHUNK", "CHUNKINGS", "AUTH", "STARTTLS", "XCLIENTS"})
            CPPUNIT_ASSERT_MESSAGE(none, !find_extension(none));
        for (unsigned i = 0; i < static_cast<unsigned>(Extension::auth); ++i)
            CPPUNIT_ASSERT(find_extension(keyword_of(static_cast<Extension>(i))) == static_cast<Extension>(i));
    }

    void what_only_a_queue_can_keep_is_off() {
        for (unsigned i = 0; i < static_cast<unsigned>(Extension::count); ++i) {
            const auto extension = static_cast<Extension>(i);
            const bool is_promise = extension == Extension::dsn || extension == Extension::require_tls ||
                                    extension == Extension::mt_priority;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(keyword_of(extension)), !is_promise,
                                         default_extensions().has(extension));
        }
    }

    void some_cannot_be_without_others() {
        CPPUNIT_ASSERT(workable(default_extensions()) == default_extensions());
        CPPUNIT_ASSERT(workable({Extension::binary_mime, Extension::smtputf8, Extension::size}) ==
                       ExtensionSet{Extension::size});
        CPPUNIT_ASSERT(needed_by(Extension::binary_mime) == Extension::chunking &&
                       needed_by(Extension::smtputf8) == Extension::eight_bit_mime);
        CPPUNIT_ASSERT(!needed_by(Extension::chunking));
    }

    void each_can_be_switched_off() {
        for (unsigned i = 0; i < static_cast<unsigned>(Extension::auth); ++i) {
            const auto extension = static_cast<Extension>(i);
            CPPUNIT_ASSERT_MESSAGE(std::string(keyword_of(extension)), !announces(extension, false));
        }
    }

    void each_can_be_switched_on() {
        for (unsigned i = 0; i < static_cast<unsigned>(Extension::auth); ++i) {
            const auto extension = static_cast<Extension>(i);
            CPPUNIT_ASSERT_MESSAGE(std::string(keyword_of(extension)), announces(extension, true));
        }
        SessionUnderTest client;  // VRFY is announced only where somebody answers it
        client.start();
        CPPUNIT_ASSERT(client.say("EHLO x").find("VRFY") == std::string::npos);
    }

    void limits_are_announced_as_they_are() {
        SessionUnderTest client;
        client.settings.max_recipients = 2'000'000;
        client.settings.max_transactions = 7;
        client.settings.max_recipient_domains = 3;
        client.start();
        CPPUNIT_ASSERT(client.say("EHLO x").find("250-LIMITS MAILMAX=7 RCPTMAX=999999 RCPTDOMAINMAX=3\r\n") !=
                       std::string::npos);
    }

    void transactions_have_a_limit() {
        SessionUnderTest client;
        client.settings.max_transactions = 2;
        client.hooks.accept_mail();
        client.begin_transaction();
        client.say("RSET");
        CPPUNIT_ASSERT_EQUAL(std::string("501"), fakes::codes(client.say("MAIL FROM:<nonsense")));  // the command
                                                                                                    // counts, not what
                                                                                                    // came of it
        CPPUNIT_ASSERT_EQUAL(std::string("421 4.7.0"), client.say("MAIL FROM:<a@b>").substr(0, 9));
        CPPUNIT_ASSERT(client.is_closed());
    }

    void recipient_domains_have_a_limit() {
        SessionUnderTest client;
        client.settings.max_recipient_domains = 2;
        client.hooks.on(HookId::rcpt, [](HookContext& context) {
            return static_cast<RcptHook&>(context).recipient.address().local_part() == "no" ? deny() : ok();
        });
        client.hooks.respond(HookId::queue, ok());
        client.greet();
        client.say("MAIL FROM:<a@b>");
        const std::pair<const char*, const char*> rows[] = {
            {"a@one.example", "250 2.1.5"}, {"no@five.example", "550 5.7.1"}, {"b@ONE.example", "250 2.1.5"},
            {"a@two.example", "250 2.1.5"}, {"a@three.example", "452 4.5.3"}, {"postmaster", "250 2.1.5"},
            {"c@two.example", "250 2.1.5"}};
        for (const auto& [recipient, reply] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(recipient, std::string(reply),
                                         client.say("RCPT TO:<" + std::string(recipient) + ">").substr(0, 9));
        CPPUNIT_ASSERT_EQUAL(1U, client.session().errors());  // that of no@five.example: who is one too many has done
                                                              // nothing wrong
        client.say("DATA");
        client.say(".");
        client.say("MAIL FROM:<a@b>");  // it is one of the session
        CPPUNIT_ASSERT_EQUAL(std::string("452 4.5.3"), client.say("RCPT TO:<a@three.example>").substr(0, 9));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5"), client.say("RCPT TO:<a@two.example>").substr(0, 9));
    }

    /// All 2xx, 4xx and 5xx except the greeting and the replies to HELO and EHLO; no 3xx.
    void statuses_stand_where_rfc_2034_wants_them() {
        SessionUnderTest client;
        client.hooks.accept_mail();
        CPPUNIT_ASSERT(!has_status(client.start()));
        const std::pair<const char*, bool> rows[] = {{"HELO x", false},
                                                     {"EHLO x", false},
                                                     {"NOOP", true},
                                                     {"HELP", true},
                                                     {"VRFY x", true},
                                                     {"NONSENSE", true},
                                                     {"ETRN x", true},
                                                     {"DATA", true},
                                                     {"MAIL FROM:<a@b>", true},
                                                     {"RCPT TO:<c@d>", true},
                                                     {"BDAT 0", true},
                                                     {"BDAT 0 LAST", true},
                                                     {"MAIL FROM:<a@b> X", true},
                                                     {"MAIL FROM:<a@b>", true},
                                                     {"RCPT TO:<c@d>", true},
                                                     {"DATA", false},
                                                     {".", true},
                                                     {"RSET", true},
                                                     {"QUIT", true}};
        for (const auto& [line, expected] : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line, expected, has_status(client.say(line)));
    }

    void without_the_extension_there_are_no_statuses() {
        SessionUnderTest client;
        client.settings.extensions.set(Extension::enhanced_status_codes, false);
        client.hooks.accept_mail();
        client.start();
        for (const char* line : {"EHLO x", "NOOP", "NONSENSE", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", ".", "QUIT"})
            CPPUNIT_ASSERT_MESSAGE(line, !has_status(client.say(line)));
    }

    void help_can_be_off() {
        SessionUnderTest client;
        client.settings.extensions.set(Extension::help, false);
        client.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("502 5.5.1"), client.say("HELP").substr(0, 9));
    }

private:
    static bool announces(Extension extension, bool is_on) {
        SessionUnderTest client;
        for (unsigned i = 0; i < static_cast<unsigned>(Extension::auth); ++i)
            client.settings.extensions.set(static_cast<Extension>(i));
        client.settings.extensions.set(extension, is_on);
        client.settings.trusted_proxies = {*IpNetwork::parse(client.peer.client.address.to_string())};
        client.peer.tls_protocol = "TLSv1.3";
        client.hooks.watch(HookId::vrfy);
        client.hooks.watch(HookId::data_post_rcpt);
        client.start();
        const auto reply = client.say("EHLO x") + "\r\n";
        const std::string keyword(keyword_of(extension));
        for (const char* before : {"250-", "250 "})
            for (const char* behind : {"\r\n", " "})
                if (reply.find(before + keyword + behind) != std::string::npos) return true;
        return false;
    }

    /// Whether every line of the reply has an enhanced code of the class of its code.
    static bool has_status(const std::string& reply) {
        bool all = true;
        for (std::size_t at = 0; at < reply.size(); at = reply.find('\n', at) + 1)
            all = all && reply.size() > at + 9 && reply[at + 4] == reply[at] && reply[at + 5] == '.' &&
                  reply[at + 7] == '.';
        return all;
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ExtensionsTest);

}  // namespace
}  // namespace smtpd::engine
