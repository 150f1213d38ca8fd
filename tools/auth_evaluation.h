/// auth_evaluation.h: runs an evaluation of mail authentication until it has a result, with a resolver or with a zone.
#pragma once

#include "net/resolver.h"
#include "net/zone_resolver.h"

#include <smtpd/mailauth/lookups.h>

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::tools {

/// Keeps the answers, so that the evaluations of one call share them. For use by one thread.
class Evaluation final : public mailauth::Lookups {
public:
    /// A question that the zone never answers (TIMEOUT) times out at once.
    explicit Evaluation(net::ZoneResolver zone);
    /// Answers that are missing when `timeout` has passed since construction count as timed out.
    Evaluation(std::shared_ptr<net::Resolver> resolver, std::chrono::milliseconds timeout);

    const DnsAnswer& dns(DnsType type, std::string_view name) override;

    /// Calls `evaluate` until it returns a result, and gets the answers to its questions in between.
    template <class F>
    auto run(F evaluate) {
        for (;;) {
            if (auto result = evaluate(*this)) return std::move(*result);
            if (open_.empty()) throw std::logic_error("the evaluation gives no result and asks nothing");
            answer_all();
        }
    }

private:
    void answer_all();

    std::shared_ptr<net::Resolver> resolver_;
    bool is_zone_;
    std::chrono::steady_clock::time_point deadline_;
    std::map<std::pair<DnsType, std::string>, DnsAnswer> answers_;
    std::vector<DnsQuestion> open_;
};

}  // namespace smtpd::tools
