/// replies_test.cc: the engine's own replies, and how it turns a Response into a reply.
#include "engine/replies.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::engine {
namespace {

class RepliesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RepliesTest);
    CPPUNIT_TEST(every_reply_has_a_status_of_its_class);
    CPPUNIT_TEST(a_made_reply_has_a_status_of_its_class);
    CPPUNIT_TEST(only_a_closing_reply_is_421);
    CPPUNIT_TEST(done_is_silent);
    CPPUNIT_TEST(hooks_without_a_say_change_nothing);
    CPPUNIT_TEST(a_plain_reply_is_not_refined);
    CPPUNIT_TEST_SUITE_END();

public:
    void every_reply_has_a_status_of_its_class() {
        for (int i = 0; i <= static_cast<int>(StandardReply::internal_error); ++i) {
            const Reply said = reply(static_cast<StandardReply>(i));
            CPPUNIT_ASSERT_MESSAGE(said.text, !said.text.empty());
            CPPUNIT_ASSERT_MESSAGE(said.text, said.text.find('\n') == std::string::npos);
            if (said.code / 100 == 3) {
                CPPUNIT_ASSERT_MESSAGE(said.text, said.plain);
            } else {
                CPPUNIT_ASSERT_MESSAGE(said.text, !said.plain);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(said.text, said.code / 100, int(said.enhanced.status_class));
            }
        }
    }

    void a_made_reply_has_a_status_of_its_class() {
        CPPUNIT_ASSERT_EQUAL(std::string("450 4.7.1 x\r\n"), make_reply(450, {5, 7, 1}, "x").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("550 5.7.1 x\r\n"), make_reply(550, {0, 7, 1}, "x").to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("354 x\r\n"), make_reply(354, {5, 7, 1}, "x").to_string());
    }

    void only_a_closing_reply_is_421() {
        for (unsigned i = 0; i < static_cast<unsigned>(HookId::count); ++i) {
            const auto hook = static_cast<HookId>(i);
            for (const auto verdict :
                 {Verdict::deny, Verdict::denysoft, Verdict::deny_disconnect, Verdict::denysoft_disconnect})
                for (const int code : {0, 421}) {
                    const StageResult result = apply_response(hook, Response(verdict, "x").with_code(code),
                                                              {250, {2, 0, 0}, "OK"});
                    CPPUNIT_ASSERT_MESSAGE(std::string(hook_name(hook)),
                                           result.reply.code != 421 || result.disconnects);
                    CPPUNIT_ASSERT_MESSAGE(std::string(hook_name(hook)), !result.disconnects || !result.proceeds);
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)), result.proceeds,
                                                 result.reply.is_positive());
                }
        }
    }

    void done_is_silent() {
        for (unsigned i = 0; i < static_cast<unsigned>(HookId::count); ++i) {
            const auto hook = static_cast<HookId>(i);
            const StageResult result = apply_response(hook, Response(Verdict::done, "x").with_code(550),
                                                      {250, {2, 0, 0}, "OK"});
            CPPUNIT_ASSERT_MESSAGE(std::string(hook_name(hook)), result.reply.empty());
            CPPUNIT_ASSERT_MESSAGE(std::string(hook_name(hook)), result.is_done);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)), hook == HookId::quit, result.disconnects);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(hook_name(hook)), hook == HookId::pre_connection, result.proceeds);
        }
    }

    void hooks_without_a_say_change_nothing() {
        for (const auto hook : {HookId::reset_transaction, HookId::disconnect, HookId::post_connection,
                                HookId::queue_post, HookId::data_chunk}) {
            const StageResult result = apply_response(hook, Response(Verdict::deny_disconnect, "x"),
                                                      {250, {2, 0, 0}, "OK"});
            CPPUNIT_ASSERT(result.proceeds);
            CPPUNIT_ASSERT_EQUAL(std::string("250 2.0.0 OK\r\n"), result.reply.to_string());
        }
    }

    void a_plain_reply_is_not_refined() {
        const StageResult result = apply_response(HookId::ehlo, Response(Verdict::ok, "hello\nFAKE").with_code(251),
                                                  {250, {}, "mx Hi\nSIZE", true});
        CPPUNIT_ASSERT_EQUAL(std::string("250-mx Hi\r\n250 SIZE\r\n"), result.reply.to_string());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(RepliesTest);

}  // namespace
}  // namespace smtpd::engine
