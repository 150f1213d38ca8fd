/// redis_store_test.cc: Redis servers that are dead, slow, silent in the middle of an answer, or broken, and that come
/// back.
#include "unit/store/store_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <iostream>
#include <vector>

#include <poll.h>

namespace smtpd::store {
namespace {

/// Listens on a separate socket and handles each connection as told.
class HostileServer {
public:
    using Behaviour = std::function<void(int descriptor, const std::atomic<bool>& is_over)>;

    explicit HostileServer(Behaviour behaviour)
        : behaviour_(std::move(behaviour)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        CPPUNIT_ASSERT_EQUAL(0, ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address));
        CPPUNIT_ASSERT_EQUAL(0, ::listen(listener_, 100));
        thread_ = std::thread([this] { serve(); });
    }
    ~HostileServer() {
        is_over_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        for (auto& one : sessions_) one.join();
        ::close(listener_);
    }
    std::string path() const { return directory_.path("sock"); }
    int connections() const { return connections_; }

    /// Waits for octets or the end; returns the octets.
    static std::string read(int descriptor, const std::atomic<bool>& is_over) {
        char buffer[4096];
        while (!is_over) {
            pollfd state{descriptor, POLLIN, 0};
            if (::poll(&state, 1, 20) <= 0) continue;
            const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
            return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
        }
        return {};
    }
    static void write(int descriptor, std::string_view octets) {
        static_cast<void>(::send(descriptor, octets.data(), octets.size(), MSG_NOSIGNAL));
    }

private:
    void serve() {
        for (;;) {
            const int descriptor = ::accept(listener_, nullptr, nullptr);
            if (descriptor < 0) return;
            ++connections_;
            sessions_.emplace_back([this, descriptor] {
                behaviour_(descriptor, is_over_);
                ::close(descriptor);
            });
        }
    }

