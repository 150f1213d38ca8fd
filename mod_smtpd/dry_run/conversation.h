/// conversation.h: drives a session without a connection: passes octets to it, performs the requested steps, and
/// collects its output. Waits for a time are skipped; DNS questions are asked.
#pragma once

#include "dry_run/clock.h"
#include "engine/session.h"
#include "net/zone_resolver.h"

#include <smtpd/base/result.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::dry_run {

/// Asks a resolver, and waits for its answers.
class Names final : public engine::NameService {
public:
    /// Both objects must outlive it.
    Names(net::Resolver& resolver, const DryRunClock& clock) : resolver_(resolver), clock_(clock) {}

    std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) override;
    /// True if all answers to the last questions have come; false if that time came first, or if no answers will come.
    bool wait(MonotonicTime until);
    /// Answers come later, from another thread. Those of a list of records come at once or never.
    void expect_answers() noexcept { answers_come_ = true; }

private:
    /// How the resolver's thread notifies the waiting one.
    struct News {
        std::mutex mutex;
        std::condition_variable came;
        bool is_there = false;
    };
    net::Resolver& resolver_;
    const DryRunClock& clock_;
    bool answers_come_ = false;
    std::shared_ptr<News> news_;
    std::weak_ptr<net::Lookup> lookup_;
};

/// A resolver that answers from a file only. The Error names the line.
Result<std::unique_ptr<net::Resolver>> read_zone(std::string_view text);

class Conversation {
public:
    /// `names` may be null; then every question fails, if the session was given the same.
    Conversation(engine::Session& session, DryRunClock& clock, Names* names)
        : session_(session), clock_(clock), names_(names) {}

    // Each returns the output for the client.
    std::string start() { return settled(session_.start()); }
    /// The connection is encrypted from the first octet.
    std::string start_encrypted(Tls facts, smtp::ChannelBindings bindings);
    std::string say(std::string_view octets) { return settled(session_.feed(octets)); }
    std::string end() { return settled(session_.end_of_input()); }
    /// Sends everything without waiting for replies.
    std::string all_at_once(std::string_view octets);

    /// How long the session was parked since the last call.
    Duration take_waited() noexcept { return std::exchange(waited_, Duration(0)); }
    bool is_over() const noexcept { return session_.is_over(); }
    /// Waits in real time instead of skipping waits.
    void take_time() noexcept { takes_time_ = true; }

private:
    std::string settled(engine::Step step);
    void sit_out();
    void pass_time();

    engine::Session& session_;
    DryRunClock& clock_;
    Names* const names_;
    bool takes_time_ = false;
    Duration waited_{0};
};

/// Removes and returns the next line of `text`, with its LF; "" at the end.
std::string_view take_line(std::string_view& text) noexcept;

/// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711"
std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

}  // namespace smtpd::dry_run
