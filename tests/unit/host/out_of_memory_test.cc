/// out_of_memory_test.cc: memory runs out at each allocation in turn, in calls of plugins and in sessions. This may
/// cost an answer, a session or a log line, but never the process, and never accepted mail.
#include "engine/server_access.h"
#include "engine/session.h"
#include "fakes/failing_memory.h"
#include "fakes/fake_clients.h"
#include "fakes/fake_names.h"
#include "fakes/fake_tls.h"
#include "fakes/plugin_world.h"
#include "fakes/response_text.h"

#include <smtpd/waiting.h>

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <new>
#include <stdexcept>
#include <string>

namespace {

using namespace smtpd;
using smtpd::fakes::FailingMemory;
using smtpd::fakes::PluginWorld;
using smtpd::fakes::shown;
using std::string;

/// Longer than a std::string can hold without an allocation.
constexpr const char* long_text = "a text for which a string needs an allocation of its own";

/// A server with plugins, and a session with it.
struct Server {
    Server() {
        world.add("sees", [this](Setup& setup) {
            setup.hooks.connect.observe([this](const ConnectionContext&) { ++connects; });
            setup.hooks.disconnect.observe([this](const ConnectionContext&) { ++ends; });
            setup.hooks.post_connection.observe([this](const ConnectionContext&) { ++ends; });
            setup.hooks.rcpt.observe([](const RcptHook&) { throw std::runtime_error(long_text); });
        });
        world.add_policy("judges", "reject=no", [](Setup& setup) {
            setup.hooks.mail.decide([](const MailHook&) { return fail("{}", long_text); });
        });
        world.add("takes", [this](Setup& setup) {
            setup.hooks.rcpt.add([](const RcptHook& hook) {
                return hook.recipient.address().path() == "gone@example.com" ? deny(long_text) : ok();
            });
            setup.hooks.queue.deliver([this](const Delivery&) {
                Fate fate = delivered(long_text);
                ++queued;
                return fate;
            });
        });
        world.build();
        settings.server_name = "mx.example.com";
        settings.spool.threshold = ~std::uint64_t(0);
        peer.id = "session";
        peer.client = {*IpAddress::parse("192.0.2.1"), 49152};
        peer.local = {*IpAddress::parse("192.0.2.25"), 25};
    }

    /// The client's view, up to the point where memory ran out, because a driver then ends the session.
    string talk() {
        string out;
        try {
            engine::Session session(settings, *world.set, world.clock, world.set->log(), peer,
                                    {.names = &names, .tls = &tls, .clients = &clients});
            for (auto step = session.start(); step == engine::Step::more;) step = session.resume();
            for (const char* line : {"EHLO client.example.with.a.long.name\r\n",
                                     "MAIL FROM:<somebody.with.a.long.name@client.example>\r\n",
                                     "RCPT TO:<gone@example.com>\r\n", "RCPT TO:<user@example.com>\r\n", "DATA\r\n",
                                     "Subject: a subject that is long enough\r\n\r\nAnd a body\r\n.\r\n", "QUIT\r\n"}) {
                for (auto step = session.feed(line); step == engine::Step::more;) step = session.resume();
                out += std::exchange(session.output(), {});
            }
        } catch (const std::bad_alloc&) {}
        return out;
    }

    int connects = 0;
    int ends = 0;
    int queued = 0;
    PluginWorld world;
    engine::Settings settings;
    engine::Peer peer;
    fakes::FakeNames names;
    fakes::FakeTls tls;
    fakes::FakeClients clients;
};

}  // namespace

class OutOfMemoryTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OutOfMemoryTest);
    CPPUNIT_TEST(the_test_itself_lets_allocations_fail);
    CPPUNIT_TEST(a_handler_gets_its_answer_or_a_temporary_failure);
    CPPUNIT_TEST(a_fault_at_a_recipient_of_a_message_is_a_temporary_failure);
    CPPUNIT_TEST(a_session_ends_without_harm);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_test_itself_lets_allocations_fail() {
        int failures = 0;
        FailingMemory memory(1, 2);
        ::operator delete(::operator new(1));
        const bool failed_at_once = memory.has_failed();
        for (int i = 0; i < 3; ++i) try {
                ::operator delete[](::operator new[](1, std::align_val_t(64)), std::align_val_t(64));
            } catch (const std::bad_alloc&) { ++failures; }
        memory.stop();
        CPPUNIT_ASSERT(!failed_at_once && memory.has_failed());
        CPPUNIT_ASSERT_EQUAL(2, failures);
        CPPUNIT_ASSERT_EQUAL(string(long_text), string(long_text));  // there is memory again
    }

    void a_handler_gets_its_answer_or_a_temporary_failure() {
        using Script = std::function<void(Setup&)>;
        const auto decides = [](Finding (*judge)()) {
            return Script(
                [judge](Setup& setup) { setup.hooks.rcpt.decide([judge](const RcptHook&) { return judge(); }); });
        };
        const auto answers = [](Response (*say)()) {
            return Script([say](Setup& setup) { setup.hooks.rcpt.add([say](const RcptHook&) { return say(); }); });
        };
        const struct {
            const char* options;  ///< null: a plugin that is not a policy
            Script script;
            const char* expected;
        } rows[] = {
            {"", decides([] { return pass("{}", long_text).karma(1); }), "declined"},
            {"", decides([] { return skip("{}", long_text); }), "declined"},
            {"", decides([] { return fail("{}", long_text).reply("go away"); }), "deny 5.7.1 go away"},
            {"reject=no", decides([] { return fail("{}", long_text); }), "declined"},
            {"reject=naughty", decides([] { return fail("{}", long_text).reply(long_text); }), "declined"},
            {"onerror=tempfail", decides([] { return error("{}", long_text); }),
             "denysoft 451 4.3.0 Local error in processing"},
            {"", decides([]() -> Finding { throw std::runtime_error(long_text); }),
             "denysoft 451 4.3.0 Local error in processing"},
            {"onerror=tempfail", decides([]() -> Finding { throw DeadlinePassed(); }),
             "denysoft 451 4.3.0 Local error in processing"},
            {nullptr, answers([] { return deny("no"); }), "deny no"},
            {nullptr, answers([]() -> Response { throw std::runtime_error(long_text); }),
             "denysoft 451 4.3.0 Local error in processing"},
            {nullptr, answers([]() -> Response { throw 1; }), "denysoft 451 4.3.0 Local error in processing"},
            {nullptr, answers([] { return Response(static_cast<Verdict>(99)); }),
             "denysoft 451 4.3.0 Local error in processing"},
            {nullptr,
             [](Setup& setup) {
                 setup.hooks.rcpt.observe([](const RcptHook&) { throw std::runtime_error(long_text); });
             },
             "declined"},
        };
        for (const std::size_t failures : {std::size_t(1), FailingMemory::all})
            for (const auto& row : rows)
                for (std::size_t nth = 0, done = 0; done == 0; ++nth) {
                    PluginWorld world;
                    row.options ? world.add_policy("a-label-of-some-length", row.options, row.script)
                                : world.add("a-label-of-some-length", row.script);
                    world.build();
                    ServerAccess::set_transaction(ServerAccess::history(*world.connection), 1);
                    Recipient recipient(fakes::FakeTransaction::address("user@example.com"), {});
                    RcptHook hook(*world.connection, *world.transaction, recipient);
                    FailingMemory memory(nth, failures);
                    const Response response = world.set->run_through(hook);
                    memory.stop();
                    done = memory.has_failed() ? 0 : 1;
                    const string what = string(row.expected) + ", allocation " + std::to_string(nth);
                    if (done == 0 && is_denial(response.verdict) && is_soft(response.verdict)) continue;
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(what, string(row.expected), shown(response));
                }
    }

    /// At that hook the history also has the recipient.
    void a_fault_at_a_recipient_of_a_message_is_a_temporary_failure() {
        for (const std::size_t failures : {std::size_t(1), FailingMemory::all})
            for (std::size_t nth = 0, done = 0; done == 0; ++nth) {
                PluginWorld world;
                world.add("p", [](Setup& setup) {
                    setup.hooks.data_post_rcpt.add(
                        [](const DataPostRcptHook&) -> Response { throw std::runtime_error(long_text); });
                });
                world.build();
                Recipient recipient(fakes::FakeTransaction::address("a-user-with-a-long-name@example.com"), {});
                DataPostRcptHook hook(*world.connection, *world.transaction, recipient);
                FailingMemory memory(nth, failures);
                const Response response = world.set->run_through(hook);
                memory.stop();
                done = memory.has_failed() ? 0 : 1;
                CPPUNIT_ASSERT(response.verdict == Verdict::denysoft);
                CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), std::uint64_t(world.counters().fault));
            }
    }

    void a_session_ends_without_harm() {
        for (const std::size_t failures : {std::size_t(1), FailingMemory::all}) {
            std::size_t nth = 0;
            for (bool has_failed = true; has_failed; ++nth) {
                Server server;
                FailingMemory memory(nth, failures);
                const string seen = server.talk();
                memory.stop();
                has_failed = memory.has_failed();
                const string what = "allocation " + std::to_string(nth) + ": " + seen;
                if (failures == 1 && server.connects > 0) CPPUNIT_ASSERT_MESSAGE(what, server.ends > 0);
                CPPUNIT_ASSERT_MESSAGE(what, server.queued <= 1);
                if (seen.find(long_text, seen.find("\r\n354 ")) != string::npos)
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(what, 1, server.queued);
                if (!has_failed)
                    CPPUNIT_ASSERT_MESSAGE(what,
                                           server.queued == 1 && server.ends == 2 &&
                                               seen.ends_with("\r\n221 2.0.0 mx.example.com closing connection\r\n"));
            }
            CPPUNIT_ASSERT(nth > 100);
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OutOfMemoryTest);
