/// zone_lookups.h: runs an evaluation of mail authentication against a zone, round by round, as an ask handler would.
#pragma once

#include "net/zone_resolver.h"

#include <smtpd/mailauth/lookups.h>

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

class ZoneLookups final : public mailauth::Lookups {
public:
    /// The text is in the format of ZoneResolver.
    explicit ZoneLookups(std::string_view zone) {
        if (const auto read = zone_.read(zone); !read) throw std::invalid_argument(read.error().what);
    }
    explicit ZoneLookups(net::ZoneResolver zone) : zone_(std::move(zone)) {}

    const DnsAnswer& dns(DnsType type, std::string_view name) override {
        static const DnsAnswer unknown;
        static const DnsAnswer impossible(DnsStatus::bad_name);
        auto question = DnsQuestion::make(type, name);
        if (!question) return impossible;
        const auto [known, is_new] = answers_.try_emplace({type, question->name});
        if (is_new) open_.push_back(std::move(*question));
        return known->second;
    }

    /// Calls `evaluate`, which gives a std::optional, until it has a result, and answers its questions in between. An
    /// evaluation that has no result and no question will never have one: std::logic_error.
    template <class F>
    auto run(F evaluate) {
        for (;;) {
            if (auto result = evaluate(*this)) return std::move(*result);
            if (open_.empty()) throw std::logic_error("the evaluation gives no result and asks nothing");
            answer_all();
        }
    }

    int rounds() const noexcept { return rounds_; }
    /// All questions, in order: "example.com TXT".
    const std::vector<std::string>& asked() const noexcept { return asked_; }

private:
    void answer_all() {
        ++rounds_;
        for (const auto& question : std::exchange(open_, {})) {
            asked_.push_back(question.to_string());
            auto answer = zone_.answer(question);
            answers_[{question.type, question.name}] = answer ? std::move(*answer)
                                                              : DnsAnswer::failure(DnsStatus::timed_out,
                                                                                   "no answer in time");
        }
    }

    net::ZoneResolver zone_;
    std::map<std::pair<DnsType, std::string>, DnsAnswer> answers_;
    std::vector<DnsQuestion> open_;
    std::vector<std::string> asked_;
    int rounds_ = 0;
};

}  // namespace smtpd::fakes
