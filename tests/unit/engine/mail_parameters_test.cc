/// mail_parameters_test.cc: each parameter of MAIL and RCPT, right and wrong in each way, and what a queue plugin sees
/// of it.
#include "fakes/session_under_test.h"
#include "fakes/temp_directory.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;

constexpr Extension all_switches[] = {Extension::pipelining,
                                      Extension::eight_bit_mime,
                                      Extension::enhanced_status_codes,
                                      Extension::smtputf8,
                                      Extension::chunking,
                                      Extension::binary_mime,
                                      Extension::dsn,
                                      Extension::require_tls,
                                      Extension::mt_priority,
                                      Extension::limits,
                                      Extension::vrfy,
                                      Extension::help,
                                      Extension::size,
                                      Extension::prdr};

struct Row {
    const char* name;
    std::string parameters;
    const char* reply;
};

/// "501 5.5.4"
std::string status(const std::string& output) {
    return output.substr(0, output[3] == ' ' && output[5] == '.' ? output.find(' ', 4) : 3);
}

class MailParametersTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MailParametersTest);
    CPPUNIT_TEST(parameters_of_mail_are_judged);
    CPPUNIT_TEST(parameters_of_rcpt_are_judged);
    CPPUNIT_TEST(parameters_of_extensions_that_are_off_are_unknown);
    CPPUNIT_TEST(after_helo_there_are_no_extensions);
    CPPUNIT_TEST(the_longest_lines_are_taken);
    CPPUNIT_TEST(unknown_parameters_are_ignored_where_it_is_said_but_known_ones_are_not);
    CPPUNIT_TEST(a_message_that_has_no_room_is_refused_at_once);
    CPPUNIT_TEST(queue_plugins_see_all_of_it);
    CPPUNIT_TEST(without_parameters_there_is_nothing_to_see);
    CPPUNIT_TEST(nobody_gives_himself_priority);
    CPPUNIT_TEST(non_ascii_addresses_need_smtputf8);
    CPPUNIT_TEST(a_message_says_whether_it_needs_smtputf8);
    CPPUNIT_TEST(verify_has_smtputf8_too);
    CPPUNIT_TEST_SUITE_END();

