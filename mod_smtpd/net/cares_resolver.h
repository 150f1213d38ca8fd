/// cares_resolver.h: the resolver of a serving process: one thread that sends questions, receives and caches answers,
/// and notifies the callers.
///
/// It uses UDP (udp_questions.h), and TCP with c-ares if a reply was truncated; it has no search domains and no hosts
/// file. A pending question is not sent again for the next caller. A question that no caller waits for any more still
/// runs to its end, because its answer is worth caching; time-out and tries limit how long that takes.
///
/// Forged replies (RFC 5452): udp_questions.h explains what an attacker has to guess. A reply that repeats the name
/// with its letters in another case is not used; the question is asked again over TCP, where only an attacker on the
/// path can answer.
///
/// Create it in the serving process. The thread starts with the first question, with all signals blocked.
#pragma once

#include "net/resolver.h"
#include "net/resolver_settings.h"

#include <smtpd/base/clock.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace smtpd::net {

class CaresResolver final : public Resolver {
public:
    CaresResolver(ResolverSettings settings, const Clock& clock);
    ~CaresResolver() override;

    const ResolverSettings& settings() const noexcept;
    std::shared_ptr<Lookup> start(std::vector<DnsQuestion> questions, std::function<void()> done) override;
    /// Ends the thread. Pending questions get no answer any more, and no caller is notified; later questions fail at
    /// once.
    void stop() noexcept;
    /// The number of questions that were sent and have no answer yet.
    std::size_t in_flight() const;

private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace smtpd::net