    const Behaviour behaviour_;
    fakes::TempDirectory directory_;
    const int listener_;
    std::atomic<bool> is_over_{false};
    std::atomic<int> connections_{0};
    std::vector<std::thread> sessions_;
    std::thread thread_;
};

/// Answers SELECT, with which each connection begins, then every other command.
HostileServer::Behaviour answering(std::string answer) {
    return [answer = std::move(answer)](int descriptor, const std::atomic<bool>& is_over) {
        HostileServer::read(descriptor, is_over);
        HostileServer::write(descriptor, "+OK\r\n");
        while (!HostileServer::read(descriptor, is_over).empty()) HostileServer::write(descriptor, answer);
    };
}

class RedisStoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RedisStoreTest);
    CPPUNIT_TEST(replies_are_read_octet_by_octet);
    CPPUNIT_TEST(replies_that_are_none_are_refused);
    CPPUNIT_TEST(a_dead_server_fails_at_once_and_is_told_once);
    CPPUNIT_TEST(a_silent_server_costs_the_timeout_and_then_nothing);
    CPPUNIT_TEST(an_answer_that_drips_in_takes_no_longer_than_it_may);
    CPPUNIT_TEST(answers_that_make_no_sense_are_errors);
    CPPUNIT_TEST(what_redis_refuses_is_an_error_with_its_words);
    CPPUNIT_TEST(a_server_that_comes_back_is_used_again);
    CPPUNIT_TEST(connections_that_were_closed_meanwhile_do_no_harm);
    CPPUNIT_TEST(a_process_makes_no_more_connections_than_it_may);
    CPPUNIT_TEST(the_password_and_the_database_are_used);
    CPPUNIT_TEST(two_stores_with_one_prefix_share_and_with_two_do_not);
    CPPUNIT_TEST(an_entry_of_another_kind_is_an_error_and_nothing_more);
    CPPUNIT_TEST_SUITE_END();

    RedisSettings settings(const std::string& path, Duration timeout = 200ms) {
        RedisSettings out;
        out.server.path = path;
        out.timeout = timeout;
        return out;
    }
    static bool is_skipped() {
        if (!fakes::PrivateRedis::is_installed()) std::cout << "skipped: redis is not installed" << std::endl;
        return !fakes::PrivateRedis::is_installed();
    }
    /// The duration in milliseconds.
    template <class F>
    static long timed(F&& body) {
        const auto began = std::chrono::steady_clock::now();
        body();
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count();
    }
    static auto get(RedisStore& backend) { return backend.get({"test", "key"}, soon(200ms)); }

    void replies_are_read_octet_by_octet() {
        const std::string octets = "*4\r\n$5\r\na\r\nb\n\r\n:-12\r\n$-1\r\n*2\r\n$0\r\n\r\n-ERR no\r\n+OK\r\n";
        const std::size_t end = octets.size() - 5;
        for (std::size_t size = 0; size < end; ++size) {
            RedisReply reply;
            std::string_view part(octets.data(), size);
            CPPUNIT_ASSERT(parse_reply(part, reply) == RedisParse::more);
        }
        RedisReply reply;
        std::string_view all = octets;
        CPPUNIT_ASSERT(parse_reply(all, reply) == RedisParse::done);
        CPPUNIT_ASSERT_EQUAL(std::string("+OK\r\n"), std::string(all));
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), reply.list.size());
        CPPUNIT_ASSERT_EQUAL(std::string("a\r\nb\n"), reply.list[0].text);
        CPPUNIT_ASSERT_EQUAL(std::int64_t(-12), reply.list[1].number);
        CPPUNIT_ASSERT(reply.list[2].kind == RedisReply::Kind::nothing);
        CPPUNIT_ASSERT(reply.list[3].list[0].kind == RedisReply::Kind::text &&
                       reply.list[3].list[1].kind == RedisReply::Kind::refusal);
    }

    void replies_that_are_none_are_refused() {
        const std::string wrong[] = {"HTTP/1.1 200 OK\r\n",
                                     "\r\n",
                                     ":x\r\n",
                                     ":1x\r\n",
                                     "$-2\r\n",
                                     "$99999999999999\r\n",
                                     "$1\r\nab\r\n",
                                     "*-7\r\n",
                                     "*2147483647\r\n",
                                     "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
                                     "$\r\n",
                                     std::string(10000, 'x'),
                                     "+" + std::string(10000, 'x') + "\r\n"};
        for (const auto& octets : wrong) {
            RedisReply reply;
            std::string_view rest = octets;
            CPPUNIT_ASSERT_MESSAGE(octets.substr(0, 40), parse_reply(rest, reply) == RedisParse::wrong);
        }
    }

    void a_dead_server_fails_at_once_and_is_told_once() {
        fakes::TempDirectory directory;
        RedisStore backend(settings(directory.path("nobody")), events_);
        backend.start();
        CPPUNIT_ASSERT_EQUAL("redis:" + directory.path("nobody") + ": cannot connect: No such file or directory",
                             get(backend).error().what);
        const long took = timed([&] {
            for (int i = 0; i < 50; ++i) CPPUNIT_ASSERT(!backend.add({"test", "key"}, 1, 1h, {}, soon(200ms)));
        });
        CPPUNIT_ASSERT(took < 1000);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
    }

    void a_silent_server_costs_the_timeout_and_then_nothing() {
        HostileServer server([](int descriptor, const std::atomic<bool>& is_over) {
            while (!HostileServer::read(descriptor, is_over).empty()) {}
        });
        RedisStore backend(settings(server.path()), events_);
        backend.start();
        const long first = timed([&] { CPPUNIT_ASSERT(get(backend).error().code == ErrorCode::timeout); });
        CPPUNIT_ASSERT(first >= 190 && first < 2000);
        const long next = timed([&] {
            const auto left_alone = get(backend);
            CPPUNIT_ASSERT(!left_alone);
            CPPUNIT_ASSERT_MESSAGE(left_alone.error().what,
                                   left_alone.error().what.find("is not used for") != std::string::npos);
        });
        CPPUNIT_ASSERT(next < 90);
        // The pauses grow, so over a second no more than a few tries are made, whatever mail there is.
        const long busy = timed([&] {
            for (int i = 0; i < 100; ++i) {
                static_cast<void>(get(backend));
                std::this_thread::sleep_for(10ms);
            }
        });
        CPPUNIT_ASSERT(busy < 4000);
        CPPUNIT_ASSERT(server.connections() <= 6);
    }

    void an_answer_that_drips_in_takes_no_longer_than_it_may() {
        HostileServer server([](int descriptor, const std::atomic<bool>& is_over) {
            HostileServer::read(descriptor, is_over);
            for (const char octet : std::string("+OK\r\n$1000\r\n") + std::string(1000, 'x')) {
                HostileServer::write(descriptor, std::string_view(&octet, 1));
                std::this_thread::sleep_for(10ms);
                if (is_over) return;
            }
        });
        RedisStore backend(settings(server.path()), events_);
        backend.start();
        const long took = timed([&] { CPPUNIT_ASSERT(get(backend).error().code == ErrorCode::timeout); });
        CPPUNIT_ASSERT(took >= 190 && took < 2000);
    }

    void answers_that_make_no_sense_are_errors() {
        for (const char* answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", "$99999999999\r\n", "*1000000000\r\n", "x"}) {
            HostileServer server(answering(answer));
            RedisStore backend(settings(server.path()), events_);
            backend.start();
            CPPUNIT_ASSERT_MESSAGE(answer, !get(backend));
        }
        // Good protocol, but of another kind than what was asked for.
        for (const char* answer : {":7\r\n", "*0\r\n", "+OK\r\n", "$3\r\nabc\r\n"}) {
            HostileServer server(answering(answer));
            RedisStore backend(settings(server.path()), events_);
            backend.start();
            CPPUNIT_ASSERT_MESSAGE(answer, !backend.add({"test", "key"}, 1, 1h, {}, soon(200ms)));
            CPPUNIT_ASSERT_MESSAGE(answer, !backend.list({"test", ""}, 10, {}, soon(200ms)));
        }
        // It breaks off in the middle.
        HostileServer server([](int descriptor, const std::atomic<bool>& is_over) {
            HostileServer::read(descriptor, is_over);
            HostileServer::write(descriptor, "+OK\r\n");
            HostileServer::read(descriptor, is_over);
            HostileServer::write(descriptor, "$10\r\nabc");
        });
        RedisStore backend(settings(server.path()), events_);
        backend.start();
        CPPUNIT_ASSERT_EQUAL("redis:" + server.path() + ": it closed the connection", get(backend).error().what);
    }

    void what_redis_refuses_is_an_error_with_its_words() {
        HostileServer server(answering("-READONLY You can't write against a read only replica.\r\n"));
        RedisStore backend(settings(server.path()), events_);
        backend.start();
        const auto done = backend.put({"test", "key"}, "x", 1h, soon(200ms));
        CPPUNIT_ASSERT(!done);
        CPPUNIT_ASSERT_EQUAL("redis:" + server.path() + " says READONLY You can't write against a read only replica.",
                             done.error().what);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
    }

    void a_server_that_comes_back_is_used_again() {
        if (is_skipped()) return;
        fakes::PrivateRedis redis;
        RedisStore backend(settings(redis.path()), events_);
        backend.start();
        CPPUNIT_ASSERT(get(backend));
        redis.stop();
        CPPUNIT_ASSERT(!get(backend));
        redis.start();
        bool works = false;
        for (int i = 0; i < 300 && !works; ++i) {
            works = static_cast<bool>(get(backend));
            std::this_thread::sleep_for(10ms);
        }
        CPPUNIT_ASSERT(works);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.failures.size());
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), events_.recoveries.size());
    }

    void connections_that_were_closed_meanwhile_do_no_harm() {
        if (is_skipped()) return;
        fakes::PrivateRedis redis({"--timeout", "1"});
        RedisStore backend(settings(redis.path()), events_);
        backend.start();
        CPPUNIT_ASSERT(get(backend));
        std::this_thread::sleep_for(2500ms);  // the server has closed it
        CPPUNIT_ASSERT(backend.add({"test", "key"}, 1, 1h, {}, soon(200ms)));
        CPPUNIT_ASSERT(events_.failures.empty());
    }

    void a_process_makes_no_more_connections_than_it_may() {
        HostileServer server([](int descriptor, const std::atomic<bool>& is_over) {
            HostileServer::read(descriptor, is_over);
            HostileServer::write(descriptor, "+OK\r\n");
            while (!HostileServer::read(descriptor, is_over).empty()) {
                std::this_thread::sleep_for(5ms);
                HostileServer::write(descriptor, "$-1\r\n");
            }
        });
        auto few = settings(server.path(), 10s);
        few.connections = 3;
        RedisStore backend(few, events_);
        backend.start();
        std::vector<std::thread> threads;
        std::atomic<int> good{0};
        for (int i = 0; i < 12; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 5; ++n) good += static_cast<bool>(backend.get({"test", "key"}, soon(10s)));
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(60, good.load());
        CPPUNIT_ASSERT(server.connections() <= 3);
    }

    void the_password_and_the_database_are_used() {
        if (is_skipped()) return;
        fakes::PrivateRedis redis({"--requirepass", "secret"});
        auto with = settings(redis.path());
        RedisStore without(with, events_);
        without.start();
        CPPUNIT_ASSERT(get(without).error().what.find("NOAUTH") != std::string::npos);
        with.server.password = "wrong";
        RedisStore wrong(with, events_);
        wrong.start();
        CPPUNIT_ASSERT(!get(wrong));
        for (const auto& failure : events_.failures) CPPUNIT_ASSERT(failure.find("wrong,") == std::string::npos);
        with.server.password = "secret";
        RedisStore good(with, events_);
        good.start();
        CPPUNIT_ASSERT(good.put({"test", "key"}, "zero", 1h, soon(200ms)));
        with.server.user = "default";
        with.server.database = 3;
        RedisStore other(with, events_);
        other.start();
        CPPUNIT_ASSERT(must(get(other)) == std::nullopt);
    }

    void two_stores_with_one_prefix_share_and_with_two_do_not() {
        if (is_skipped()) return;
        fakes::PrivateRedis redis;
        auto one = settings(redis.path());
        auto two = one;
        two.prefix = "other";
        RedisStore first(one, events_), same(one, events_), other(two, events_);
        for (RedisStore* backend : {&first, &same, &other}) backend->start();
        CPPUNIT_ASSERT(first.put({"test", "key"}, "x", 1h, soon(200ms)));
        CPPUNIT_ASSERT(must(get(same)).has_value() && !must(get(other)).has_value());
        CPPUNIT_ASSERT(must(other.list({"test", ""}, 100, {}, soon(200ms))).entries.empty());
    }

    void an_entry_of_another_kind_is_an_error_and_nothing_more() {
        if (is_skipped()) return;
        fakes::PrivateRedis redis;
        RedisStore backend(settings(redis.path()), events_);
        backend.start();
        auto foreign = must(RedisConnection::open(settings(redis.path()).server, soon()));
        CPPUNIT_ASSERT(foreign->ask({{"LPUSH", "smtpd:test:key", "a list"}}, soon()));
        CPPUNIT_ASSERT(!get(backend));
        CPPUNIT_ASSERT(!backend.add({"test", "key"}, 1, 1h, {}, soon(200ms)));
        CPPUNIT_ASSERT(backend.put({"test", "other"}, "x", 1h, soon(200ms)));
        CPPUNIT_ASSERT(events_.failures.empty());
    }

    fakes::FakeStoreEvents events_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(RedisStoreTest);

}  // namespace
}  // namespace smtpd::store
