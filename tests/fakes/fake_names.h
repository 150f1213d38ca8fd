/// fake_names.h: the DNS of a session under test: a zone, and answers that arrive when the test says so.
#pragma once

#include "engine/name_service.h"
#include "net/zone_resolver.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

class FakeNames final : public engine::NameService {
public:
    net::ZoneResolver zone;
    bool at_once = false;            ///< answers are there at once, as if they were known already
    std::vector<std::string> asked;  ///< "mx.example A", in order
    unsigned calls = 0;              ///< how often somebody would have woken the session

    /// Adds records, each as in a zone file.
    void add(std::initializer_list<std::string_view> records) {
        for (const auto record : records)
            if (const auto added = zone.add(record); !added) throw std::runtime_error(added.error().what);
    }

    std::shared_ptr<net::Lookup> look_up(std::vector<DnsQuestion> questions) override {
        for (const auto& question : questions) asked.push_back(question.to_string());
        if (at_once) return zone.start(std::move(questions), [] {});
        auto lookup = std::make_shared<net::Lookup>(std::move(questions), [this] { ++calls; });
        open_.push_back({lookup, std::vector<bool>(lookup->questions().size())});
        return lookup;
    }

    /// Delivers the answers to questions about that name, or with "" to all questions. Questions that time out get
    /// none.
    void give(std::string_view name = {}) {
        for (auto& open : open_) {
            const auto lookup = open.lookup.lock();
            for (std::size_t i = 0; lookup && i < lookup->questions().size(); ++i) {
                const DnsQuestion& question = lookup->questions()[i];
                auto answer = zone.answer(question);
                if (open.is_given[i] || !answer || (!name.empty() && name != question.name)) continue;
                open.is_given[i] = true;
                if (lookup->answer_later(i, std::move(*answer))) lookup->tell();
            }
        }
    }

    /// The number of pending lookups.
    std::size_t waiting() const {
        return static_cast<std::size_t>(
            std::count_if(open_.begin(), open_.end(), [](const Open& open) { return !open.lookup.expired(); }));
    }

private:
    struct Open {
        std::weak_ptr<net::Lookup> lookup;
        std::vector<bool> is_given;
    };
    std::vector<Open> open_;
};

}  // namespace smtpd::fakes
