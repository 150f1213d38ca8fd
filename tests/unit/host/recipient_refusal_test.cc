/// recipient_refusal_test.cc: handlers refuse single recipients: which handlers see them afterwards, and what the host
/// logs and keeps.
#include "fakes/plugin_world.h"
#include "fakes/response_text.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace {

using namespace smtpd;
using smtpd::fakes::PluginWorld;
using smtpd::fakes::spelled_out;
using std::string;

class Judge final : public Plugin {
public:
    static constexpr bool judges_recipients = true;
    explicit Judge(Setup&) {}
};
class JudgeIfAsked final : public Plugin {
public:
    struct Options {
        bool asked = false;
        static OptionTable table() { return {option("asked", &Options::asked, "whether it judges")}; }
    };
    static bool judges_recipients(const Options& options) noexcept { return options.asked; }
    explicit JudgeIfAsked(Setup&, const Options&) {}
};
class Bouncer final : public Plugin {
public:
    static constexpr bool sends_bounces = true;
    explicit Bouncer(Setup&) {}
};

}  // namespace

class RecipientRefusalTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RecipientRefusalTest);
    CPPUNIT_TEST(the_next_handler_does_not_see_who_was_refused);
    CPPUNIT_TEST(when_nobody_is_left_nobody_else_is_asked);
    CPPUNIT_TEST(it_is_logged_and_kept_with_plugin_recipient_and_reason);
    CPPUNIT_TEST(a_handler_that_throws_has_refused_whom_it_refused);
    CPPUNIT_TEST(a_policy_decides_about_each_recipient);
    CPPUNIT_TEST(whitelisted_recipients_are_not_judged);
    CPPUNIT_TEST(an_error_follows_onerror);
    CPPUNIT_TEST(plugins_say_what_they_do);
    CPPUNIT_TEST_SUITE_END();

    PluginWorld world_;
    std::vector<string> seen_;

    /// Records the recipients that it sees, refuses that recipient, and goes on.
    PluginWorld::Script refuser(const string& mailbox, bool throws = false) {
        return [this, mailbox, throws](Setup& setup) {
            const auto handler = [this, mailbox, throws](DataPostHook& hook) -> Response {
                string all;
                for (auto& recipient : hook.transaction.recipients()) {
                    all += recipient.address().local_part();
                    if (recipient.address().local_part() == mailbox || mailbox == "*")
                        hook.refuse(recipient, deny("Not {}", mailbox).with_status({5, 2, 1}), "it is \"{}\"", mailbox);
                }
                seen_.push_back(all);
                if (throws) throw std::runtime_error("thrown");
                return declined();
            };
            setup.hooks.data_post.add(handler);
            setup.hooks.queue_pre.add(handler);
        };
    }

    void build() {
        world_.build();
        std::uint32_t number = 0;
        for (const char* mailbox : {"a@example.com", "b@example.com", "c@example.com"})
            world_.transaction->add_recipient(mailbox, ++number);
    }