public:
    void parameters_of_mail_are_judged() {
        const std::string hundred(100, 'e');
        const std::string long_value(1100, 'v');
        check("MAIL FROM:<a@b>", "250 2.1.0",
              {{"SIZE", "SIZE=0", "250 2.1.0"},
               {"SIZE at the limit", "SIZE=1000", "250 2.1.0"},
               {"SIZE in lower case", "size=1000", "250 2.1.0"},
               {"SIZE above the limit", "SIZE=1001", "552 5.3.4"},
               {"SIZE of 20 digits", "SIZE=99999999999999999999", "552 5.3.4"},
               {"SIZE of 20 digits with zeros", "SIZE=00000000000000001000", "250 2.1.0"},
               {"SIZE of 21 digits", "SIZE=100000000000000000000", "501 5.5.4"},
               {"SIZE without value", "SIZE", "501 5.5.4"},
               {"SIZE empty", "SIZE=", "501 5.5.4"},
               {"SIZE twice", "SIZE=1 SIZE=1", "501 5.5.4"},
               {"SIZE below zero", "SIZE=-1", "501 5.5.4"},
               {"SIZE with a sign", "SIZE=+1", "501 5.5.4"},
               {"SIZE in words", "SIZE=many", "501 5.5.4"},
               {"SIZE with trailing text", "SIZE=1k", "501 5.5.4"},
               {"SIZE over-long", "SIZE=" + long_value, "501 5.5.4"},
               {"BODY 7BIT", "BODY=7BIT", "250 2.1.0"},
               {"BODY 8BITMIME", "BODY=8BITMIME", "250 2.1.0"},
               {"BODY BINARYMIME", "BODY=BINARYMIME", "250 2.1.0"},
               {"BODY in lower case", "body=8bitmime", "250 2.1.0"},
               {"BODY unknown", "BODY=9BIT", "501 5.5.4"},
               {"BODY with trailing text", "BODY=8BITMIMEX", "501 5.5.4"},
               {"BODY without value", "BODY", "501 5.5.4"},
               {"BODY empty", "BODY=", "501 5.5.4"},
               {"BODY twice", "BODY=7BIT BODY=8BITMIME", "501 5.5.4"},
               {"BODY over-long", "BODY=" + long_value, "501 5.5.4"},
               {"SMTPUTF8", "SMTPUTF8", "250 2.1.0"},
               {"SMTPUTF8 in lower case", "smtputf8", "250 2.1.0"},
               {"SMTPUTF8 with a value", "SMTPUTF8=1", "501 5.5.4"},
               {"SMTPUTF8 empty", "SMTPUTF8=", "501 5.5.4"},
               {"SMTPUTF8 twice", "SMTPUTF8 SMTPUTF8", "501 5.5.4"},
               {"SMTPUTF8 with trailing text", "SMTPUTF8X", "555 5.5.4"},
               {"SMTPUTF8 over-long", "SMTPUTF8=" + long_value, "501 5.5.4"},
               {"AUTH null", "AUTH=<>", "250 2.1.0"},
               {"AUTH an address", "AUTH=e+3Dmc2@example.com", "250 2.1.0"},
               {"AUTH in lower case", "auth=<>", "250 2.1.0"},
               {"AUTH null with trailing text", "AUTH=<>x", "501 5.5.4"},
               {"AUTH an address with trailing text", "AUTH=a@example.com+2C", "501 5.5.4"},
               {"AUTH over-long", "AUTH=" + long_value + "@example.com", "501 5.5.4"},
               {"AUTH no address", "AUTH=nobody", "501 5.5.4"},
               {"AUTH bad xtext", "AUTH=a+3d@example.com", "501 5.5.4"},
               {"AUTH without value", "AUTH", "501 5.5.4"},
               {"AUTH empty", "AUTH=", "501 5.5.4"},
               {"AUTH twice", "AUTH=<> AUTH=<>", "501 5.5.4"},
               {"AUTH in UTF-8 without SMTPUTF8", "AUTH=+C3+A9@example.com", "501 5.5.4"},
               {"AUTH in UTF-8 with SMTPUTF8", "AUTH=+C3+A9@example.com SMTPUTF8", "250 2.1.0"},
               {"RET FULL", "RET=FULL", "250 2.1.0"},
               {"RET HDRS in lower case", "ret=hdrs", "250 2.1.0"},
               {"RET unknown", "RET=BODY", "501 5.5.4"},
               {"RET both", "RET=FULL,HDRS", "501 5.5.4"},
               {"RET with trailing text", "RET=FULLY", "501 5.5.4"},
               {"RET over-long", "RET=" + long_value, "501 5.5.4"},
               {"RET without value", "RET", "501 5.5.4"},
               {"RET empty", "RET=", "501 5.5.4"},
               {"RET twice", "RET=FULL RET=FULL", "501 5.5.4"},
               {"ENVID", "ENVID=QQ314159", "250 2.1.0"},
               {"ENVID in lower case", "envid=QQ314159", "250 2.1.0"},
               {"ENVID with trailing text", "ENVID=a b", "555 5.5.4"},
               {"ENVID over-long", "ENVID=" + long_value, "501 5.5.4"},
               {"ENVID with blanks in xtext", "ENVID=a+20b", "250 2.1.0"},
               {"ENVID of 100 characters", "ENVID=" + hundred, "250 2.1.0"},
               {"ENVID of 101 characters", "ENVID=x" + hundred, "501 5.5.4"},
               {"ENVID in bad xtext", "ENVID=a+2", "501 5.5.4"},
               {"ENVID in xtext of lower case", "ENVID=a+2b", "501 5.5.4"},
               {"ENVID with a control character", "ENVID=a+0A", "501 5.5.4"},
               {"ENVID with NUL", "ENVID=a+00", "501 5.5.4"},
               {"ENVID not ASCII", "ENVID=a+E9", "501 5.5.4"},
               {"ENVID not ASCII as it is", "ENVID=a\xc3\xa9", "501 5.5.4"},
               {"ENVID not ASCII with SMTPUTF8", "ENVID=a\xc3\xa9 SMTPUTF8", "501 5.5.4"},
               {"ENVID without value", "ENVID", "501 5.5.4"},
               {"ENVID empty", "ENVID=", "501 5.5.4"},
               {"ENVID twice", "ENVID=1 ENVID=2", "501 5.5.4"},
               {"REQUIRETLS", "REQUIRETLS", "250 2.1.0"},
               {"REQUIRETLS in lower case", "requiretls", "250 2.1.0"},
               {"REQUIRETLS with a value", "REQUIRETLS=YES", "501 5.5.4"},
               {"REQUIRETLS empty", "REQUIRETLS=", "501 5.5.4"},
               {"REQUIRETLS twice", "REQUIRETLS REQUIRETLS", "501 5.5.4"},
               {"REQUIRETLS with trailing text", "REQUIRETLSX", "555 5.5.4"},
               {"REQUIRETLS over-long", "REQUIRETLS=" + long_value, "501 5.5.4"},
               {"MT-PRIORITY 0", "MT-PRIORITY=0", "250 2.1.0"},
               {"MT-PRIORITY 9", "MT-PRIORITY=9", "250 2.1.0"},
               {"MT-PRIORITY -9 in lower case", "mt-priority=-9", "250 2.1.0"},
               {"MT-PRIORITY 10", "MT-PRIORITY=10", "501 5.5.4"},
               {"MT-PRIORITY -10", "MT-PRIORITY=-10", "501 5.5.4"},
               {"MT-PRIORITY -0", "MT-PRIORITY=-0", "501 5.5.4"},
               {"MT-PRIORITY +1", "MT-PRIORITY=+1", "501 5.5.4"},
               {"MT-PRIORITY 01", "MT-PRIORITY=01", "501 5.5.4"},
               {"MT-PRIORITY in words", "MT-PRIORITY=high", "501 5.5.4"},
               {"MT-PRIORITY with trailing text", "MT-PRIORITY=1x", "501 5.5.4"},
               {"MT-PRIORITY over-long", "MT-PRIORITY=" + std::string(1000, '1'), "501 5.5.4"},
               {"MT-PRIORITY a sign", "MT-PRIORITY=-", "501 5.5.4"},
               {"MT-PRIORITY without value", "MT-PRIORITY", "501 5.5.4"},
               {"MT-PRIORITY empty", "MT-PRIORITY=", "501 5.5.4"},
               {"MT-PRIORITY twice", "MT-PRIORITY=1 MT-PRIORITY=1", "501 5.5.4"},
               {"PRDR", "PRDR", "250 2.1.0"},
               {"PRDR in lower case", "prdr", "250 2.1.0"},
               {"PRDR with a value", "PRDR=1", "501 5.5.4"},
               {"PRDR empty", "PRDR=", "501 5.5.4"},
               {"PRDR twice", "PRDR PRDR", "501 5.5.4"},
               {"PRDR with trailing text", "PRDRX", "555 5.5.4"},
               {"PRDR over-long", "PRDR=" + long_value, "501 5.5.4"},
               {"everything", "SIZE=1 BODY=8BITMIME SMTPUTF8 AUTH=<> RET=HDRS ENVID=x REQUIRETLS MT-PRIORITY=1 PRDR",
                "250 2.1.0"},
               {"a parameter of RCPT", "NOTIFY=NEVER", "555 5.5.4"},
               {"another of RCPT", "ORCPT=rfc822;c@d", "555 5.5.4"},
               {"unknown", "X=1", "555 5.5.4"},
               {"unknown beside known", "SIZE=1 X", "555 5.5.4"},
               {"not implemented", "HOLDFOR=1", "555 5.5.4"},
               {"LIMITS, which has no parameter", "RCPTMAX=1", "555 5.5.4"},
               {"a key that scripts mistake", "__proto__=1", "501 5.5.4"},
               {"another", "CONSTRUCTOR=1", "555 5.5.4"},
               {"no keyword", "=1", "501 5.5.4"},
               {"an equals sign", "=", "501 5.5.4"},
               {"two values", "SIZE=1=1", "501 5.5.4"}});
    }

    void parameters_of_rcpt_are_judged() {
        const std::string longest = "rfc822;" + std::string(500 - 7, 'a');
        check("RCPT TO:<c@d>", "250 2.1.5",
              {{"NOTIFY NEVER", "NOTIFY=NEVER", "250 2.1.5"},
               {"NOTIFY all", "NOTIFY=SUCCESS,FAILURE,DELAY", "250 2.1.5"},
               {"NOTIFY in lower case", "notify=success,delay", "250 2.1.5"},
               {"NOTIFY NEVER and another", "NOTIFY=NEVER,FAILURE", "501 5.5.4"},
               {"NOTIFY another and NEVER", "NOTIFY=SUCCESS,NEVER", "501 5.5.4"},
               {"NOTIFY NEVER twice", "NOTIFY=NEVER,NEVER", "501 5.5.4"},
               {"NOTIFY unknown", "NOTIFY=ALWAYS", "501 5.5.4"},
               {"NOTIFY with a comma in front", "NOTIFY=,SUCCESS", "501 5.5.4"},
               {"NOTIFY with a comma behind", "NOTIFY=SUCCESS,", "501 5.5.4"},
               {"NOTIFY with two commas", "NOTIFY=SUCCESS,,DELAY", "501 5.5.4"},
               {"NOTIFY a comma", "NOTIFY=,", "501 5.5.4"},
               {"NOTIFY with trailing text", "NOTIFY=SUCCESSES", "501 5.5.4"},
               {"NOTIFY without value", "NOTIFY", "501 5.5.4"},
               {"NOTIFY empty", "NOTIFY=", "501 5.5.4"},
               {"NOTIFY twice", "NOTIFY=DELAY NOTIFY=DELAY", "501 5.5.4"},
               {"NOTIFY with the same twice", "NOTIFY=DELAY,DELAY", "250 2.1.5"},
               {"NOTIFY over-long", "NOTIFY=" + std::string(1100, 'S'), "501 5.5.4"},
               {"ORCPT", "ORCPT=rfc822;c@d", "250 2.1.5"},
               {"ORCPT in lower case", "orcpt=rfc822;c@d", "250 2.1.5"},
               {"ORCPT with trailing text", "ORCPT=rfc822;c@d x", "555 5.5.4"},
               {"ORCPT in upper case", "ORCPT=RFC822;c+2Bx@d", "250 2.1.5"},
               {"ORCPT of another type", "ORCPT=x400;/C=no/ADMD=+20/", "501 5.5.4"},
               {"ORCPT of another type as xtext", "ORCPT=x400;/C+3Dno/ADMD+3D+20/", "250 2.1.5"},
               {"ORCPT of 500 characters", "ORCPT=" + longest, "250 2.1.5"},
               {"ORCPT of 501 characters", "ORCPT=" + longest + "a", "501 5.5.4"},
               {"ORCPT without type", "ORCPT=c@d", "501 5.5.4"},
               {"ORCPT with an empty type", "ORCPT=;c@d", "501 5.5.4"},
               {"ORCPT with a type that is none", "ORCPT=rfc(822);c@d", "501 5.5.4"},
               {"ORCPT without address", "ORCPT=rfc822;", "501 5.5.4"},
               {"ORCPT in bad xtext", "ORCPT=rfc822;c+@d", "501 5.5.4"},
               {"ORCPT with a line end", "ORCPT=rfc822;c+0D+0Ad", "501 5.5.4"},
               {"ORCPT with NUL", "ORCPT=rfc822;c+00", "501 5.5.4"},
               {"ORCPT utf-8 in ASCII", R"(ORCPT=utf-8;jos\x{E9}@d)", "250 2.1.5"},
               {"ORCPT utf-8 broken", R"(ORCPT=utf-8;jos\x{E9@d)", "501 5.5.4"},
               {"ORCPT utf-8 as it is without SMTPUTF8", "ORCPT=utf-8;jos\xc3\xa9@d", "501 5.5.4"},
               {"ORCPT without value", "ORCPT", "501 5.5.4"},
               {"ORCPT empty", "ORCPT=", "501 5.5.4"},
               {"ORCPT twice", "ORCPT=rfc822;c@d ORCPT=rfc822;c@d", "501 5.5.4"},
               {"both", "NOTIFY=DELAY ORCPT=rfc822;c@d", "250 2.1.5"},
               {"a parameter of MAIL", "SIZE=1", "555 5.5.4"},
               {"BODY", "BODY=7BIT", "555 5.5.4"},
               {"SMTPUTF8", "SMTPUTF8", "555 5.5.4"},
               {"AUTH", "AUTH=<>", "555 5.5.4"},
               {"RET", "RET=FULL", "555 5.5.4"},
               {"ENVID", "ENVID=x", "555 5.5.4"},
               {"REQUIRETLS", "REQUIRETLS", "555 5.5.4"},
               {"MT-PRIORITY", "MT-PRIORITY=1", "555 5.5.4"},
               {"PRDR", "PRDR", "555 5.5.4"},
               {"not implemented", "RRVS=2014-04-03T23:01:00Z", "555 5.5.4"},
               {"unknown", "X=1", "555 5.5.4"}});
    }

    void parameters_of_extensions_that_are_off_are_unknown() {
        const struct {
            Extension extension;
            const char* parameters;
            const char* reply;
        } rows[] = {{Extension::size, "SIZE=1", "555 5.5.4"},
                    {Extension::smtputf8, "SMTPUTF8", "555 5.5.4"},
                    {Extension::dsn, "RET=FULL", "555 5.5.4"},
                    {Extension::dsn, "ENVID=x", "555 5.5.4"},
                    {Extension::require_tls, "REQUIRETLS", "555 5.5.4"},
                    {Extension::mt_priority, "MT-PRIORITY=1", "555 5.5.4"},
                    {Extension::binary_mime, "BODY=BINARYMIME", "504 5.5.4"},
                    {Extension::binary_mime, "BODY=8BITMIME", "250 2.1.0"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            prepare(client);
            client.settings.extensions.set(row.extension, false);
            client.greet();
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.parameters, std::string(row.reply),
                                         status(client.say("MAIL FROM:<a@b> " + std::string(row.parameters))));
        }
        SessionUnderTest clear;  // RFC 8689: not in the clear
        prepare(clear);
        clear.peer.tls_protocol.clear();
        clear.start();
        CPPUNIT_ASSERT(clear.say("EHLO x").find("REQUIRETLS") == std::string::npos);
        CPPUNIT_ASSERT_EQUAL(std::string("555 5.5.4"), status(clear.say("MAIL FROM:<a@b> REQUIRETLS")));

        SessionUnderTest plain;  // without 8BITMIME and BINARYMIME there is no BODY
        prepare(plain);
        plain.settings.extensions = ExtensionSet{Extension::size, Extension::enhanced_status_codes};
        plain.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("555 5.5.4"), status(plain.say("MAIL FROM:<a@b> BODY=7BIT")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.0"), status(plain.say("MAIL FROM:<a@b>")));
        CPPUNIT_ASSERT_EQUAL(std::string("555 5.5.4"), status(plain.say("RCPT TO:<c@d> NOTIFY=NEVER")));
    }

    void after_helo_there_are_no_extensions() {
        for (const auto* parameters :
             {"SMTPUTF8", "RET=FULL", "REQUIRETLS", "MT-PRIORITY=1", "AUTH=<>", "BODY=BINARYMIME"}) {
            SessionUnderTest client;
            prepare(client);
            client.start();
            client.say("HELO x");
            const auto said = status(client.say("MAIL FROM:<a@b> " + std::string(parameters)));
            CPPUNIT_ASSERT_MESSAGE(parameters, said == "555 5.5.4" || said == "504 5.5.4");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(parameters, std::string("250 2.1.0"),
                                         status(client.say("MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME")));
        }
    }

    /// Each at its maximum, and blanks up to the sum in the RFCs.
    void the_longest_lines_are_taken() {
        SessionUnderTest client;
        prepare(client);
        client.greet();
        const std::string longest_address = std::string(64, 'a') + "@" + std::string(63, 'b') + "." +
                                            std::string(63, 'c') + "." + std::string(61, 'd');
        std::string mail = "MAIL FROM:<" + longest_address +
                           "> SIZE=00000000000000001000 BODY=8BITMIME SMTPUTF8 AUTH=" + std::string(60, 'e') +
                           "@example.com RET=HDRS ENVID=" + std::string(100, 'e') + " REQUIRETLS MT-PRIORITY=-9";
        CPPUNIT_ASSERT(mail.size() < longest_mail_line - 2);
        mail.insert(mail.find(" SIZE"), longest_mail_line - 2 - mail.size(), ' ');
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.0"), status(client.say(mail)));
        std::string rcpt = "RCPT TO:<" + longest_address + "> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;" +
                           std::string(493, 'e');
        rcpt.insert(rcpt.find(" NOTIFY"), longest_rcpt_line - 2 - rcpt.size(), ' ');
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5"), status(client.say(rcpt)));
        CPPUNIT_ASSERT(Settings().max_command_line >= longest_mail_line);
    }

    void unknown_parameters_are_ignored_where_it_is_said_but_known_ones_are_not() {
        SessionUnderTest client;
        prepare(client);
        client.settings.ignore_unknown_parameters = true;
        client.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("501 5.5.4"), status(client.say("MAIL FROM:<a@b> X=1 RET=BODY")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.0"), status(client.say("MAIL FROM:<a@b> X=1 Y RET=FULL")));
        CPPUNIT_ASSERT_EQUAL(std::string("501 5.5.4"), status(client.say("RCPT TO:<c@d> X=1 NOTIFY=X")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5"), status(client.say("RCPT TO:<c@d> X=1 NOTIFY=NEVER")));
    }

    void a_message_that_has_no_room_is_refused_at_once() {
        const fakes::TempDirectory directory;
        SessionUnderTest client;
        client.settings.spool.directory = directory.path();
        client.settings.spool.threshold = 1000;
        client.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("452 4.3.1"), status(client.say("MAIL FROM:<a@b> SIZE=18446744073709551615")));
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.0"), status(client.say("MAIL FROM:<a@b> SIZE=1001")));
        SessionUnderTest small;  // what stays in memory needs no disk, and nor does what nobody keeps
        small.settings.spool.directory = "/no such directory";
        small.settings.spool.threshold = 1000;
        small.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.0"), status(small.say("MAIL FROM:<a@b> SIZE=1000")));
        SessionUnderTest careless;
        careless.settings.spool.directory = directory.path();
        careless.settings.spool.threshold = 1000;
        careless.settings.spool.keep_body = false;
        careless.greet();
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.0"),
                             status(careless.say("MAIL FROM:<a@b> SIZE=18446744073709551615")));
    }

    void queue_plugins_see_all_of_it() {
        SessionUnderTest client;
        prepare(client);
        bool seen = false;
        client.hooks.on(HookId::queue, [&](HookContext& context) {
            const auto& delivery = static_cast<const Delivery&>(context);
            const Envelope& envelope = delivery.envelope();
            CPPUNIT_ASSERT(envelope.body_type == BodyType::eight_bit_mime && envelope.is_8bitmime() &&
                           !envelope.is_binarymime());
            CPPUNIT_ASSERT(envelope.is_smtputf8 && envelope.requires_tls);
            CPPUNIT_ASSERT_EQUAL(-3, envelope.priority.value());
            CPPUNIT_ASSERT(envelope.dsn_return == DsnReturn::headers);
            CPPUNIT_ASSERT_EQUAL(std::string("id=7 x"), envelope.id.value());
            const auto& recipients = delivery.recipients();
            CPPUNIT_ASSERT(recipients.at(0).notify() == (Notify{.success = true, .delay = true}) &&
                           !recipients[0].notify()->is_never());
            CPPUNIT_ASSERT_EQUAL(std::string("rfc822"), recipients[0].original_recipient()->type);
            CPPUNIT_ASSERT_EQUAL(std::string("c+d@e"), recipients[0].original_recipient()->address);
            CPPUNIT_ASSERT(recipients.at(1).notify()->is_never());
            CPPUNIT_ASSERT_EQUAL(std::string("jos\xc3\xa9@d"), recipients[1].original_recipient()->address);
            CPPUNIT_ASSERT(!recipients.at(2).notify() && !recipients[2].original_recipient());
            seen = true;
            return ok();
        });
        client.greet();
        client.say("MAIL FROM:<a@b> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=id+3D7+20x REQUIRETLS MT-PRIORITY=-3");
        client.say("RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+2Bd@e");
        client.say("RCPT TO:<d@d> NOTIFY=NEVER ORCPT=UTF-8;jos\xc3\xa9@d");
        client.say("RCPT TO:<e@d>");
        client.say("DATA");
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0"), status(client.say(".")));
        CPPUNIT_ASSERT(seen);
    }

    void without_parameters_there_is_nothing_to_see() {
        SessionUnderTest client;
        prepare(client);
        bool seen = false;
        client.hooks.on(HookId::queue, [&](HookContext& context) {
            const Envelope& envelope = static_cast<const Delivery&>(context).envelope();
            CPPUNIT_ASSERT(envelope.body_type == BodyType::seven_bit && !envelope.is_smtputf8 &&
                           !envelope.requires_tls);
            CPPUNIT_ASSERT(!envelope.priority && !envelope.dsn_return && !envelope.id);
            seen = true;
            return ok();
        });
        client.begin_transaction();
        client.say("RSET");  // and nothing is left of an earlier transaction
        client.say("MAIL FROM:<a@b> BODY=BINARYMIME SMTPUTF8 RET=HDRS ENVID=x REQUIRETLS MT-PRIORITY=-3");
        client.say("RSET");
        client.say("MAIL FROM:<a@b>");
        client.say("RCPT TO:<c@d>");
        client.say("DATA");
        client.say(".");
        CPPUNIT_ASSERT(seen);
    }

    void nobody_gives_himself_priority() {
        const struct {
            const char* name;
            bool relays;
            const char* parameters;
            int priority;
            const char* reply;
        } rows[] = {{"a stranger", false, " MT-PRIORITY=4", 0, "250 2.3.6 0 is"},
                    {"a stranger who asks for less", false, " MT-PRIORITY=-4", -4, "250 2.0.0"},
                    {"a relay client", true, " MT-PRIORITY=4", 4, "250 2.0.0"},
                    {"nothing", true, "", 0, "250 2.0.0"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            prepare(client);
            client.hooks.on(HookId::queue, [&](HookContext& context) {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.priority,
                                             static_cast<const Delivery&>(context).envelope().priority.value_or(0));
                return ok();
            });
            client.greet();
            client.session().set_relay_client(row.relays);
            client.say("MAIL FROM:<a@b>" + std::string(row.parameters));
            client.say("RCPT TO:<c@d>");
            client.say("DATA");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.reply),
                                         client.say(".").substr(0, std::string(row.reply).size()));
        }
        SessionUnderTest client;  // a plugin decides otherwise
        prepare(client);
        client.hooks.on(HookId::mail, [](HookContext& context) {
            static_cast<MailHook&>(context).transaction.set_priority(-9);
            return declined();
        });
        client.hooks.accept_mail();
        client.begin_data();
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.3.6 -9 is"), client.say(".").substr(0, 15));
    }

    void non_ascii_addresses_need_smtputf8() {
        const Row rows[] = {{"a local part", "MAIL FROM:<jos\xc3\xa9@b>", "553 5.6.7"},
                            {"a domain",
                             "MAIL FROM:<a@b\xc3\xbc"
                             "cher.example>",
                             "553 5.6.7"},
                            {"no UTF-8", "MAIL FROM:<jos\xe9@b>", "553 5.6.7"},
                            {"with it",
                             "MAIL FROM:<jos\xc3\xa9@b\xc3\xbc"
                             "cher.example> SMTPUTF8",
                             "250 2.1.0"},
                            {"with it, quoted", "MAIL FROM:<\"jos\xc3\xa9 x\"@b> SMTPUTF8", "250 2.1.0"},
                            {"no UTF-8 with it", "MAIL FROM:<jos\xe9@b> SMTPUTF8", "501 5.1.7"},
                            {"overlong", "MAIL FROM:<\xc0\xafjos@b> SMTPUTF8", "501 5.1.7"},
                            {"a surrogate", "MAIL FROM:<\xed\xa0\x80@b> SMTPUTF8", "501 5.1.7"},
                            {"cut off", "MAIL FROM:<\xe2\x82@b> SMTPUTF8", "501 5.1.7"},
                            {"above Unicode", "MAIL FROM:<\xf4\x90\x80\x80@b> SMTPUTF8", "501 5.1.7"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            prepare(client);
            client.greet();
            const auto reply = client.say(row.parameters);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.reply), status(reply));
            CPPUNIT_ASSERT_MESSAGE(row.name, reply.find_first_of("\xc3\xe9\xc0\xed\xe2\xf4") == std::string::npos);
        }
        SessionUnderTest client;
        prepare(client);
        client.greet();
        client.say("MAIL FROM:<a@b>");
        CPPUNIT_ASSERT_EQUAL(std::string("553 5.6.7"), status(client.say("RCPT TO:<jos\xc3\xa9@b>")));
        client.say("RSET");
        client.say("MAIL FROM:<a@b> SMTPUTF8");
        CPPUNIT_ASSERT_EQUAL(std::string("250 2.1.5"), status(client.say("RCPT TO:<jos\xc3\xa9@b>")));
        CPPUNIT_ASSERT_EQUAL(std::string("501 5.1.3"), status(client.say("RCPT TO:<jos\xe9@b>")));
    }

    void a_message_says_whether_it_needs_smtputf8() {
        const struct {
            const char* name;
            const char* mail;
            const char* rcpt;
            const char* header;
            bool needs;
            const char* reply;
        } rows[] = {
            {"ASCII", "<a@b> SMTPUTF8", "<c@d>", "Subject: x", false, "250 2.0.0"},
            {"sender", "<\xc3\xa9@b> SMTPUTF8", "<c@d>", "Subject: x", true, "250 2.0.0"},
            {"recipient", "<a@b> SMTPUTF8", "<\xc3\xa9@d>", "Subject: x", true, "250 2.0.0"},
            {"header", "<a@b> SMTPUTF8", "<c@d>", "Subject: \xc3\xa9", true, "250 2.0.0"},
            {"header without the parameter", "<a@b>", "<c@d>", "Subject: \xe9", false, "250 2.0.0"},
            {"header that is no UTF-8", "<a@b> SMTPUTF8", "<c@d>", "Subject: \xe9", false, "554 5.6.0"},
            {"header with an overlong form", "<a@b> SMTPUTF8", "<c@d>", "Subject: \xe0\x80\xaf", false, "554 5.6.0"}};
        for (const auto& row : rows) {
            SessionUnderTest client;
            prepare(client);
            bool needs = false;
            client.hooks.on(HookId::queue, [&](HookContext& context) {
                needs = static_cast<const Delivery&>(context).needs_smtputf8();
                return ok();
            });
            client.greet();
            client.say(std::string("MAIL FROM:") + row.mail);
            client.say(std::string("RCPT TO:") + row.rcpt);
            client.say("DATA");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.reply),
                                         status(client.feed(std::string(row.header) + "\r\n\r\n\xe9\r\n.\r\n")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, row.needs, needs);
        }
    }

    void verify_has_smtputf8_too() {
        SessionUnderTest client;
        prepare(client);
        std::string seen;
        client.hooks.on(HookId::vrfy, [&](HookContext& context) {
            seen += "[" + std::string(static_cast<CommandHook&>(context).argument) + "]";
            return declined();
        });
        client.start();
        CPPUNIT_ASSERT(client.say("EHLO x").find("250-VRFY\r\n") != std::string::npos);
        const Row rows[] = {{"plain", "VRFY joe", "252 2.5.2"},
                            {"with it", "VRFY jos\xc3\xa9 SMTPUTF8", "252 2.5.2"},
                            {"in lower case", "VRFY <jos\xc3\xa9@b> smtputf8", "252 2.5.2"},
                            {"without it", "VRFY jos\xc3\xa9", "553 5.6.7"},
                            {"no UTF-8", "VRFY jos\xe9 SMTPUTF8", "501 5.5.4"},
                            {"a user of that name", "VRFY SMTPUTF8", "252 2.5.2"},
                            {"nothing", "VRFY", "501 5.5.4"}};
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.reply), status(client.say(row.parameters)));
        CPPUNIT_ASSERT_EQUAL(std::string("[joe][jos\xc3\xa9][<jos\xc3\xa9@b>][SMTPUTF8]"), seen);
    }

private:
    /// Every extension is on and works.
    static void prepare(SessionUnderTest& client) {
        for (const auto extension : all_switches) client.settings.extensions.set(extension);
        client.settings.max_message_size = 1000;
        client.peer.tls_protocol = "TLSv1.3";
        client.hooks.respond(HookId::rcpt, ok());
        client.hooks.watch(HookId::auth);
        client.hooks.watch(HookId::data_post_rcpt);
    }

    /// Each row in a separate session. A refused command changes nothing.
    static void check(const std::string& command, const std::string& accepted, const std::vector<Row>& rows) {
        const bool is_mail = command.starts_with("MAIL");
        for (const auto& row : rows) {
            SessionUnderTest client;
            prepare(client);
            client.greet();
            if (!is_mail) client.say("MAIL FROM:<a@b>");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.name, std::string(row.reply),
                                         status(client.say(command + " " + row.parameters)));
            const bool is_accepted = row.reply == accepted;
            const auto again = status(client.say(is_mail ? command : "DATA")).substr(0, 3);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                row.name, std::string(is_mail ? (is_accepted ? "503" : "250") : (is_accepted ? "354" : "503")), again);
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MailParametersTest);

}  // namespace
}  // namespace smtpd::engine
