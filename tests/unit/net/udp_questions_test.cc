/// udp_questions_test.cc: questions over UDP, with good, slow, broken and hostile name servers on loopback.
#include "net/udp_questions.h"
#include "fakes/failing_memory.h"
#include "fakes/name_server.h"
#include "net/dns_message.h"

#include <cppunit/extensions/HelperMacros.h>

#include <netinet/in.h>
#include <sys/epoll.h>

#include <future>
#include <set>
#include <string>
#include <thread>

namespace smtpd::net {
namespace {

using fakes::DnsPacket;
using fakes::NameServer;
using fakes::octets;
using std::string;
using std::chrono::milliseconds;
using Ending = UdpQuestions::Ending;
using Replies = NameServer::Replies;

const fakes::Octets address = octets({192, 0, 2, 1});
const fakes::Octets evil = octets({6, 6, 6, 6});

Replies good(const NameServer::Query& query) {
    return {query.reply().answer(query.name, DnsType::a, 300, address).bytes()};
}
Replies silence(const NameServer::Query&) { return {}; }
Replies failure(const NameServer::Query& query) { return {query.reply(2).bytes()}; }

/// A question and its result.
class Asked final : public UdpQuestions::Question {
public:
    explicit Asked(const string& name) : what(*DnsQuestion::make(DnsType::a, name)) {}
    void over(Ending end, std::span<const std::uint8_t> packet) noexcept override {
        ending = end;
        answer = end == Ending::reply ? read_dns_reply(packet, what).to_string() : "";
        ++calls;
    }
    const DnsQuestion what;
    int calls = 0;
    Ending ending{};
    string answer;
};

/// The thread's part: it polls, and handles time-outs.
class Loop {
public:
    explicit Loop(std::vector<ResolverSettings::Server> servers, milliseconds timeout = milliseconds(5000),
                  unsigned tries = 2)
        : poll_(epoll_create1(EPOLL_CLOEXEC)) {
        settings_.servers = std::move(servers);
        settings_.timeout = timeout;
        settings_.tries = tries;
        udp = std::make_unique<UdpQuestions>(settings_, poll_.get());
    }
    void ask(Asked& question) { udp->ask(question, question.what); }
    /// "found 192.0.2.1"; "" without a reply.
    string answer(Asked& question) {
        ask(question);
        wait_for([&] { return question.calls > 0; });
        return question.answer;
    }
    template <class Condition>
    void wait_for(Condition condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!condition()) {
            CPPUNIT_ASSERT_MESSAGE("nothing within ten seconds", std::chrono::steady_clock::now() < end);
            epoll_event event{};
            if (epoll_wait(poll_.get(), &event, 1, 1) == 1) CPPUNIT_ASSERT(udp->read(event.data.fd));
            if (const auto now = std::chrono::steady_clock::now(); now >= udp->next_timeout()) udp->expire(now);
        }
    }
    /// Handles everything that arrives in that time.
    void idle(milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        wait_for([&] { return std::chrono::steady_clock::now() >= end; });
    }
    /// Descriptors that are ready now.
    int ready() const {
        epoll_event events[16];
        return epoll_wait(poll_.get(), events, 16, 0);
    }
    std::unique_ptr<UdpQuestions> udp;

private:
    ResolverSettings settings_;
    support::FileDescriptor poll_;
};

/// Sends a datagram to that port of this host, from a separate port.
void send_to(std::uint16_t port, const fakes::Octets& packet) {
    const support::FileDescriptor stranger(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* const address = reinterpret_cast<const sockaddr*>(&to);
    CPPUNIT_ASSERT(sendto(stranger.get(), packet.data(), packet.size(), 0, address, sizeof to) > 0);
}

class UdpQuestionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UdpQuestionsTest);
    CPPUNIT_TEST(a_question_is_answered);
    CPPUNIT_TEST(a_strangers_reply_does_not_get_in);
    CPPUNIT_TEST(what_comes_to_an_old_port_is_no_reply_to_the_next_question);
    CPPUNIT_TEST(what_comes_after_the_end_keeps_no_socket_ready);
    CPPUNIT_TEST(a_socket_that_is_used_again_has_another_port);
    CPPUNIT_TEST(a_query_is_no_reply);
    CPPUNIT_TEST(who_failed_is_not_asked_again);
    CPPUNIT_TEST(where_all_fail_the_last_one_says_why);
    CPPUNIT_TEST(the_next_server_is_asked_in_time);
    CPPUNIT_TEST(a_late_reply_of_the_first_server_counts);
    CPPUNIT_TEST(a_late_failure_does_not_shorten_the_wait);
    CPPUNIT_TEST(each_round_waits_twice_as_long);
    CPPUNIT_TEST(where_nobody_listens_the_question_is_over_soon);
    CPPUNIT_TEST(a_server_that_does_not_know_edns_is_asked_without);
    CPPUNIT_TEST(a_server_that_refuses_edns_with_a_header_alone_is_asked_without);
    CPPUNIT_TEST(each_refusal_of_edns_is_of_one_server_and_one_sending);
    CPPUNIT_TEST(a_server_that_refuses_everything_has_failed);
    CPPUNIT_TEST(questions_that_share_a_socket_get_their_own_replies);
    CPPUNIT_TEST(questions_that_share_a_socket_end_with_it);
    CPPUNIT_TEST(sockets_that_nobody_needs_are_closed);
    CPPUNIT_TEST(where_memory_runs_out_the_question_is_over);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_question_is_answered() {
        NameServer server(good);
        Loop loop({server.address()});
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        CPPUNIT_ASSERT_EQUAL(1, asked.calls);
        CPPUNIT_ASSERT(loop.udp->next_timeout() == UdpQuestions::Time::max());
        CPPUNIT_ASSERT(!loop.udp->read(0));
    }

