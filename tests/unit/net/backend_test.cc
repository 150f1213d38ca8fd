/// backend_test.cc: which server is asked, for how long, over which connection, and which server is paused.
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/line_server.h"
#include "fakes/local_daemon.h"
#include "fakes/temp_directory.h"
#include "net/connection_pool.h"

#include <smtpd/backend/backend.h>
#include <smtpd/base/format.h>

#include <cppunit/extensions/HelperMacros.h>

#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace smtpd {
namespace {

using fakes::closed_port;
using fakes::LineServer;
using fakes::LocalDaemon;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

using Servers = std::vector<ServerAddress>;

/// Collects questions; has no answers.
class Asked final : public Questions {
public:
    std::vector<std::string> names;

private:
    void delay(Duration) override {}
    void silence(Duration) override {}
    void timeout(Duration) override {}
    const smtpd::detail::TaskResult* find_task(std::string_view) const noexcept override { return nullptr; }
    void start_task(std::string_view, smtpd::detail::TaskWork) override {}
    const DnsAnswer& dns(DnsType type, std::string_view name) override {
        names.push_back(DnsQuestion::make(type, name)->to_string());
        return none_;
    }
    const DnsAnswer none_;
};

/// The answers of a stage: addresses of names.
Answers answers_of(std::initializer_list<std::pair<const char*, const char*>> records) {
    auto dns = std::make_shared<DnsAnswers>();
    for (const auto& [name, address] : records) {
        const auto ip = *IpAddress::parse(address);
        auto found = std::make_shared<DnsRecords>();
        found->addresses = {ip};
        dns->add(*DnsQuestion::make(ip.is_v6() ? DnsType::aaaa : DnsType::a, name),
                 DnsAnswer(DnsStatus::found, 1min, found));
        dns->add(*DnsQuestion::make(ip.is_v6() ? DnsType::a : DnsType::aaaa, name), DnsAnswer(DnsStatus::no_data));
    }
    return Answers(false, Duration(0), dns);
}

std::string echo(std::string_view line) { return "you said " + std::string(line); }

class BackendTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BackendTest);
    CPPUNIT_TEST(the_second_server_takes_over);
    CPPUNIT_TEST(with_round_robin_each_has_its_turn);
    CPPUNIT_TEST(a_silent_server_leaves_time_to_the_next);
    CPPUNIT_TEST(whoever_is_reached_has_the_rest_of_the_time);
    CPPUNIT_TEST(all_addresses_of_a_host_are_tried);
    CPPUNIT_TEST(names_are_asked_for_where_that_is_needed);
    CPPUNIT_TEST(a_name_without_an_address_is_an_error_and_no_failure);
    CPPUNIT_TEST(a_local_socket_is_a_server_too);
    CPPUNIT_TEST(tls_is_part_of_reaching_a_server);
    CPPUNIT_TEST(a_server_that_failed_is_left_alone);
    CPPUNIT_TEST(one_caller_tries_behind_the_pause);
    CPPUNIT_TEST(what_is_not_reported_counts_neither_way);
    CPPUNIT_TEST(no_time_is_nobodys_failure);
    CPPUNIT_TEST(other_servers_have_a_state_of_their_own);
    CPPUNIT_TEST(a_library_may_make_the_connection);
    CPPUNIT_TEST(connections_are_kept_for_the_next);
    CPPUNIT_TEST(connections_are_not_kept_unless_wanted);
    CPPUNIT_TEST(nobody_gets_the_connection_of_another_identity);
    CPPUNIT_TEST(kept_connections_are_few_and_young);
    CPPUNIT_TEST(a_connection_that_is_not_good_any_more_is_not_used);
    CPPUNIT_TEST(the_callers_check_decides);
    CPPUNIT_TEST(a_tls_connection_is_kept);
    CPPUNIT_TEST(the_status_says_how_each_is_doing);
    CPPUNIT_TEST(a_forked_process_begins_anew);
    CPPUNIT_TEST(many_threads_share_it);
    CPPUNIT_TEST_SUITE_END();

    fakes::FakeClock clock_;
    fakes::FakeLog log_;
    fakes::TempDirectory directory_;

    Backend backend(Servers servers, BackendSettings settings = {}) {
        settings.hosts_file = directory_.path("hosts");
        return Backend("oracle", std::move(servers), std::move(settings), clock_, log_);
    }
    static ServerAddress at(const LineServer& server) { return ServerAddress::tcp("127.0.0.1", server.port()); }
    static ServerAddress nobody() { return ServerAddress::tcp("127.0.0.1", closed_port()); }
    MonotonicTime in(Duration time) const { return clock_.now() + time; }
    Result<Backend::Connection> open(const Backend& backend, const BackendCall& call = {},
                                     const Answers& answers = {}) const {
        return backend.open(answers, in(10s), call);
    }
    /// Opens a connection and returns it. The result is the name of the server, with a star if the connection was a
    /// kept one.
    std::string use(const Backend& backend, const BackendCall& call = {}) const {
        auto server = open(backend, call);
        if (!server) return server.error().what;
        const auto sent = server->socket().send("hello\n");
        const auto heard = server->socket().receive_line(100);
        if (!sent || !heard || *heard != "you said hello") return "no answer";
        const std::string name = (server->was_reused() ? "*" : "") + server->server().to_string();
        std::move(*server).keep();
        return name;
    }
    static BackendGreeting welcome() {
        return [](ClientSocket& socket, const ServerAddress&) -> Result<void> {
            const auto line = socket.receive_line(100);
            if (!line) return line.error();
            return *line == "welcome" ? Result<void>() : Error{ErrorCode::unavailable, "an odd greeting: " + *line, 0};
        };
    }
    static void wait_for(const std::function<bool()>& condition) {
        for (int i = 0; i < 2000 && !condition(); ++i) std::this_thread::sleep_for(5ms);
        CPPUNIT_ASSERT(condition());
    }

