/// cares_resolver.h: the resolver of a serving process: one thread, which sends, receives, keeps answers, and calls
/// those who wait.
///
/// UDP (udp_questions.h), and TCP, with c-ares, where a reply was cut off; no search domains, no hosts file. A question
/// that is on its way is not sent again for the next who asks it. A question nobody waits for any more is left to its
/// end, because its answer is worth keeping; how long that takes at most is set by time-out and tries.
///
/// Forged replies (RFC 5452): udp_questions.h says what they have to guess. A reply that repeats the name with its
/// letters in another case is not used; the question is asked again over TCP, where nobody can answer who does not see
/// it.
///
/// To be made in the process that serves. The thread starts with the first question, with all signals blocked.
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
    /// Ends the thread. What is on its way gets no answer any more, and nobody is called; what is asked from now on
    /// fails at once.
    void stop() noexcept;
    /// Questions that were sent and have no answer yet.
    std::size_t in_flight() const;

private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace smtpd::net
