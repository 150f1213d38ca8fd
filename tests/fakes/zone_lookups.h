/// zone_lookups.h: runs an evaluation of mail authentication against a zone, round by round, as an ask handler would.
#pragma once

#include "mailauth/lookup_rounds.h"
#include "net/zone_resolver.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

class ZoneLookups final : public mailauth::LookupRounds {
public:
    /// The text is as ZoneResolver reads it.
    explicit ZoneLookups(std::string_view zone) {
        if (const auto read = zone_.read(zone); !read) throw std::invalid_argument(read.error().what);
    }
    explicit ZoneLookups(net::ZoneResolver zone) : zone_(std::move(zone)) {}

    int rounds() const noexcept { return rounds_; }
    /// All questions, in order: "example.com TXT".
    const std::vector<std::string>& asked() const noexcept { return asked_; }

private:
    void answer(std::vector<DnsQuestion> questions) override {
        ++rounds_;
        for (const auto& question : questions) {
            asked_.push_back(question.to_string());
            auto answer = zone_.answer(question);
            set(question, answer ? std::move(*answer) : late());
        }
    }

    net::ZoneResolver zone_;
    std::vector<std::string> asked_;
    int rounds_ = 0;
};

}  // namespace smtpd::fakes