    /// It has the right id, name, case and port, and comes from the wrong socket.
    void a_strangers_reply_does_not_get_in() {
        std::promise<NameServer::Query> sent;
        NameServer server([&](const NameServer::Query& query) {
            sent.set_value(query);
            return Replies();
        });
        Loop loop({server.address()});
        Asked asked("a.example");
        loop.ask(asked);
        const auto query = sent.get_future().get();
        send_to(query.port, query.reply().answer(query.name, DnsType::a, 300, evil).bytes());
        loop.idle(milliseconds(50));
        CPPUNIT_ASSERT_EQUAL(0, asked.calls);
    }

    void what_comes_to_an_old_port_is_no_reply_to_the_next_question() {
        NameServer server([](const NameServer::Query& query) {
            return query.name == "first.example" ? Replies(6, good(query).front()) : Replies();
        });
        Loop loop({server.address()});
        Asked first("first.example");
        loop.ask(first);
        while (server.queries() == 0) std::this_thread::sleep_for(milliseconds(1));
        std::this_thread::sleep_for(milliseconds(100));  // all of them are at the socket, of which one is read
        loop.wait_for([&] { return first.calls > 0; });
        CPPUNIT_ASSERT_EQUAL(1, loop.ready());
        Asked second("second.example");
        loop.ask(second);
        CPPUNIT_ASSERT_EQUAL(0, loop.ready());
    }

    void what_comes_after_the_end_keeps_no_socket_ready() {
        NameServer server([](const NameServer::Query& query) { return Replies(6, good(query).front()); });
        Loop loop({server.address()});
        Asked asked("a.example");
        loop.answer(asked);
        loop.idle(milliseconds(50));
        CPPUNIT_ASSERT_EQUAL(0, loop.ready());
        CPPUNIT_ASSERT_EQUAL(1, asked.calls);
        Asked again("b.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(again));
    }

    void a_socket_that_is_used_again_has_another_port() {
        std::mutex mutex;
        std::set<std::uint16_t> ports;
        NameServer server([&](const NameServer::Query& query) {
            const std::lock_guard lock(mutex);
            ports.insert(query.port);
            return good(query);
        });
        Loop loop({server.address()});
        for (int i = 0; i < 100; ++i) {
            Asked asked(std::to_string(i) + ".example");
            loop.answer(asked);
        }
        const std::lock_guard lock(mutex);
        CPPUNIT_ASSERT_MESSAGE(std::to_string(ports.size()), ports.size() >= 95);  // of some 28,000
    }

    void a_query_is_no_reply() {
        NameServer server([](const NameServer::Query& query) {
            auto packet = query.reply().answer(query.name, DnsType::a, 300, evil);
            return Replies{packet.set_flags(0x0100).bytes(), good(query).front()};
        });
        Loop loop({server.address()});
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
    }

    void who_failed_is_not_asked_again() {
        NameServer failing(failure), silent(silence);
        Loop loop({failing.address(), silent.address()}, milliseconds(20), 3);
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string(), loop.answer(asked));
        CPPUNIT_ASSERT(Ending::timed_out == asked.ending);
        CPPUNIT_ASSERT_EQUAL(1U, failing.queries());
        CPPUNIT_ASSERT_EQUAL(3U, silent.queries());
    }

