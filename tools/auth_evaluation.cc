/// auth_evaluation.cc: runs the rounds of questions and answers.
#include "tools/auth_evaluation.h"

#include <condition_variable>
#include <mutex>

namespace smtpd::tools {

Evaluation::Evaluation(net::ZoneResolver zone)
    : resolver_(std::make_shared<net::ZoneResolver>(std::move(zone))), is_zone_(true) {}

Evaluation::Evaluation(std::shared_ptr<net::Resolver> resolver, std::chrono::milliseconds timeout)
    : resolver_(std::move(resolver)), is_zone_(false), deadline_(std::chrono::steady_clock::now() + timeout) {}

void Evaluation::answer(std::vector<DnsQuestion> questions) {
    struct Waiting {
        std::mutex mutex;
        std::condition_variable done;
        bool is_done = false;
    };
    const auto waiting = std::make_shared<Waiting>();
    const auto lookup = resolver_->start(std::move(questions), [waiting] {
        const std::lock_guard lock(waiting->mutex);
        waiting->is_done = true;
        waiting->done.notify_one();
    });
    if (!is_zone_ && !lookup->is_complete()) {
        std::unique_lock lock(waiting->mutex);
        waiting->done.wait_until(lock, deadline_, [&] { return waiting->is_done; });
    }
    for (std::size_t i = 0; i < lookup->questions().size(); ++i) {
        auto answer = lookup->answer(i);
        set(lookup->questions()[i], answer ? std::move(*answer) : late());
    }
}

}  // namespace smtpd::tools