public:
    void the_next_handler_does_not_see_who_was_refused() {
        world_.add("one", refuser("b"));
        world_.add("two", refuser("a"));
        world_.add("three", refuser("-"));
        for (const auto hook : {HookId::data_post, HookId::queue_pre}) {
            seen_.clear();
            build();
            (void)world_.message(hook);
            CPPUNIT_ASSERT_EQUAL(string("abc|ac|c"), fakes::joined(seen_));
            CPPUNIT_ASSERT_EQUAL(std::size_t(2), world_.transaction->refused_recipients().size());
            CPPUNIT_ASSERT_EQUAL(
                string("a"), world_.transaction->refused_recipients().front().address().local_part());  // the first
                                                                                                        // RCPT comes
                                                                                                        // first
        }
    }

    void when_nobody_is_left_nobody_else_is_asked() {
        world_.add("one", refuser("*"));
        world_.add("two", refuser("-"));
        build();
        CPPUNIT_ASSERT(world_.message(HookId::queue_pre).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("abc"), fakes::joined(seen_));
        world_.transaction = std::make_unique<fakes::FakeTransaction>();  // a plugin has removed all of them, which is
                                                                          // another matter
        (void)world_.message(HookId::queue_pre);
        CPPUNIT_ASSERT_EQUAL(string("abc||"), fakes::joined(seen_));
    }

    void it_is_logged_and_kept_with_plugin_recipient_and_reason() {
        world_.add("one", refuser("b"));
        build();
        (void)world_.message(HookId::data_post);
        CPPUNIT_ASSERT_EQUAL(string("(data_post) plain:one: rejected <b@example.com>: it is \"b\"\n"),
                             world_.log.to_string());
        const auto& history = world_.connection->history().entries();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), history.size());
        CPPUNIT_ASSERT_EQUAL(string("(data_post) plain:one: deny 550 5.2.1 \"Not b\", for <b@example.com>"),
                             history.front().to_string());
        const Fate& fate = world_.transaction->refused_recipients().at(0).fate();
        CPPUNIT_ASSERT_EQUAL(string("plain:one it is \"b\" 550 5.2.1 Not b"),
                             format_text("{} {} {} {} {}", fate.plugin, fate.reason, fate.reply.code,
                                         fate.reply.enhanced.to_string(), fate.reply.text));
    }

    void a_handler_that_throws_has_refused_whom_it_refused() {
        world_.add("one", refuser("b", true));
        build();
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"),
                             spelled_out(world_.message(HookId::queue_pre)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), world_.transaction->refused_recipients().size());
    }

    Response judge(Recipient& recipient) {
        return world_.run(DataPostRcptHook(*world_.connection, *world_.transaction, recipient));
    }

    void add_policy(std::string_view options) {
        world_.add_policy("one", options, [](Setup& setup) {
            setup.hooks.data_post_rcpt.decide([](const DataPostRcptHook& hook) -> Finding {
                const auto& name = hook.recipient.address().local_part();
                if (name == "b") return error("cannot say");
                return name == "a"
                           ? fail("{} is full", hook.recipient.address()).reply("Full").status(EnhancedCode{5, 2, 2})
                           : pass();
            });
        });
        build();
    }

    void a_policy_decides_about_each_recipient() {
        add_policy("reject_type=temp karma_fail=-2");
        auto& recipients = world_.transaction->recipients();
        CPPUNIT_ASSERT_EQUAL(string("denysoft 0 4.2.2 Full"), spelled_out(judge(recipients[0])));
        CPPUNIT_ASSERT_EQUAL(string("declined 0 0.0.0 "), spelled_out(judge(recipients[2])));
        CPPUNIT_ASSERT_EQUAL(-2, world_.connection->karma());
        CPPUNIT_ASSERT_EQUAL(string("(data_post_rcpt) policy:one: fail: a@example.com is full -> denysoft 4.2.2 "
                                    "\"Full\", for <a@example.com>, karma -2"),
                             world_.connection->history().entries().front().to_string());
    }

    void whitelisted_recipients_are_not_judged() {
        add_policy("");
        auto& recipient = world_.transaction->recipients().front();
        recipient.set_whitelisted("by name");
        CPPUNIT_ASSERT(judge(recipient).verdict == Verdict::declined);
    }

    void an_error_follows_onerror() {
        add_policy("onerror=tempfail");
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"),
                             spelled_out(judge(world_.transaction->recipients()[1])));
    }

    void plugins_say_what_they_do() {
        static constexpr auto judge = smtpd::detail::describe<Judge>("judge");
        static constexpr auto bouncer = smtpd::detail::describe<Bouncer>("bouncer");
        static constexpr auto judge_if_asked = smtpd::detail::describe<JudgeIfAsked>("judge_if_asked");
        CPPUNIT_ASSERT(!judge.sends_bounces && bouncer.sends_bounces);
        world_.add("one", [](Setup&) {});
        world_.build();
        CPPUNIT_ASSERT(!world_.set->judges_recipients() && !world_.set->sends_bounces());
        PluginWorld hooked;
        hooked.add("one", [](Setup& setup) {
            setup.hooks.data_post_rcpt.add([](const DataPostRcptHook&) { return declined(); });
        });
        hooked.build();
        CPPUNIT_ASSERT(hooked.set->judges_recipients());
        const struct {
            const PluginDescriptor* descriptor;
            std::vector<string> options;
            bool judges, bounces;
        } rows[] = {{&judge, {}, true, false},
                    {&bouncer, {}, false, true},
                    {&judge_if_asked, {}, false, false},
                    {&judge_if_asked, {"asked=yes"}, true, false}};
        for (const auto& row : rows) {
            host::PluginLine line;
            line.name = row.descriptor->name;
            line.words = row.options;
            host::Environment environment = hooked.environment;
            environment.built_in = {row.descriptor};
            host::Problems problems;
            const auto set = host::PluginSet::build({line}, environment, problems);
            CPPUNIT_ASSERT(problems.empty());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line.name, row.judges, set->judges_recipients());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line.name, row.bounces, set->sends_bounces());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RecipientRefusalTest);
