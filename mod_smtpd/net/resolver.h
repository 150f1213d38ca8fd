/// resolver.h: the interface of a resolver, and a set of pending questions.
///
/// A Resolver accepts questions from any thread and answers from one of its own; it calls the caller's function when
/// the last answer has come. Destroying a Lookup cancels it: its function is not called.
#pragma once

#include <smtpd/dns/dns.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace smtpd::net {

/// Questions that were asked together, and their answers as they come. Thread-safe.
class Lookup {
public:
    /// `done` is called once, by the thread that gave the last answer, without holding a lock; not if all answers were
    /// available from the beginning.
    Lookup(std::vector<DnsQuestion> questions, std::function<void()> done)
        : questions_(std::move(questions)),
          done_(std::move(done)),
          answers_(questions_.size()),
          open_(questions_.size()) {}
    Lookup(const Lookup&) = delete;
    Lookup& operator=(const Lookup&) = delete;

    const std::vector<DnsQuestion>& questions() const noexcept { return questions_; }
    bool is_complete() const noexcept { return open_.load(std::memory_order_acquire) == 0; }
    /// The answer to that question, if it has come.
    std::optional<DnsAnswer> answer(std::size_t index) const {
        const std::lock_guard lock(mutex_);
        return answers_[index];
    }

    /// For the resolver: sets an answer that is available at once, while no other thread knows the lookup.
    void answer_at_once(std::size_t index, DnsAnswer answer) {
        answers_[index] = std::move(answer);
        open_.fetch_sub(1, std::memory_order_relaxed);
    }
    /// For the resolver: sets an answer. Each question is answered once. True if that was the last one: then call
    /// tell().
    bool answer_later(std::size_t index, DnsAnswer answer) {
        {
            const std::lock_guard lock(mutex_);
            answers_[index] = std::move(answer);
        }
        return open_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    }
    /// The caller must hold the lookup, because the session may release it.
    void tell() const { done_(); }

private:
    const std::vector<DnsQuestion> questions_;
    const std::function<void()> done_;
    mutable std::mutex mutex_;
    std::vector<std::optional<DnsAnswer>> answers_;
    std::atomic<std::size_t> open_;
};

class Resolver {
public:
    virtual ~Resolver() = default;
    /// Asks the questions, which must be distinct. Cached answers are set before this returns.
    virtual std::shared_ptr<Lookup> start(std::vector<DnsQuestion> questions, std::function<void()> done) = 0;
};

}  // namespace smtpd::net
