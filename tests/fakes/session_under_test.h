/// session_under_test.h: an engine::Session with everything that it needs, driven as a connection driver drives it.
///
/// Settings, hooks, clock and log may be changed until the session is used for the first time; hooks at any time.
#pragma once

#include "engine/session.h"
#include "fakes/fake_clients.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_hook_runner.h"
#include "fakes/fake_log.h"
#include "fakes/fake_names.h"
#include "fakes/fake_tls.h"

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::fakes {

class SessionUnderTest {
public:
    SessionUnderTest() {
        settings.server_name = "mx.example.com";
        settings.software = "mod_smtpd";
        settings.spool.threshold = ~std::uint64_t(0);
        peer.id = "session";
        peer.client = {*IpAddress::parse("192.0.2.1"), 49152};
        peer.local = {*IpAddress::parse("192.0.2.25"), 25};
    }

    engine::Settings settings;
    engine::Peer peer;
    FakeHookRunner hooks;
    FakeClock clock;
    FakeLog log;
    FakeNames names;
    FakeTls tls;
    FakeClients clients;
    engine::TaskService* tasks = nullptr;
    bool has_workers = false;                      ///< its driver has threads that may wait
    engine::Step step = engine::Step::need_input;  ///< what the last call asked for

    engine::Session& session() {
        if (!session_)
            session_ = std::make_unique<engine::Session>(
                settings, hooks, clock, log, peer,
                engine::Services{
                    .names = &names, .tls = &tls, .clients = &clients, .tasks = tasks, .has_workers = has_workers});
        return *session_;
    }
    bool is_made() const noexcept { return session_ != nullptr; }
    void destroy() { session_.reset(); }

    // Each of these gives what the client gets to see.
    std::string start() { return sent(session().start()); }
    std::string feed(std::string_view octets) { return sent(session().feed(octets)); }
    std::string say(std::string_view line) { return feed(std::string(line) + "\r\n"); }
    std::string end_of_input() { return sent(session().end_of_input()); }
    std::string abandon() { return sent(session().abandon()); }
    std::string interrupt(engine::Interruption why) { return sent(session().interrupt(why)); }
    /// Ends the handshake, successfully or not.
    std::string shake_hands(Tls facts, smtp::ChannelBindings bindings = {}) {
        return sent(session().tls_started(std::move(facts), std::move(bindings)));
    }
    std::string shake_hands(const char* protocol = "TLSv1.3") { return shake_hands(tls_facts(protocol)); }
    /// Used instead of start(): the connection begins with the handshake.
    std::string start_encrypted(Tls facts, smtp::ChannelBindings bindings = {}) {
        session().expect_tls();
        return shake_hands(std::move(facts), std::move(bindings));
    }
    std::string fail_handshake() { return sent(session().tls_failed("a reason")); }
    /// Ends the session's work, or reports that no place became free in time.
    std::string work() { return sent(session().do_work()); }
    std::string try_work() {
        session().try_work();
        return sent(session().next_step());
    }
    std::string give_up_work() { return sent(session().give_up_work()); }
    bool has_work() const noexcept { return step == engine::Step::work; }
    std::string stop_soon() { return sent(session().stop_soon()); }
    /// Lets time pass; wakes a parked session at its time, as a driver would.
    std::string wait(Duration duration) {
        clock.advance(duration);
        if (step != engine::Step::park || clock.now() < session().wake_at()) return {};
        return sent(session().resume());
    }
    /// Lets time pass until the end of the parked session's wait.
    std::string skip_wait() {
        std::string out;
        while (step == engine::Step::park) {
            const auto left = std::chrono::ceil<Duration>(session().wake_at() - clock.now());
            out += wait(std::max(left, Duration(0)));
        }
        return out;
    }

    /// Delivers DNS answers (FakeNames::give), and wakes the session, as a driver would.
    std::string answers_come(std::string_view name = {}) {
        const unsigned before = names.calls;
        names.give(name);
        return names.calls == before || step != engine::Step::park ? std::string() : sent(session().resume());
    }

    std::string resume() { return sent(session().resume()); }
    bool is_parked() const noexcept { return step == engine::Step::park; }
    bool is_closed() const noexcept { return step == engine::Step::close; }

    // Dialogues that most tests begin with.
    void greet() {
        start();
        say("EHLO client.example");
    }
    void begin_transaction() {
        greet();
        say("MAIL FROM:<sender@client.example>");
        say("RCPT TO:<user@example.com>");
    }
    void begin_data() {
        begin_transaction();
        say("DATA");
    }

private:
    /// Sends input until the session needs something else.
    std::string sent(engine::Step next) {
        std::string out = take();
        while (next == engine::Step::more) {
            next = session().resume();
            out += take();
        }
        step = next;
        return out;
    }
    std::string take() { return std::exchange(session().output(), {}); }

    std::unique_ptr<engine::Session> session_;
};

inline std::string repeated(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
}

/// The codes of the replies in what a server sent: "250 250 354". Any other line becomes "?".
inline std::string codes(std::string_view output) {
    std::string out;
    while (!output.empty()) {
        const auto end = output.find("\r\n");
        const auto line = output.substr(0, end);
        output.remove_prefix(end == std::string_view::npos ? output.size() : end + 2);
        const bool is_reply = end != std::string_view::npos && line.size() >= 4 &&
                              line.find_first_not_of("0123456789") == 3;
        if (is_reply && line[3] == '-') continue;
        out.append(out.empty() ? "" : " ").append(is_reply && line[3] == ' ' ? line.substr(0, 3) : "?");
    }
    return out;
}

}  // namespace smtpd::fakes
