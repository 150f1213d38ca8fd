/// dmarc_walk.cc: the tree walk.
#include "mailauth/dmarc_walk.h"

#include <smtpd/base/format.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

std::size_t labels_of(std::string_view domain) noexcept {
    return static_cast<std::size_t>(std::count(domain.begin(), domain.end(), '.')) + 1;
}

std::string_view without_first_label(std::string_view domain) noexcept {
    const auto dot = domain.find('.');
    return dot == domain.npos ? std::string_view() : domain.substr(dot + 1);
}

std::string_view last_labels(std::string_view domain, std::size_t labels) noexcept {
    for (auto left = labels_of(domain); left > labels; --left) domain = without_first_label(domain);
    return domain;
}

/// The organizational domain by RFC 9989 4.10.2, for a walk in which no question failed.
std::string_view decide(std::string_view start, const std::vector<DmarcWalk::Found>& found) noexcept {
    if (found.empty()) return start;
    const auto& last = found.back();  // the one with the fewest labels
    const bool is_public_suffix = last.record.psd == DmarcRecord::Psd::yes && last.domain != start;
    return is_public_suffix ? last_labels(start, labels_of(last.domain) + 1) : last.domain;
}

}  // namespace

DmarcRecordFound DmarcRecordFound::of(const DnsAnswer& answer, DmarcRfc rfc) {
    if (answer.status() == DnsStatus::not_asked) return {.state = State::pending};
    if (answer.failed()) return {.state = State::failed, .error = std::string(answer.error())};
    DmarcRecordFound found;
    for (const auto& text : answer.texts()) {
        auto record = DmarcRecord::parse(text, rfc);
        if (!record) continue;
        if (found.record) return {.state = State::several};
        found.record = std::move(record);
        found.state = State::found;
    }
    return found;
}

const DmarcWalk::Found* DmarcWalk::at(std::string_view domain) const noexcept {
    const auto it = std::find_if(found.begin(), found.end(), [&](const Found& one) { return one.domain == domain; });
    return it == found.end() ? nullptr : &*it;
}

const DmarcWalk::Found* DmarcWalk::public_suffix() const noexcept {
    return !found.empty() && found.back().record.psd == DmarcRecord::Psd::yes ? &found.back() : nullptr;
}

std::vector<std::string_view> walk_names(std::string_view start) {
    std::vector<std::string_view> names{start};
    constexpr std::size_t most_labels = max_walk_queries - 1;
    std::string_view next = labels_of(start) > most_labels ? last_labels(start, most_labels)
                                                           : without_first_label(start);
    for (; !next.empty(); next = without_first_label(next)) names.push_back(next);
    return names;
}

DmarcWalk walk_tree(std::string_view start, DmarcQuestions& questions) {
    DmarcWalk walk;
    const auto names = walk_names(start);
    std::vector<const DnsAnswer*> answers;
    for (const auto name : names) answers.push_back(&questions.record_of(name));
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto found = DmarcRecordFound::of(*answers[i], DmarcRfc::rfc9989);
        using State = DmarcRecordFound::State;
        if (found.state == State::pending) walk.is_pending = true;
        if (found.state == State::failed && walk.trouble.empty())
            walk.trouble = format_text("_dmarc.{}: {}", names[i], found.error);
        if (found.state != State::found) continue;
        const bool ends = found.record->psd != DmarcRecord::Psd::unknown;
        walk.found.push_back({names[i], std::move(*found.record)});
        if (ends) break;
    }
    if (walk.is_known()) walk.organizational_domain = decide(start, walk.found);
    return walk;
}

bool is_within(std::string_view domain, std::string_view parent) noexcept {
    return domain.ends_with(parent) &&
           (domain.size() == parent.size() || domain[domain.size() - parent.size() - 1] == '.');
}

Existence existence_of(const std::string& domain, DmarcQuestions& questions) {
    const auto said = [](const DnsAnswer& answer) {
        if (answer.status() == DnsStatus::not_asked) return Existence::pending;
        if (answer.failed()) return Existence::unknown;
        return answer.found() || answer.status() == DnsStatus::no_data ? Existence::exists : Existence::does_not_exist;
    };
    // An alias exists even if its target does not. The question for an address follows the alias, so ask for CNAME too.
    const Existence address = said(questions.ask(DnsType::a, domain));
    return address == Existence::does_not_exist ? said(questions.ask(DnsType::cname, domain)) : address;
}

}  // namespace smtpd::mailauth