    void where_all_fail_the_last_one_says_why() {
        NameServer failing(failure);
        NameServer refusing([](const NameServer::Query& query) { return Replies{query.reply(5).bytes()}; });
        Loop loop({failing.address(), refusing.address()});
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("server_failure (the server says REFUSED)"), loop.answer(asked));
        CPPUNIT_ASSERT_EQUAL(2U, failing.queries() + refusing.queries());
    }

    void the_next_server_is_asked_in_time() {
        NameServer silent(silence), better(good);
        Loop loop({silent.address(), better.address()}, milliseconds(50));
        Asked asked("a.example");
        const auto before = std::chrono::steady_clock::now();
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        const auto took = std::chrono::steady_clock::now() - before;
        CPPUNIT_ASSERT(took >= milliseconds(50) && took < milliseconds(2000));
        CPPUNIT_ASSERT_EQUAL(1U, silent.queries());
    }

    void a_late_reply_of_the_first_server_counts() {
        std::promise<void> second_was_asked;
        NameServer late([&, ready = second_was_asked.get_future().share()](const NameServer::Query& query) {
            ready.wait();
            return good(query);
        });
        NameServer silent([&](const NameServer::Query& query) {
            if (query.number == 0) second_was_asked.set_value();
            return Replies();
        });
        Loop loop({late.address(), silent.address()}, milliseconds(100));
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        CPPUNIT_ASSERT_EQUAL(1, asked.calls);
    }

    void a_late_failure_does_not_shorten_the_wait() {
        std::promise<void> second_was_asked;
        std::promise<void> first_has_failed;
        NameServer late([&, ready = second_was_asked.get_future().share()](const NameServer::Query& query) {
            ready.wait();
            first_has_failed.set_value();
            return failure(query);
        });
        NameServer slow([&, ready = first_has_failed.get_future().share()](const NameServer::Query& query) {
            if (query.number > 0) return Replies();
            second_was_asked.set_value();
            ready.wait();
            std::this_thread::sleep_for(milliseconds(20));
            return good(query);
        });
        Loop loop({late.address(), slow.address()}, milliseconds(300), 1);
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
    }

    void each_round_waits_twice_as_long() {
        NameServer silent(silence);
        Loop loop({silent.address()}, milliseconds(20), 3);
        Asked asked("a.example");
        const auto before = std::chrono::steady_clock::now();
        loop.answer(asked);
        CPPUNIT_ASSERT(Ending::timed_out == asked.ending);
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - before >= milliseconds(20 + 40 + 80));
        CPPUNIT_ASSERT_EQUAL(3U, silent.queries());
    }

    void where_nobody_listens_the_question_is_over_soon() {
        ResolverSettings::Server nowhere;
        {
            const NameServer gone(silence);
            nowhere = gone.address();
        }
        Loop loop({nowhere});
        Asked asked("a.example");
        loop.answer(asked);
        CPPUNIT_ASSERT(Ending::unreachable == asked.ending);
        Asked again("b.example");  // the error of the first question is not that of the second
        loop.answer(again);
        CPPUNIT_ASSERT(Ending::unreachable == again.ending);
    }

    void a_server_that_does_not_know_edns_is_asked_without() {
        NameServer old([](const NameServer::Query& query) {
            return query.has_edns ? Replies{query.reply(1).bytes()} : good(query);
        });
        Loop loop({old.address()});
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        CPPUNIT_ASSERT_EQUAL(2U, old.queries());
    }

    /// Some send back only the header.
    void a_server_that_refuses_edns_with_a_header_alone_is_asked_without() {
        NameServer old([](const NameServer::Query& query) {
            auto header = query.reply(1).bytes();
            header.resize(12);
            header[5] = 0;
            return query.has_edns ? Replies{header} : good(query);
        });
        Loop loop({old.address()});
        std::vector<std::unique_ptr<Asked>> all;
        for (int i = 0; i < 200; ++i) all.push_back(std::make_unique<Asked>(std::to_string(i) + ".example"));
        for (auto& asked : all) loop.ask(*asked);
        loop.wait_for([&] { return std::ranges::all_of(all, [](const auto& asked) { return asked->calls > 0; }); });
        for (const auto& asked : all) CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), asked->answer);
    }

    /// A question that was sent twice is refused twice, and each of two servers refuses it.
    void each_refusal_of_edns_is_of_one_server_and_one_sending() {
        const auto refuse_late = [](const NameServer::Query& query) {
            if (query.has_edns) std::this_thread::sleep_for(milliseconds(150));  // the question is sent again by then
            return query.has_edns ? Replies{query.reply(1).bytes(), query.reply(1).bytes()} : good(query);
        };
        NameServer one(refuse_late), other(refuse_late);
        for (const auto& servers : {std::vector{one.address()}, std::vector{one.address(), other.address()}}) {
            Loop loop(servers, milliseconds(60), 3);
            Asked asked("a.example");
            CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        }
        NameServer late([](const NameServer::Query& query) {
            if (query.has_edns) return Replies{query.reply(1).bytes()};
            std::this_thread::sleep_for(milliseconds(100));
            return good(query);
        });
        NameServer failing(
            [](const NameServer::Query& query) { return Replies{query.reply(query.has_edns ? 1 : 2).bytes()}; });
        Loop loop({late.address(), failing.address()}, milliseconds(50), 2);
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        CPPUNIT_ASSERT_EQUAL(2U, failing.queries());
    }

    /// FORMERR to a question without EDNS is a failure like any other.
    void a_server_that_refuses_everything_has_failed() {
        NameServer broken([](const NameServer::Query& query) { return Replies{query.reply(1).bytes()}; });
        NameServer server(good);
        Loop loop({broken.address(), server.address()});
        Asked asked("a.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(asked));
        CPPUNIT_ASSERT_EQUAL(2U, broken.queries());
        Loop alone({broken.address()});
        Asked again("a.example");
        CPPUNIT_ASSERT_EQUAL(string("server_failure (the server says FORMERR)"), alone.answer(again));
    }

    void questions_that_share_a_socket_get_their_own_replies() {
        NameServer server([](const NameServer::Query& query) {
            const auto own = octets({10, 0, query.name[0] - 'a', query.name[1] - 'a'});
            return Replies{query.reply().answer(query.name, DnsType::a, 300, own).bytes()};
        });
        Loop loop({server.address()});
        std::vector<std::unique_ptr<Asked>> all;
        const auto letter = [](int number) { return string(1, static_cast<char>('a' + number)); };
        for (int i = 0; i < 400; ++i)
            all.push_back(std::make_unique<Asked>(letter(i / 20) + letter(i % 20) + ".example"));
        for (auto& asked : all) loop.ask(*asked);
        loop.wait_for([&] { return std::ranges::all_of(all, [](const auto& asked) { return asked->calls > 0; }); });
        for (int i = 0; i < 400; ++i) {
            const string own = "10.0." + std::to_string(i / 20) + "." + std::to_string(i % 20);
            CPPUNIT_ASSERT_EQUAL("found " + own, all[static_cast<std::size_t>(i)]->answer);
        }
    }

    void questions_that_share_a_socket_end_with_it() {
        ResolverSettings::Server nowhere;
        {
            const NameServer gone(silence);
            nowhere = gone.address();
        }
        Loop loop({nowhere});
        std::vector<std::unique_ptr<Asked>> all;
        for (int i = 0; i < 300; ++i) all.push_back(std::make_unique<Asked>(std::to_string(i) + ".example"));
        for (auto& asked : all) loop.ask(*asked);
        loop.wait_for([&] { return std::ranges::all_of(all, [](const auto& asked) { return asked->calls > 0; }); });
        for (const auto& asked : all) CPPUNIT_ASSERT(asked->calls == 1 && asked->ending == Ending::unreachable);
    }

    void sockets_that_nobody_needs_are_closed() {
        NameServer server(
            [](const NameServer::Query& query) { return query.name == "slow.example" ? Replies() : good(query); });
        Loop loop({server.address()});
        Asked slow("slow.example");
        loop.ask(slow);
        std::vector<std::unique_ptr<Asked>> all;
        for (int i = 0; i < 50; ++i) all.push_back(std::make_unique<Asked>(std::to_string(i) + ".example"));
        for (auto& asked : all) loop.ask(*asked);
        loop.wait_for([&] { return std::ranges::all_of(all, [](const auto& asked) { return asked->calls > 0; }); });
        loop.udp->close_unused();  // all were needed
        CPPUNIT_ASSERT_EQUAL(std::size_t(51), loop.udp->sockets());
        for (int i = 0; i < 3; ++i) {
            Asked asked("again" + std::to_string(i) + ".example");
            loop.answer(asked);
        }
        loop.udp->close_unused();  // one of them was
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), loop.udp->sockets());
        Asked more("more.example");
        CPPUNIT_ASSERT_EQUAL(string("found 192.0.2.1"), loop.answer(more));
        loop.udp->close_unused();
        loop.udp->close_unused();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), loop.udp->sockets());  // the slow one's
        CPPUNIT_ASSERT_EQUAL(0, slow.calls);
    }

    void where_memory_runs_out_the_question_is_over() {
        NameServer server(good);
        for (std::size_t nth = 0, done = 0; done == 0; ++nth) {
            Loop loop({server.address()});
            Asked asked("a-name-that-needs-an-allocation.example");
            {
                fakes::FailingMemory memory(nth);
                loop.ask(asked);
                done = memory.has_failed() ? 0 : 1;
            }
            if (done == 0) CPPUNIT_ASSERT(asked.calls == 1 && asked.ending == Ending::no_resources);
            Asked again("b.example");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(nth), string("found 192.0.2.1"), loop.answer(again));
        }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(UdpQuestionsTest);

}  // namespace
}  // namespace smtpd::net
