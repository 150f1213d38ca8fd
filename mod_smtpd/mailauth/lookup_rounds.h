/// lookup_rounds.h: plays an evaluation of mail authentication round by round, without a session: for commands and
/// tests. It keeps all answers, so several evaluations share them.
#pragma once

#include <smtpd/mailauth/lookups.h>

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::mailauth {

/// A derived class gets the answers. For one thread.
class LookupRounds : public Lookups {
public:
    const DnsAnswer& dns(DnsType type, std::string_view name) override {
        static const DnsAnswer impossible(DnsStatus::bad_name);
        auto question = DnsQuestion::make(type, name);
        if (!question) return impossible;
        const auto [known, is_new] = answers_.try_emplace({type, question->name});
        if (is_new) open_.push_back(std::move(*question));
        return known->second;
    }

    /// Calls `evaluate`, which returns a std::optional, until it has a result, and answers its questions in between.
    /// Throws std::logic_error if an evaluation has neither a result nor a question.
    template <class F>
    auto run(F evaluate) {
        for (;;) {
            if (auto result = evaluate(*this)) return std::move(*result);
            if (open_.empty()) throw std::logic_error("the evaluation gives no result and asks nothing");
            answer(std::exchange(open_, {}));
        }
    }

protected:
    /// Calls set() for each of the questions.
    virtual void answer(std::vector<DnsQuestion> questions) = 0;
    void set(const DnsQuestion& question, DnsAnswer answer) {
        answers_[{question.type, question.name}] = std::move(answer);
    }
    static DnsAnswer late() { return DnsAnswer::failure(DnsStatus::timed_out, "no answer in time"); }

private:
    std::map<std::pair<DnsType, std::string>, DnsAnswer> answers_;
    std::vector<DnsQuestion> open_;
};

}  // namespace smtpd::mailauth
