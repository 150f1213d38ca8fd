/// auth_evaluation.cc: runs the rounds of questions and answers.
#include "tools/auth_evaluation.h"

#include <condition_variable>
#include <mutex>

namespace smtpd::tools {

Evaluation::Evaluation(net::ZoneResolver zone)
    : resolver_(std::make_shared<net::ZoneResolver>(std::move(zone))), is_zone_(true) {}

Evaluation::Evaluation(std::shared_ptr<net::Resolver> resolver, std::chrono::milliseconds timeout)
    : resolver_(std::move(resolver)), is_zone_(false), deadline_(std::chrono::steady_clock::now() + timeout) {}

const DnsAnswer& Evaluation::dns(DnsType type, std::string_view name) {
    static const DnsAnswer impossible(DnsStatus::bad_name);
    auto question = DnsQuestion::make(type, name);
    if (!question) return impossible;
    const auto [known, is_new] = answers_.try_emplace({type, question->name});
    if (is_new) open_.push_back(std::move(*question));
    return known->second;
}

void Evaluation::answer_all() {
    struct Waiting {
        std::mutex mutex;
        std::condition_variable done;
        bool is_done = false;
    };
    const auto waiting = std::make_shared<Waiting>();
    const auto lookup = resolver_->start(std::exchange(open_, {}), [waiting] {
        const std::lock_guard lock(waiting->mutex);
        waiting->is_done = true;
        waiting->done.notify_one();
    });
    if (!is_zone_ && !lookup->is_complete()) {
        std::unique_lock lock(waiting->mutex);
        waiting->done.wait_until(lock, deadline_, [&] { return waiting->is_done; });
    }
    for (std::size_t i = 0; i < lookup->questions().size(); ++i) {
        const auto& question = lookup->questions()[i];
        auto answer = lookup->answer(i);
        answers_[{question.type, question.name}] = answer
                                                       ? std::move(*answer)
                                                       : DnsAnswer::failure(DnsStatus::timed_out, "no answer in time");
    }
}

}  // namespace smtpd::tools
