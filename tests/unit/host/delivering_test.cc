/// delivering_test.cc: chains of queue plugins: which are asked, and what happens to a plugin that fails or returns an
/// impossible result. No mail is lost.
#include "engine/server_access.h"
#include "fakes/parcel.h"
#include "fakes/plugin_world.h"
#include "fakes/response_text.h"
#include "host/possible_fates.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace {

using namespace smtpd;
using fakes::Parcel;
using fakes::PluginWorld;
using fakes::shown;
using std::string;

class Each final : public Plugin {
public:
    static constexpr bool delivers_to_each = true;
    explicit Each(Setup&) {}
};
class EachIfAsked final : public Plugin {
public:
    struct Options {
        bool asked = false;
        static OptionTable table() { return {option("asked", &Options::asked, "whether it does")}; }
    };
    static bool delivers_to_each(const Options& options) noexcept { return options.asked; }
    EachIfAsked(Setup&, const Options&) {}
};

const string local_error = "deferred 451 4.3.0 Local error in processing";

}  // namespace

class DeliveringTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DeliveringTest);
    CPPUNIT_TEST(the_first_to_take_it_ends_the_chain);
    CPPUNIT_TEST(a_session_and_a_queue_get_the_same);
    CPPUNIT_TEST(who_has_no_fate_is_deferred);
    CPPUNIT_TEST(a_fate_that_cannot_be_meant_defers);
    CPPUNIT_TEST(a_fate_for_a_stranger_is_noticed);
    CPPUNIT_TEST(declining_and_delivering_exclude_each_other);
    CPPUNIT_TEST(who_throws_has_delivered_to_nobody);
    CPPUNIT_TEST(who_is_too_late_has_delivered_to_nobody);
    CPPUNIT_TEST(questions_come_first);
    CPPUNIT_TEST(observers_look_on);
    CPPUNIT_TEST(plugins_say_that_they_deliver_to_each);
    CPPUNIT_TEST_SUITE_END();

    PluginWorld world_;
    Parcel parcel_{"Subject: x\r\n\r\n"};
    std::vector<string> calls_;

    using Handler = std::function<DeliveryResult(const Delivery&)>;
    void add(const string& label, Handler handler, std::string_view options = {}) {
        world_.add(
            label,
            [this, label, handler = std::move(handler)](Setup& setup) {
                setup.hooks.queue.deliver([this, label, handler](const Delivery& delivery) {
                    calls_.push_back(label);
                    return handler(delivery);
                });
            },
            options);
    }

    /// Without a session: each recipient's fate.
    string deliver() {
        Delivery delivery = parcel_.delivery(world_.clock, world_.set->log());
        engine::ChainState state;
        state.access = engine::ChainState::Access::any;
        (void)world_.set->run(delivery, state);
        return parcel_.fates(ServerAccess::result(delivery));
    }
    /// The effect of one handler for a@x and b@x, and the log line about its mistake.
    string outcome(Handler handler) {
        world_.lines.clear();
        world_.log.clear();
        parcel_.recipients.clear();
        parcel_.to("a@x").to("b@x");
        add("one", std::move(handler));
        world_.build();
        const string fates = deliver();
        return fates + (world_.log.lines().empty() ? "" : " | ") + world_.log.last();
    }

