/// auth_evaluation.h: runs an evaluation of mail authentication until it has a result, with a resolver or with a zone.
#pragma once

#include "mailauth/lookup_rounds.h"
#include "net/resolver.h"
#include "net/zone_resolver.h"

#include <chrono>
#include <memory>
#include <vector>

namespace smtpd::tools {

/// Keeps the answers, so that the evaluations of one call share them. For use by one thread.
class Evaluation final : public mailauth::LookupRounds {
public:
    /// A question that the zone never answers (TIMEOUT) times out at once.
    explicit Evaluation(net::ZoneResolver zone);
    /// Answers that are missing when `timeout` has passed since construction count as timed out.
    Evaluation(std::shared_ptr<net::Resolver> resolver, std::chrono::milliseconds timeout);

private:
    void answer(std::vector<DnsQuestion> questions) override;

    std::shared_ptr<net::Resolver> resolver_;
    bool is_zone_;
    std::chrono::steady_clock::time_point deadline_;
};

}  // namespace smtpd::tools