public:
    void the_second_server_takes_over() {
        const LineServer second(echo);
        const ServerAddress first = nobody();
        const Backend backend = this->backend({first, at(second)});
        CPPUNIT_ASSERT_EQUAL(second.name(), use(backend));
        const LineServer returned(echo, {}, first.port());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the first in order is asked again", first.to_string(), use(backend));

        const LineServer odd(echo, "go away"), good(echo, "welcome");
        const Backend greeted = this->backend({at(odd), at(good)});
        const auto server = open(greeted, {.greeting = welcome()});
        CPPUNIT_ASSERT(server && server->server() == at(good));

        const ServerAddress gone = nobody(), gone_too = nobody();
        const auto neither = open(this->backend({gone, gone_too}));
        CPPUNIT_ASSERT(!neither && neither.error().code == ErrorCode::unavailable);
        CPPUNIT_ASSERT_EQUAL(
            format_text("cannot connect to {}: Connection refused; cannot connect to {}: Connection refused", gone,
                        gone_too),
            neither.error().what);
        const auto none = open(this->backend({}));
        CPPUNIT_ASSERT(!none && none.error().what == "there is no server to ask");
    }

    void with_round_robin_each_has_its_turn() {
        const LineServer a(echo), b(echo);
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({at(a), gone, at(b)}, {.balance = Balance::round_robin});
        std::vector<std::string> asked;
        for (int i = 0; i < 6; ++i) asked.push_back(use(backend));
        CPPUNIT_ASSERT(asked == (std::vector<std::string>{a.name(), b.name(), b.name(), a.name(), b.name(), b.name()}));
    }

    void a_silent_server_leaves_time_to_the_next() {
        const LineServer silent, good(echo, "welcome");
        const Backend backend = this->backend({at(silent), at(good)});
        const auto begun = std::chrono::steady_clock::now();
        auto server = backend.open({}, in(800ms), {.greeting = welcome()});
        const auto took = std::chrono::steady_clock::now() - begun;
        CPPUNIT_ASSERT(server && server->server() == at(good));
        CPPUNIT_ASSERT(took >= 400ms);
        CPPUNIT_ASSERT_EQUAL(silent.name() + " did not answer within 400 ms", backend.status().at(0).last_error);

        const auto none = this->backend({at(silent)}).open({}, in(120ms), {.greeting = welcome()});
        CPPUNIT_ASSERT(!none && none.error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT_EQUAL(silent.name() + " did not answer within 120 ms", none.error().what);
    }

    void whoever_is_reached_has_the_rest_of_the_time() {
        const LineServer hesitant([](std::string_view) {
            std::this_thread::sleep_for(300ms);
            return "at last"s;
        });
        const LineServer other(echo);
        auto server = this->backend({at(hesitant), at(other)}).open({}, in(500ms));  // half of it would not do
        CPPUNIT_ASSERT(server && server->socket().send("x\n"));
        const auto line = server->socket().receive_line(100);
        CPPUNIT_ASSERT(line && *line == "at last");
        CPPUNIT_ASSERT(server->socket().send("x\n"));
        CPPUNIT_ASSERT(!server->socket().receive_line(100));  // 500 ms are over before the second answer
    }

    void all_addresses_of_a_host_are_tried() {
        const LineServer server(echo, "welcome");
        const Backend backend = this->backend({ServerAddress::tcp("oracle.example", server.port())});
        auto dns = std::make_shared<DnsAnswers>();
        auto found = std::make_shared<DnsRecords>();
        found->addresses = {*IpAddress::parse("127.99.99.99"), *IpAddress::parse("127.0.0.1")};
        dns->add(*DnsQuestion::make(DnsType::a, "oracle.example"), DnsAnswer(DnsStatus::found, 1min, found));
        dns->add(*DnsQuestion::make(DnsType::aaaa, "oracle.example"), DnsAnswer(DnsStatus::timed_out));
        const auto reached = open(backend, {.greeting = welcome()}, Answers(false, Duration(0), dns));
        CPPUNIT_ASSERT(reached);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), backend.status().at(0).failures);
    }

    void names_are_asked_for_where_that_is_needed() {
        directory_.write("hosts", "127.0.0.1 here.example\n");
        const LineServer server(echo);
        const Servers all{ServerAddress::tcp("Oracle.example.", 1), ServerAddress::tcp("here.example", server.port()),
                          ServerAddress::tcp("localhost", 1), ServerAddress::tcp("::1", 1),
                          ServerAddress::local("/run/x")};
        const Backend backend = this->backend(all, {.most_failures = 1});
        Asked asked;
        CPPUNIT_ASSERT(!backend.ask(asked));
        CPPUNIT_ASSERT(asked.names == (std::vector<std::string>{"oracle.example A", "oracle.example AAAA"}));
        const Servers here{all[1]};
        CPPUNIT_ASSERT_EQUAL(format_text("here.example:{}", server.port()), use(backend, {.servers = &here}));

        const Servers named{all[0]};
        CPPUNIT_ASSERT(!open(backend, {.servers = &named}, answers_of({{"oracle.example", "127.99.99.99"}})));
        Asked again;
        backend.ask(again);
        CPPUNIT_ASSERT_MESSAGE("a server that is left alone needs no address", again.names.empty());
    }

    void a_name_without_an_address_is_an_error_and_no_failure() {
        const Backend backend = this->backend({ServerAddress::tcp("oracle.example", 1)}, {.most_failures = 1});
        for (int i = 0; i < 2; ++i) {
            const auto none = open(backend);
            CPPUNIT_ASSERT(!none && none.error().code == ErrorCode::not_found);
            CPPUNIT_ASSERT_EQUAL("no address of oracle.example in the DNS: not asked"s, none.error().what);
        }
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), backend.status().at(0).failures);
        const LineServer server(echo);
        CPPUNIT_ASSERT_EQUAL(server.name(), use(this->backend({ServerAddress::tcp("oracle.example", 1), at(server)})));
    }

    void a_local_socket_is_a_server_too() {
        const LocalDaemon daemon(directory_.path("socket"), [](std::string_view) { return std::string("good day\n"); });
        auto server = open(this->backend(
            {ServerAddress::local(directory_.path("gone")), ServerAddress::local(directory_.path("socket"))}));
        CPPUNIT_ASSERT(server && server->socket().send("x") && *server->socket().receive_line(100) == "good day");
    }

    void tls_is_part_of_reaching_a_server() {
        const fakes::Authority authority;
        const LocalDaemon::Turns turns{{"", LocalDaemon::handshake}, {"", "welcome\n"}};
        const LocalDaemon foreign(turns, authority.issue("DNS:elsewhere.example")),
            good(turns, authority.issue("DNS:oracle.example"));
        BackendSettings settings;
        settings.tls = *TlsTrust::load(directory_.write("ca.pem", authority.pem()));
        const Backend backend = this->backend(
            {ServerAddress::tcp("oracle.example", foreign.port()), ServerAddress::tcp("oracle.example", good.port())},
            settings);
        const auto server = open(backend, {.greeting = welcome()}, answers_of({{"oracle.example", "127.0.0.1"}}));
        CPPUNIT_ASSERT(server && server->server().port() == good.port());
        CPPUNIT_ASSERT_EQUAL(
            format_text("127.0.0.1:{} has no valid certificate for oracle.example: hostname mismatch", foreign.port()),
            backend.status().at(0).last_error);
    }

    void a_server_that_failed_is_left_alone() {
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({gone});
        for (int i = 0; i < 3; ++i) {
            CPPUNIT_ASSERT(backend.is_available());
            CPPUNIT_ASSERT_EQUAL(format_text("cannot connect to {}: Connection refused", gone), use(backend));
        }
        CPPUNIT_ASSERT(!backend.is_available());
        const LineServer returned(echo, {}, gone.port());
        const std::string refusal = use(backend);
        CPPUNIT_ASSERT_MESSAGE(refusal,
                               refusal.starts_with(gone.to_string() + " failed and is not asked for another "));
        CPPUNIT_ASSERT_MESSAGE(refusal,
                               refusal.ends_with(format_text(" s: cannot connect to {}: Connection refused", gone)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), returned.connections());
        const auto warnings = log_.texts(LogLevel::warning);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), warnings.size());
        CPPUNIT_ASSERT_MESSAGE(warnings[0], warnings[0].starts_with(format_text(
                                                "SMTPD0088: {} failed 3 times in a row and is not asked for ", gone)));
        CPPUNIT_ASSERT_EQUAL("oracle"s, log_.lines().back().plugin);

        clock_.advance(5s);
        CPPUNIT_ASSERT_EQUAL(gone.to_string(), use(backend));
        CPPUNIT_ASSERT_EQUAL(gone.to_string() + " answers again", log_.last());
    }

    void one_caller_tries_behind_the_pause() {
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({gone}, {.most_failures = 1});
        (void)use(backend);
        clock_.advance(5s);
        std::optional<LineServer> returned(std::in_place, echo, ""s, gone.port());
        auto probe = open(backend);
        CPPUNIT_ASSERT(probe);
        CPPUNIT_ASSERT_EQUAL(format_text("{} failed and is not asked until the call that tests it has returned: cannot "
                                         "connect to {}: Connection refused",
                                         gone, gone),
                             use(backend));
        probe->failed({ErrorCode::unavailable, "it says nonsense", 0});
        const std::string refusal = use(backend);
        CPPUNIT_ASSERT_MESSAGE(refusal, refusal.ends_with(": it says nonsense"));
        clock_.advance(7'499ms);  // the second pause is 10 s, or less by at most a quarter
        CPPUNIT_ASSERT(!backend.is_available());
        clock_.advance(2'501ms);
        CPPUNIT_ASSERT_EQUAL(gone.to_string(), use(backend));
    }

    void what_is_not_reported_counts_neither_way() {
        const LineServer server(echo);
        const Backend backend = this->backend({at(server)}, {.most_failures = 2});
        const auto fail = [&] { open(backend)->failed({ErrorCode::unavailable, "no", 0}); };
        fail();
        for (int i = 0; i < 5; ++i) CPPUNIT_ASSERT(open(backend));
        CPPUNIT_ASSERT(backend.is_available());
        fail();
        CPPUNIT_ASSERT(!backend.is_available());
    }

    void no_time_is_nobodys_failure() {
        const LineServer silent;
        const Backend backend = this->backend({at(silent)}, {.most_failures = 1});
        const auto late = backend.open({}, in(0ms));
        CPPUNIT_ASSERT(!late && late.error().code == ErrorCode::timeout);
        CPPUNIT_ASSERT_EQUAL("there is no time left to ask " + silent.name(), late.error().what);
        CPPUNIT_ASSERT(!backend.open({}, in(30ms), {.greeting = welcome()}));
        CPPUNIT_ASSERT(backend.is_available());
        CPPUNIT_ASSERT(!backend.open({}, in(150ms), {.greeting = welcome()}));
        CPPUNIT_ASSERT(!backend.is_available());
    }

    void other_servers_have_a_state_of_their_own() {
        const LineServer server(echo);
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({at(server)}, {.most_failures = 1});
        const Servers others{gone}, same{at(server)};
        CPPUNIT_ASSERT(use(backend, {.servers = &others}).starts_with("cannot connect"));
        CPPUNIT_ASSERT(!backend.is_available(&others));
        CPPUNIT_ASSERT(backend.is_available() && backend.is_available(&same));
        CPPUNIT_ASSERT_EQUAL(server.name(), use(backend, {.servers = &same}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), backend.status().size());

        for (unsigned port = 1; port <= 1000; ++port) {
            const Servers another{ServerAddress::tcp("127.0.0.2", static_cast<std::uint16_t>(port))};
            CPPUNIT_ASSERT(backend.is_available(&another));
        }
        CPPUNIT_ASSERT_MESSAGE("what is well is forgotten when it becomes much", backend.status().size() < 300);
        CPPUNIT_ASSERT_MESSAGE("what is not well is not", !backend.is_available(&others));
    }

    void a_library_may_make_the_connection() {
        const ServerAddress first = ServerAddress::tcp("192.0.2.1", 389),
                            second = ServerAddress::tcp("dir.example", 389);
        const Backend backend = this->backend({first, second, ServerAddress::local("/run/x")});
        std::vector<std::string> tried;
        const auto attempt = [&](const ServerAddress& server, const IpAddress* address, Duration time) -> Result<void> {
            CPPUNIT_ASSERT(time > 0ms && time <= 10s);
            tried.push_back(format_text("{} {}", server, address ? address->to_string() : "here"));
            return server.is_local() ? Result<void>() : Error{ErrorCode::unavailable, "no", 0};
        };
        auto lease = backend.reach(answers_of({{"dir.example", "2001:db8::1"}}), in(10s), attempt);
        CPPUNIT_ASSERT(lease && lease->server().is_local());
        lease->succeeded();
        CPPUNIT_ASSERT(tried == (std::vector<std::string>{"192.0.2.1:389 192.0.2.1", "dir.example:389 2001:db8::1",
                                                          "/run/x here"}));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), backend.status().at(1).failures);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), backend.status().at(2).successes);
    }

    void connections_are_kept_for_the_next() {
        const LineServer server(echo, "welcome");
        const Backend backend = this->backend({at(server)}, {.most_idle = 2});
        for (int i = 0; i < 4; ++i)
            CPPUNIT_ASSERT_EQUAL((i == 0 ? "" : "*") + server.name(), use(backend, {.greeting = welcome()}));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), server.connections());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), backend.status().at(0).reused);
        {
            auto closed = open(backend, {.greeting = welcome()});
            CPPUNIT_ASSERT(closed && closed->was_reused());
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("what is not given back is closed", server.name(),
                                     use(backend, {.greeting = welcome()}));
    }

    void connections_are_not_kept_unless_wanted() {
        const LineServer server(echo);
        const Backend backend = this->backend({at(server)});
        for (int i = 0; i < 3; ++i) CPPUNIT_ASSERT_EQUAL(server.name(), use(backend));
    }

    void nobody_gets_the_connection_of_another_identity() {
        const LineServer server(echo);
        const Backend backend = this->backend({at(server)}, {.most_idle = 8});
        const auto as = [&](std::string_view identity) { return use(backend, {.identity = identity}); };
        for (const auto identity :
             {"joe\0secret"sv, "joe\0Secret"sv, "joe"sv, "ann\0secret"sv, ""sv, "joe\0secret\0"sv})
            CPPUNIT_ASSERT_EQUAL(server.name(), as(identity));
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), as("joe\0Secret"sv));
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), as(""));
        CPPUNIT_ASSERT_EQUAL(std::size_t(6), server.connections());

        net::ConnectionPool pool({.most = 8, .idle_time = 1min, .lifetime = 1min});
        auto identity = std::make_unique<Secret>();
        identity->set("joe");
        pool.put({*ClientSocket::connect_tcp(*IpAddress::parse("127.0.0.1"), server.port(), 1s), "a.example",
                  std::move(identity), clock_.now()},
                 clock_.now());
        CPPUNIT_ASSERT(!pool.take("b.example", "joe", clock_.now()) && !pool.take("", "joe", clock_.now()) &&
                       !pool.take("a.example", "", clock_.now()));
        CPPUNIT_ASSERT(pool.take("a.example", "joe", clock_.now()));
    }

    void kept_connections_are_few_and_young() {
        const LineServer server(echo);
        const Backend backend = this->backend({at(server)}, {.most_idle = 2, .idle_time = 30s, .lifetime = 1min});
        const auto idle = [&] { return backend.status().at(0).idle; };
        {
            std::vector<Backend::Connection> many;
            for (int i = 0; i < 5; ++i) many.push_back(std::move(*open(backend)));
            CPPUNIT_ASSERT_EQUAL(std::size_t(5), backend.status().at(0).in_use);
            for (auto& connection : many) std::move(connection).keep();
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), idle());
        clock_.advance(29'999ms);
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), use(backend));
        clock_.advance(1ms);  // the other one has been idle for 30 s
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), use(backend));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), idle());
        clock_.advance(29'999ms);
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), use(backend));
        clock_.advance(1ms);  // ... and this one is a minute old
        CPPUNIT_ASSERT_EQUAL(server.name(), use(backend));
        CPPUNIT_ASSERT_EQUAL(std::size_t(6), server.connections());
    }

    void a_connection_that_is_not_good_any_more_is_not_used() {
        LineServer server(echo);
        const Backend backend = this->backend({at(server)}, {.most_idle = 8});
        /// Keeps a connection after something has happened to it.
        const auto keep_after = [&](const std::function<void(ClientSocket&)>& happens) {
            auto connection = open(backend);
            CPPUNIT_ASSERT(connection && connection->socket().is_quiet());
            happens(connection->socket());
            wait_for([&] { return !connection->socket().is_quiet(); });
            std::move(*connection).keep();
        };
        CPPUNIT_ASSERT_EQUAL(server.name(), use(backend));
        keep_after([&](ClientSocket&) { server.say("by the way"); });
        CPPUNIT_ASSERT_EQUAL_MESSAGE("unasked", server.name(), use(backend));
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), use(backend));
        keep_after([&](ClientSocket&) { server.hang_up(); });
        CPPUNIT_ASSERT_EQUAL_MESSAGE("closed", server.name(), use(backend));
        keep_after([](ClientSocket& socket) { CPPUNIT_ASSERT(socket.send("a\nb\n") && socket.receive_line(100)); });
        CPPUNIT_ASSERT_EQUAL_MESSAGE("with an answer that nobody read", server.name(), use(backend));
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), use(backend));
        for (int i = 0; i < 3; ++i) open(backend)->failed({ErrorCode::unavailable, "no", 0});
        CPPUNIT_ASSERT_EQUAL_MESSAGE("of a server that failed", std::size_t(0), backend.status().at(0).idle);
    }

    void the_callers_check_decides() {
        std::atomic<bool> is_well = true;
        const LineServer server([&](std::string_view line) {
            return line != "ping" ? echo(line) : is_well ? "pong"s : "shutting down"s;
        });
        BackendSettings settings;
        settings.most_idle = 8;
        settings.check = [](ClientSocket& socket) -> Result<void> {
            if (auto sent = socket.send("ping\n"); !sent) return sent;
            const auto line = socket.receive_line(100);
            if (!line) return line.error();
            return *line == "pong" ? Result<void>() : Error{ErrorCode::unavailable, *line, 0};
        };
        const Backend backend = this->backend({at(server)}, settings);
        CPPUNIT_ASSERT_EQUAL(server.name(), use(backend));
        CPPUNIT_ASSERT_EQUAL("*" + server.name(), use(backend));
        is_well = false;
        CPPUNIT_ASSERT_EQUAL(server.name(), use(backend));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("a check is no call", std::uint64_t(0), backend.status().at(0).failures);
    }

    void a_tls_connection_is_kept() {
        const fakes::Authority authority;
        BackendSettings settings;
        settings.tls = *TlsTrust::load(directory_.write("ca.pem", authority.pem()));
        settings.most_idle = 1;
        const auto names_of = [&](const std::string& last_turn) {
            const LocalDaemon daemon(LocalDaemon::Turns{{"", LocalDaemon::handshake},
                                                        {"", "welcome\n"},
                                                        {"hello\n", "you said hello\n"},
                                                        {"", last_turn},
                                                        {"hello\n", "you said hello\n"}},
                                     authority.issue("DNS:localhost"));
            const Backend backend = this->backend({ServerAddress::tcp("localhost", daemon.port())}, settings);
            CPPUNIT_ASSERT_EQUAL(format_text("localhost:{}", daemon.port()), use(backend, {.greeting = welcome()}));
            std::this_thread::sleep_for(50ms);  // tickets, and what the daemon says last, have come
            const std::string second = use(backend, {.greeting = welcome()});
            return std::pair(second.substr(0, 1), daemon.names().size());
        };
        CPPUNIT_ASSERT(names_of("") == std::pair("*"s, std::size_t(1)));
        CPPUNIT_ASSERT(names_of(LocalDaemon::new_handshake) == std::pair("*"s, std::size_t(1)));
        CPPUNIT_ASSERT(names_of("by the way\n").first == "l");
        CPPUNIT_ASSERT(names_of(LocalDaemon::say_goodbye).first == "l");
    }

    void the_status_says_how_each_is_doing() {
        const LineServer server(echo);
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({gone, at(server)}, {.most_idle = 2, .most_failures = 2});
        (void)use(backend);
        (void)use(backend);
        (void)use(backend);
        const auto held = open(backend);
        const auto status = backend.status();
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), status.size());
        CPPUNIT_ASSERT_EQUAL(gone.to_string(), status[0].name);
        CPPUNIT_ASSERT(status[0].state == ServerStatus::State::open);
        CPPUNIT_ASSERT(status[0].next_try >= 3'750ms && status[0].next_try <= 5s);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(2), status[0].failures);
        CPPUNIT_ASSERT_EQUAL(2U, status[0].failures_in_a_row);
        CPPUNIT_ASSERT_EQUAL(format_text("cannot connect to {}: Connection refused", gone), status[0].last_error);
        CPPUNIT_ASSERT(status[1].state == ServerStatus::State::closed && status[1].last_error.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), status[1].successes);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), status[1].reused);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), status[1].in_use);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), status[1].idle);
        clock_.advance(5s);
        CPPUNIT_ASSERT(backend.status()[0].state == ServerStatus::State::half_open);
    }

    void a_forked_process_begins_anew() {
        const LineServer server(echo);
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({gone, at(server)}, {.most_idle = 2, .most_failures = 1});
        CPPUNIT_ASSERT_EQUAL(server.name(), use(backend));
        const pid_t child = fork();
        if (child == 0) {
            const auto here = backend.status();
            const bool is_anew = here.size() == 2 && here[0].failures == 0 && here[1].idle == 0 &&
                                 use(backend) == server.name();
            _exit(is_anew ? 0 : 1);
        }
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(child, waitpid(child, &status, 0));
        CPPUNIT_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("the connection is still the first process's", "*" + server.name(), use(backend));
    }

    void many_threads_share_it() {
        const LineServer server(echo);
        const ServerAddress gone = nobody();
        const Backend backend = this->backend({gone, at(server)}, {.balance = Balance::round_robin, .most_idle = 3});
        std::atomic<unsigned> answered = 0;
        std::vector<std::thread> threads;
        constexpr unsigned each = 50;
        for (unsigned t = 0; t < 8; ++t)
            threads.emplace_back([&, t] {
                const std::string identity = t % 2 == 0 ? "even" : "odd";
                for (unsigned i = 0; i < each; ++i) {
                    answered += use(backend, {.identity = identity}).ends_with(server.name());
                    (void)backend.status();
                    clock_.advance(20ms);
                }
            });
        for (auto& thread : threads) thread.join();
        const auto status = backend.status();
        CPPUNIT_ASSERT_EQUAL(8 * each, answered.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(8 * each), status[1].successes);
        CPPUNIT_ASSERT_EQUAL(std::size_t(0), status[0].in_use + status[1].in_use);
        CPPUNIT_ASSERT(status[1].idle <= 3 && status[1].reused > 0);
        CPPUNIT_ASSERT_MESSAGE("the one that is not there was left alone most of the time", status[0].failures < each);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BackendTest);

}  // namespace
}  // namespace smtpd