public:
    void the_first_to_take_it_ends_the_chain() {
        add("declines", [](const Delivery&) { return not_mine(); });
        add("some", [](const Delivery& delivery) {
            DeliveryResult result = delivered();
            result[delivery.recipients()[1]] = deferred("Later");
            return result;
        });
        add("never", [](const Delivery&) { return delivered(); });
        world_.build();
        parcel_.to("a@x").to("b@x");
        CPPUNIT_ASSERT_EQUAL(string("a@x: delivered, b@x: deferred Later"), deliver());
        CPPUNIT_ASSERT_EQUAL(string("declines|some"), fakes::joined(calls_));
        PluginWorld nobody;
        nobody.add("declines",
                   [](Setup& setup) { setup.hooks.queue.deliver([](const Delivery&) { return not_mine(); }); });
        nobody.build();
        Delivery delivery = parcel_.delivery(nobody.clock, nobody.set->log());
        CPPUNIT_ASSERT(nobody.set->run_through(delivery).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("not mine"), parcel_.fates(ServerAccess::result(delivery)));
    }

    void a_session_and_a_queue_get_the_same() {
        add("one", [](const Delivery& delivery) {
            DeliveryResult result = delivered("as {}", delivery.recipients().size());
            result[delivery.recipients()[1]] = rejected("Full").with_code(552).because("{} of {}", 3, 2);
            return result;
        });
        world_.build();
        parcel_.to("a@x").to("b@x");
        CPPUNIT_ASSERT_EQUAL(string("a@x: delivered as 2, b@x: rejected 552 Full"), deliver());
        for (const char* mailbox : {"a@x", "b@x"}) world_.transaction->add_recipient(mailbox);
        CPPUNIT_ASSERT_EQUAL(string("ok as 2"), shown(world_.message(HookId::queue)));
        CPPUNIT_ASSERT_EQUAL(string("as 2"), world_.transaction->recipients().at(0).fate().reply.text);
        const Fate& other = world_.transaction->refused_recipients().at(0).fate();
        CPPUNIT_ASSERT_EQUAL(
            string("plain:one 552 Full 3 of 2"),
            format_text("{} {} {} {}", other.plugin, other.reply.code, other.reply.text, other.reason));
        std::string told;
        for (const auto& entry : world_.connection->history().entries()) told += entry.to_string() + "\n";
        CPPUNIT_ASSERT_EQUAL(
            string("(queue) plain:one: deny 552 5.7.1 \"Full\", for <b@x>\n(queue) plain:one: ok \"as 2\"\n"), told);
    }

    void who_has_no_fate_is_deferred() {
        CPPUNIT_ASSERT_EQUAL("a@x: " + local_error + ", b@x: " + local_error + " | plugin fault: no fate for <a@x>",
                             outcome([](const Delivery&) { return DeliveryResult(); }));
        CPPUNIT_ASSERT_EQUAL("a@x: delivered, b@x: " + local_error + " | plugin fault: no fate for <b@x>",
                             outcome([](const Delivery& delivery) {
                                 DeliveryResult result;
                                 result[delivery.recipients()[0]] = delivered();
                                 return result;
                             }));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().fault.load());
    }

    void a_fate_that_cannot_be_meant_defers() {
        const struct {
            Fate fate;
            const char* problem;
        } rows[] = {{delivered().with_code(550), "impossible reply code 550"},
                    {rejected().with_code(450), "impossible reply code 450"},
                    {deferred().with_code(250), "impossible reply code 250"},
                    {deferred().with_code(9), "impossible reply code 9"},
                    {Fate(static_cast<Fate::Kind>(7), ""), "impossible fate 7"}};
        for (const auto& row : rows) {
            const auto both = "a@x: rejected No, b@x: " + local_error + " | plugin fault: " + row.problem +
                              " for <b@x>";
            CPPUNIT_ASSERT_EQUAL(both, outcome([&](const Delivery& delivery) {
                                     DeliveryResult result = row.fate;
                                     result[delivery.recipients()[0]] = rejected("No");
                                     return result;
                                 }));
        }
    }

    /// Otherwise the intended recipient would count as delivered.
    void a_fate_for_a_stranger_is_noticed() {
        CPPUNIT_ASSERT_EQUAL("a@x: delivered kept, b@x: " + local_error +
                                 " | plugin fault: a fate for an address that is not a recipient",
                             outcome([](const Delivery& delivery) {
                                 DeliveryResult result = delivered();
                                 result[delivery.recipients()[0]] = delivered("kept");
                                 const Recipient alias = delivery.recipients()[1].with_address(Parcel::address("c@x"));
                                 result[alias] = deferred("Full");
                                 return result;
                             }));
    }

    void declining_and_delivering_exclude_each_other() {
        CPPUNIT_ASSERT_EQUAL(
            "a@x: delivered, b@x: " + local_error + " | plugin fault: both not_mine() and a fate for a recipient",
            outcome([](const Delivery& delivery) {
                DeliveryResult result = not_mine();
                result[delivery.recipients()[0]] = delivered();
                return result;
            }));
    }

    void who_throws_has_delivered_to_nobody() {
        const auto all = "a@x: " + local_error + ", b@x: " + local_error + " | plugin fault: ";
        CPPUNIT_ASSERT_EQUAL(all + "thrown",
                             outcome([](const Delivery&) -> DeliveryResult { throw std::runtime_error("thrown"); }));
        CPPUNIT_ASSERT_EQUAL(all + "an unknown exception type",
                             outcome([](const Delivery&) -> DeliveryResult { throw 42; }));
        for (const char* mailbox : {"a@x", "b@x"}) world_.transaction->add_recipient(mailbox);
        CPPUNIT_ASSERT_EQUAL(string("denysoft 451 4.3.0 Local error in processing"),
                             shown(world_.message(HookId::queue)));
        CPPUNIT_ASSERT(world_.transaction->refused_recipients().empty());
    }

    void who_is_too_late_has_delivered_to_nobody() {
        add(
            "slow",
            [](const Delivery& delivery) {
                delivery.wait(std::chrono::hours(1));
                return delivered();
            },
            "deadline=1ms");
        world_.build();
        parcel_.to("a@x");
        CPPUNIT_ASSERT_EQUAL("a@x: " + local_error, deliver());
        CPPUNIT_ASSERT_EQUAL(string("overrun: its deadline of 1ms passed while it waited"), world_.log.last());
    }

    void questions_come_first() {
        world_.add("one", [](Setup& setup) {
            setup.hooks.queue
                .ask([](const Delivery& delivery, Questions& questions) {
                    questions.mx(delivery.envelope().sender.domain());
                })
                .deliver([](const Delivery& delivery, const Answers& answers) {
                    return answers.mx(delivery.envelope().sender.domain()).found() ? delivered() : deferred("No MX");
                });
        });
        world_.build();
        parcel_.envelope.sender = Parcel::address("s@example.net");
        parcel_.to("a@x");
        Delivery delivery = parcel_.delivery(world_.clock, world_.set->log());
        engine::Wait wait;
        world_.set->ask(delivery, wait);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), wait.questions.size());
        CPPUNIT_ASSERT_EQUAL(string("example.net MX"), wait.questions[0].question.to_string());
        CPPUNIT_ASSERT_EQUAL(string("a@x: deferred No MX"), deliver());
    }

    void observers_look_on() {
        world_.add("one", [this](Setup& setup) {
            setup.hooks.queue.observe([this](const Delivery& delivery) {
                calls_.push_back(format_text("{} {} {} {}", delivery.id(), delivery.recipients().size(),
                                             delivery.refused_recipients().size(), delivery.is_dry_run()));
                throw std::runtime_error("nobody cares");
            });
        });
        add("two", [](const Delivery&) { return delivered(); });
        world_.build();
        parcel_.to("a@x");
        parcel_.refused_recipients.emplace_back(Parcel::address("b@x"), Parameters());
        parcel_.is_dry_run = true;
        CPPUNIT_ASSERT_EQUAL(string("a@x: delivered"), deliver());
        CPPUNIT_ASSERT_EQUAL(string("parcel-1 1 1 true|two"), fakes::joined(calls_));
    }

    void plugins_say_that_they_deliver_to_each() {
        static constexpr auto each = smtpd::detail::describe<Each>("each");
        static constexpr auto if_asked = smtpd::detail::describe<EachIfAsked>("if_asked");
        world_.build();
        const std::tuple<const PluginDescriptor*, std::vector<string>, bool> rows[] = {
            {&each, {}, true}, {&if_asked, {}, false}, {&if_asked, {"asked=yes"}, true}};
        for (const auto& [descriptor, options, expected] : rows) {
            host::PluginLine line;
            line.name = descriptor->name;
            line.words = options;
            host::Environment environment = world_.environment;
            environment.built_in = {descriptor};
            host::Problems problems;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(line.name, expected,
                                         host::PluginSet::build({line}, environment, problems)->judges_recipients());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DeliveringTest);
