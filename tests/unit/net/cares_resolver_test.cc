/// cares_resolver_test.cc: the resolver of a process, with good, slow, broken and hostile name servers on loopback.
#include "net/cares_resolver.h"
#include "fakes/failing_memory.h"
#include "fakes/fake_clock.h"
#include "fakes/name_server.h"

#include <cppunit/extensions/HelperMacros.h>

#include <condition_variable>
#include <future>
#include <set>
#include <string>

namespace smtpd::net {
namespace {

using fakes::DnsPacket;
using fakes::NameServer;
using fakes::octets;
using std::string;
using Replies = NameServer::Replies;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

const fakes::Octets address = octets({192, 0, 2, 1});

Replies good(const NameServer::Query& query) {
    return {query.reply().answer(query.name, DnsType::a, 300, address).bytes()};
}
Replies silence(const NameServer::Query&) { return {}; }

std::vector<DnsQuestion> questions(std::initializer_list<const char*> names, DnsType type = DnsType::a) {
    std::vector<DnsQuestion> out;
    for (const char* name : names) out.push_back(*DnsQuestion::make(type, name));
    return out;
}

std::vector<DnsQuestion> numbered(int count) {
    std::vector<DnsQuestion> out;
    for (int i = 0; i < count; ++i) out.push_back(*DnsQuestion::make(DnsType::a, std::to_string(i) + ".example"));
    return out;
}

/// The questions that a server has seen, without repetitions.
template <class T>
class Seen {
public:
    void add(const T& one) {
        const std::lock_guard lock(mutex_);
        seen_.insert(one);
    }
    std::set<T> get() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    std::size_t count() const { return get().size(); }

private:
    mutable std::mutex mutex_;
    std::set<T> seen_;
};
using Ports = Seen<std::uint16_t>;

/// A pending lookup.
class Asked {
public:
    Asked(Resolver& resolver, std::vector<DnsQuestion> questions) {
        lookup = resolver.start(std::move(questions), [state = state_] { state->call(); });
    }
    bool wait(milliseconds time = milliseconds(10000)) {
        std::unique_lock lock(state_->mutex);
        return state_->called.wait_for(lock, time, [this] { return state_->calls > 0 || lookup->is_complete(); });
    }
    int calls() const {
        const std::lock_guard lock(state_->mutex);
        return state_->calls;
    }
    /// The answer to the first question, in words.
    string answer(std::size_t index = 0) {
        CPPUNIT_ASSERT_MESSAGE("no answer within ten seconds", wait());
        return lookup->answer(index)->to_string();
    }
    std::shared_ptr<Lookup> lookup;

private:
    struct State {
        std::mutex mutex;
        std::condition_variable called;
        int calls = 0;
        void call() {
            const std::lock_guard lock(mutex);
            ++calls;
            called.notify_all();
        }
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

class CaresResolverTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(CaresResolverTest);
    CPPUNIT_TEST(questions_are_answered_over_udp);
    CPPUNIT_TEST(a_server_may_have_an_ipv6_address);
    CPPUNIT_TEST(a_truncated_reply_is_asked_for_over_tcp);
    CPPUNIT_TEST(a_truncated_reply_without_tcp_fails_in_time);
    CPPUNIT_TEST(a_large_reply_over_tcp_is_read);
    CPPUNIT_TEST(a_silent_server_times_out);
    CPPUNIT_TEST(a_slow_server_does_not_hold_up_other_questions);
    CPPUNIT_TEST(no_server_is_a_failure);
    CPPUNIT_TEST(the_second_server_is_asked_when_the_first_fails);
    CPPUNIT_TEST(every_code_has_its_status);
    CPPUNIT_TEST(replies_that_are_not_ours_are_passed_over);
    CPPUNIT_TEST(a_lie_about_another_name_is_no_answer);
    CPPUNIT_TEST(each_question_has_a_fresh_port_while_another_stays_open);
    CPPUNIT_TEST(questions_on_their_way_together_have_a_port_each);
    CPPUNIT_TEST(the_number_of_ports_is_bounded);
    CPPUNIT_TEST(letters_are_in_random_case);
    CPPUNIT_TEST(a_reply_in_another_case_is_asked_for_again_over_tcp);
    CPPUNIT_TEST(a_server_that_loses_case_needs_tcp);
    CPPUNIT_TEST(names_out_of_the_reply_have_no_random_case);
    CPPUNIT_TEST(answers_are_kept);
    CPPUNIT_TEST(failures_are_kept_for_a_moment_only);
    CPPUNIT_TEST(a_question_on_its_way_is_not_sent_again);
    CPPUNIT_TEST(a_cancelled_lookup_is_not_called_and_its_answer_is_kept);
    CPPUNIT_TEST(a_server_that_closes_connections_harms_no_other_question);
    CPPUNIT_TEST(the_end_calls_nobody);
    CPPUNIT_TEST(many_threads_may_ask_at_once);
    CPPUNIT_TEST(a_thousand_questions_are_in_flight_together);
    CPPUNIT_TEST(no_thread_is_made_before_the_first_question);
    CPPUNIT_TEST(where_memory_runs_out_nothing_is_left_behind);
    CPPUNIT_TEST_SUITE_END();

public:
    void questions_are_answered_over_udp() {
        NameServer server(good);
        CaresResolver resolver(settings(server), clock_);
        Asked asked(resolver, questions({"a.example", "b.example"}));
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), asked.answer(0));
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), asked.answer(1));
        CPPUNIT_ASSERT(asked.lookup->answer(0)->ttl() == std::chrono::seconds(300));
        CPPUNIT_ASSERT_EQUAL(1, asked.calls());
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), server.seen().size());
        for (const auto& query : server.seen())
            CPPUNIT_ASSERT(query == "a.example A udp" || query == "b.example A udp");
    }

    void a_server_may_have_an_ipv6_address() {
        std::unique_ptr<NameServer> server;
        try {
            server = std::make_unique<NameServer>(good, true, true);
        } catch (const std::runtime_error&) {
            return;  // this machine has no IPv6
        }
        CaresResolver resolver(settings(*server), clock_);
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"a.example"})).answer());
    }

    void a_truncated_reply_is_asked_for_over_tcp() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            return query.is_tcp ? good(query) : Replies{query.reply(0, DnsPacket::truncated).bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"a.example"})).answer());
        CPPUNIT_ASSERT(server.seen() == std::vector<string>({"a.example A udp", "a.example A tcp"}));
    }

    void a_truncated_reply_without_tcp_fails_in_time() {
        NameServer server(
            [](const NameServer::Query& query) -> Replies { return {query.reply(0, DnsPacket::truncated).bytes()}; },
            false);
        CaresResolver resolver(settings(server), clock_);
        Asked asked(resolver, questions({"a.example"}));
        CPPUNIT_ASSERT(asked.wait());
        CPPUNIT_ASSERT(asked.lookup->answer(0)->failed());
    }

    void a_large_reply_over_tcp_is_read() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            if (!query.is_tcp) return {query.reply(0, DnsPacket::truncated).bytes()};
            DnsPacket packet = query.reply();
            for (int i = 0; i < 900; ++i)
                packet.raw_answer(octets({0xc0, 12}), DnsType::txt, 60, fakes::string_octets(string(50, 'x')));
            return {packet.bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        Asked asked(resolver, questions({"a.example"}, DnsType::txt));
        CPPUNIT_ASSERT(asked.wait());
        CPPUNIT_ASSERT_EQUAL(std::size_t(900), asked.lookup->answer(0)->texts().size());
    }

    void a_silent_server_times_out() {
        NameServer server(silence);
        auto silent = settings(server);
        silent.timeout = milliseconds(50);
        silent.tries = 2;
        CaresResolver resolver(silent, clock_);
        const auto before = steady_clock::now();
        CPPUNIT_ASSERT_EQUAL(string("timed_out (the DNS servers do not answer)"),
                             Asked(resolver, questions({"a.example"})).answer());
        const auto took = steady_clock::now() - before;
        CPPUNIT_ASSERT(took >= milliseconds(100) && took < milliseconds(5000));
        CPPUNIT_ASSERT_EQUAL(2U, server.queries());
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), resolver.in_flight());
    }

    void a_slow_server_does_not_hold_up_other_questions() {
        NameServer server(
            [](const NameServer::Query& query) { return query.name == "slow.example" ? Replies() : good(query); });
        CaresResolver resolver(settings(server), clock_);
        Asked slow(resolver, questions({"slow.example", "a.example"}));
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"b.example"})).answer());
        CPPUNIT_ASSERT(!slow.lookup->is_complete());
        CPPUNIT_ASSERT_EQUAL(0, slow.calls());
    }

    void no_server_is_a_failure() {
        auto nowhere = ResolverSettings();
        {
            const NameServer gone(silence);
            nowhere = settings(gone);
        }
        CaresResolver resolver(nowhere, clock_);
        Asked asked(resolver, questions({"a.example"}));
        CPPUNIT_ASSERT(asked.wait());
        CPPUNIT_ASSERT(asked.lookup->answer(0)->failed());
    }

    void the_second_server_is_asked_when_the_first_fails() {
        for (const bool is_silent : {true, false}) {
            NameServer bad([&](const NameServer::Query& query) {
                return is_silent ? Replies() : Replies{query.reply(2).bytes()};
            });
            NameServer better(good);
            auto both = settings(bad);
            both.servers.push_back(better.address());
            both.timeout = milliseconds(100);
            CaresResolver resolver(both, clock_);
            CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"a.example"})).answer());
            CPPUNIT_ASSERT_EQUAL(1U, bad.queries());
        }
    }

    void every_code_has_its_status() {
        const struct {
            unsigned code;
            DnsStatus expected;
        } rows[] = {
            {0, DnsStatus::no_data},        {1, DnsStatus::server_failure}, {2, DnsStatus::server_failure},
            {3, DnsStatus::no_such_name},   {4, DnsStatus::server_failure}, {5, DnsStatus::server_failure},
            {9, DnsStatus::server_failure},
        };
        for (const auto& row : rows) {
            NameServer server(
                [&](const NameServer::Query& query) -> Replies { return {query.reply(row.code).bytes()}; });
            CaresResolver resolver(settings(server), clock_);
            Asked asked(resolver, questions({"a.example"}));
            CPPUNIT_ASSERT_MESSAGE(std::to_string(row.code), asked.wait());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(row.code), string(dns_status_name(row.expected)),
                                         string(dns_status_name(asked.lookup->answer(0)->status())));
        }
    }

    void replies_that_are_not_ours_are_passed_over() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            const auto evil = octets({6, 6, 6, 6});
            Replies replies;
            for (unsigned wrong = 1; wrong < 20; ++wrong)
                replies.push_back(DnsPacket(query.name, query.type, 0, 0, query.id ^ wrong)
                                      .answer(query.name, DnsType::a, 60, evil)
                                      .bytes());
            replies.push_back(DnsPacket("other.example", query.type, 0, 0, query.id)
                                  .answer(query.name, DnsType::a, 60, evil)
                                  .bytes());
            replies.push_back(
                DnsPacket(query.name, DnsType::txt, 0, 0, query.id).answer(query.name, DnsType::a, 60, evil).bytes());
            replies.push_back({});
            replies.push_back(octets({1, 2, 3}));
            replies.push_back(fakes::Octets(1200, 0xff));
            replies.push_back(good(query).front());
            return replies;
        });
        CaresResolver resolver(settings(server), clock_);
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"a.example"})).answer());
    }

    void a_lie_about_another_name_is_no_answer() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            return {query.reply().answer("bank.example", DnsType::a, 300, address).bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        CPPUNIT_ASSERT_EQUAL(string("no_data"), Asked(resolver, questions({"a.example"})).answer());
        CPPUNIT_ASSERT(!Asked(resolver, questions({"bank.example"})).lookup->is_complete());
    }

    void each_question_has_a_fresh_port_while_another_stays_open() {
        Ports ports;
        NameServer server([&](const NameServer::Query& query) {
            ports.add(query.port);
            return query.name == "slow.example" ? Replies() : good(query);
        });
        auto patient = settings(server);
        patient.timeout = milliseconds(30000);
        CaresResolver resolver(patient, clock_);
        const Asked slow(resolver, questions({"slow.example"}));
        for (int i = 0; i < 300; ++i)
            CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"),
                                 Asked(resolver, questions({(std::to_string(i) + ".example").c_str()})).answer());
        CPPUNIT_ASSERT(!slow.lookup->is_complete());
        CPPUNIT_ASSERT_EQUAL(301U, server.queries());
        CPPUNIT_ASSERT_MESSAGE(std::to_string(ports.count()),
                               ports.count() >= 270);  // of some 28,000, drawn at random; now and then one comes twice
    }

    void questions_on_their_way_together_have_a_port_each() {
        Ports ports;
        NameServer server([&](const NameServer::Query& query) {
            ports.add(query.port);
            return Replies();
        });
        auto patient = settings(server);
        patient.timeout = milliseconds(30000);
        CaresResolver resolver(patient, clock_);
        const Asked asked(resolver, numbered(100));
        while (server.queries() < 100) std::this_thread::sleep_for(milliseconds(1));
        CPPUNIT_ASSERT_EQUAL(std::size_t(100), ports.count());
    }

    void the_number_of_ports_is_bounded() {
        Ports ports;
        NameServer server([&](const NameServer::Query& query) {
            ports.add(query.port);
            return Replies();
        });
        auto patient = settings(server);
        patient.timeout = milliseconds(30000);
        CaresResolver resolver(patient, clock_);
        const Asked asked(resolver, numbered(1000));
        while (server.queries() < 1000) std::this_thread::sleep_for(milliseconds(1));
        CPPUNIT_ASSERT_EQUAL(std::size_t(128), ports.count());
    }

    void letters_are_in_random_case() {
        Seen<string> names;
        NameServer server([&](const NameServer::Query& query) {
            names.add(query.asked_name);
            return query.number == 0 ? Replies() : good(query);
        });
        auto quick = settings(server);
        quick.timeout = milliseconds(50);
        quick.cache_octets = 0;
        CaresResolver resolver(quick, clock_);
        for (int i = 0; i < 20; ++i)
            CPPUNIT_ASSERT_EQUAL(
                string("found 192.0.2.1"),
                Asked(resolver, questions({"a-name-with-many-letters-in-it-so-that-no-two-agree.example"})).answer());
        CPPUNIT_ASSERT_EQUAL(21U, server.queries());
        CPPUNIT_ASSERT_EQUAL(std::size_t(20), names.count());  // the one that was tried twice had the same both times
        CPPUNIT_ASSERT(!names.get().contains("a-name-with-many-letters-in-it-so-that-no-two-agree.example"));
    }

    void a_reply_in_another_case_is_asked_for_again_over_tcp() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            if (query.is_tcp) return good(query);
            string name = query.asked_name;
            name.back() ^= 0x20;
            return {
                DnsPacket(name, query.type, 0, 0, query.id).answer(name, DnsType::a, 60, octets({6, 6, 6, 6})).bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"a.example"})).answer());
        CPPUNIT_ASSERT(server.seen() == std::vector<string>({"a.example A udp", "a.example A tcp"}));
    }

    void a_server_that_loses_case_needs_tcp() {
        for (const bool has_tcp : {true, false}) {
            NameServer server(
                [](const NameServer::Query& query) -> Replies {
                    return {DnsPacket(query.name, query.type, 0, 0, query.id)
                                .answer(query.name, DnsType::a, 60, address)
                                .bytes()};
                },
                has_tcp);
            CaresResolver resolver(settings(server), clock_);
            const string answer =
                Asked(resolver, questions({"a-name-with-many-letters-in-it-so-that-no-two-agree.example"})).answer();
            if (has_tcp) CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), answer);
            else
                CPPUNIT_ASSERT_MESSAGE(
                    answer,
                    answer.find("a reply over UDP does not repeat the question exactly; over TCP: ") != string::npos);
        }
    }

    void names_out_of_the_reply_have_no_random_case() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            return {query.reply()
                        .raw_answer(octets({0xc0, 12}), DnsType::mx, 60, octets({0, 10, 2, 'M', 'x', 0xc0, 12}))
                        .bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        CPPUNIT_ASSERT_EQUAL(
            string("found 10 Mx.a-name-with-many-letters-in-it-so-that-no-two-agree.example"),
            Asked(resolver, questions({"a-name-with-many-letters-in-it-so-that-no-two-agree.example"}, DnsType::mx))
                .answer());
    }

    void answers_are_kept() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            return query.name == "a.example"
                       ? good(query)
                       : Replies{query.reply(3).authority("example", 6, 300, fakes::soa(60)).bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        Asked(resolver, questions({"a.example", "nobody.example"})).answer();
        clock_.advance(std::chrono::seconds(59));
        Asked again(resolver, questions({"a.example", "nobody.example"}));
        CPPUNIT_ASSERT(again.lookup->is_complete());
        CPPUNIT_ASSERT_EQUAL(0, again.calls());
        CPPUNIT_ASSERT_EQUAL(string("no_such_name"), again.answer(1));
        CPPUNIT_ASSERT(again.lookup->answer(0)->ttl() == std::chrono::seconds(241));
        clock_.advance(std::chrono::seconds(1));
        Asked(resolver, questions({"a.example", "nobody.example"})).answer();
        CPPUNIT_ASSERT_EQUAL(3U, server.queries());
    }

    void failures_are_kept_for_a_moment_only() {
        NameServer server([](const NameServer::Query& query) {
            return query.number < 1 ? Replies{query.reply(2).bytes()} : good(query);
        });
        auto once = settings(server);
        once.tries = 1;
        CaresResolver resolver(once, clock_);
        Asked first(resolver, questions({"a.example"}));
        CPPUNIT_ASSERT(first.wait());
        CPPUNIT_ASSERT(first.lookup->answer(0)->status() == DnsStatus::server_failure);
        CPPUNIT_ASSERT(Asked(resolver, questions({"a.example"})).lookup->is_complete());
        clock_.advance(std::chrono::seconds(1));
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), Asked(resolver, questions({"a.example"})).answer());
    }

    void a_question_on_its_way_is_not_sent_again() {
        std::promise<void> go;
        NameServer server([&, ready = go.get_future().share()](const NameServer::Query& query) {
            ready.wait();
            return good(query);
        });
        CaresResolver resolver(settings(server), clock_);
        Asked first(resolver, questions({"a.example"}));
        Asked second(resolver, questions({"b.example", "a.example"}));
        go.set_value();
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), first.answer());
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), second.answer(1));
        CPPUNIT_ASSERT_EQUAL(2U, server.queries());
    }

    void a_cancelled_lookup_is_not_called_and_its_answer_is_kept() {
        std::promise<void> go;
        NameServer server([&, ready = go.get_future().share()](const NameServer::Query& query) {
            ready.wait();
            return good(query);
        });
        CaresResolver resolver(settings(server), clock_);
        Asked cancelled(resolver, questions({"a.example"}));
        Asked other(resolver, questions({"b.example"}));
        cancelled.lookup.reset();
        go.set_value();
        other.answer();
        while (resolver.in_flight() > 0) std::this_thread::sleep_for(milliseconds(1));
        CPPUNIT_ASSERT_EQUAL(0, cancelled.calls());
    }

    void a_server_that_closes_connections_harms_no_other_question() {
        NameServer server([](const NameServer::Query& query) -> Replies {
            if (query.name == "slow.example") return query.number < 100 ? Replies() : good(query);
            return {query.is_tcp ? NameServer::hang_up() : query.reply(0, DnsPacket::truncated).bytes()};
        });
        CaresResolver resolver(settings(server), clock_);
        Asked slow(resolver, questions({"slow.example"}));
        for (int i = 0; i < 20; ++i) {
            Asked asked(resolver, questions({(std::to_string(i) + ".example").c_str()}));
            CPPUNIT_ASSERT(asked.wait());
            CPPUNIT_ASSERT(asked.lookup->answer(0)->status() == DnsStatus::server_failure);
        }
        CPPUNIT_ASSERT(!slow.lookup->is_complete());
    }

    void the_end_calls_nobody() {
        NameServer server(silence);
        auto resolver = std::make_unique<CaresResolver>(settings(server), clock_);
        Asked sent(*resolver, questions({"a.example"}));
        while (server.queries() == 0) std::this_thread::sleep_for(milliseconds(1));
        Asked perhaps_unsent(*resolver, questions({"b.example"}));
        resolver->stop();
        CPPUNIT_ASSERT_EQUAL(0, sent.calls() + perhaps_unsent.calls());
        Asked late(*resolver, questions({"c.example"}));
        CPPUNIT_ASSERT(late.lookup->is_complete());
        CPPUNIT_ASSERT_EQUAL(string("server_failure (the server is shutting down)"), late.answer());
        resolver->stop();
        resolver.reset();
        CPPUNIT_ASSERT(!sent.lookup->is_complete());
    }

    void many_threads_may_ask_at_once() {
        NameServer server(good);
        CaresResolver resolver(settings(server), clock_);
        std::atomic<int> found = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                for (int i = 0; i < 50; ++i) {
                    const string name = std::to_string(t % 4) + "." + std::to_string(i) + ".example";
                    Asked asked(resolver, questions({name.c_str(), "same.example"}));
                    if (i % 5 == 4) continue;  // goes away
                    if (asked.wait() && asked.lookup->answer(0)->found() && asked.lookup->answer(1)->found()) ++found;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(8 * 40, found.load());
    }

    void a_thousand_questions_are_in_flight_together() {
        NameServer server(good);
        CaresResolver resolver(settings(server), clock_);
        const auto many = numbered(1000);
        Asked asked(resolver, many);
        CPPUNIT_ASSERT(asked.wait());
        for (std::size_t i = 0; i < many.size(); ++i) CPPUNIT_ASSERT(asked.lookup->answer(i)->found());
        CPPUNIT_ASSERT_EQUAL(1, asked.calls());
    }

    void no_thread_is_made_before_the_first_question() {
        const CaresResolver resolver(ResolverSettings(), clock_);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), resolver.in_flight());
    }

    /// At each allocation of start() in turn, the thread's making included.
    void where_memory_runs_out_nothing_is_left_behind() {
        NameServer server(good);
        for (std::size_t nth = 0, done = 0; done == 0; ++nth) {
            CaresResolver resolver(settings(server), clock_);
            auto wanted = questions({"a-name-that-needs-an-allocation.example", "b.example"});
            fakes::FailingMemory memory(nth);
            try {
                static_cast<void>(resolver.start(wanted, [] {}));
            } catch (const std::bad_alloc&) {}
            memory.stop();
            done = memory.has_failed() ? 0 : 1;
            Asked again(resolver, wanted);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(nth), string("found 192.0.2.1"), again.answer(0));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(nth), string("found 192.0.2.1"), again.answer(1));
            CPPUNIT_ASSERT_EQUAL(std::size_t(0), resolver.in_flight());
        }
    }

private:
    static ResolverSettings settings(const NameServer& server) {
        ResolverSettings settings;
        settings.servers = {server.address()};
        settings.timeout = milliseconds(2000);
        settings.tries = 2;
        return settings;
    }

    fakes::FakeClock clock_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(CaresResolverTest);

}  // namespace
}  // namespace smtpd::net
