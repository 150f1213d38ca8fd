/// spf.cc: evaluates SPF (RFC 7208 4 to 6).
///
/// A pass evaluates the terms of the records in order, as the RFC requires. If an answer is missing, this pass can have
/// no result. It continues as if the term did not match, so that later questions are sent at once, but only questions
/// for names of the same domain, whose servers have just answered. The servers of another domain may be down, and the
/// evaluation should not wait for them before it knows that it needs them.
#include <smtpd/mailauth/spf.h>

#include "mailauth/spf_record.h"
#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace smtpd::mailauth {
namespace {

using Kind = SpfTerm::Kind;

constexpr unsigned max_terms = 10;     ///< RFC 7208 4.6.4
constexpr std::size_t max_hosts = 10;  ///< the limit on names of an MX answer, and of a PTR answer
constexpr std::size_t max_explanation = 400;
constexpr std::size_t max_name = 253;
constexpr std::size_t max_label = 63;

/// RFC 7208 4.3: labels of 1 to 63 octets, at least two of them.
bool can_have_record(std::string_view domain) noexcept {
    if (domain.empty() || domain.size() > max_name || domain.front() == '[') return false;
    std::size_t label = 0, labels = 1;
    for (const char c : domain) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0, ++labels;
        } else if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~' || ++label > max_label) {
            return false;
        }
    }
    return label > 0 && labels > 1;
}

bool is_same_or_below(std::string_view name, std::string_view domain) noexcept {
    if (name.size() == domain.size()) return ascii_equal(name, domain);
    return name.size() > domain.size() && name[name.size() - domain.size() - 1] == '.' &&
           support::ends_with_folded(name, domain);
}

/// RFC 7208 6.2 asks for ASCII. Control characters could damage a reply.
bool is_printable(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// The domain for `%{d}`: A-labels, in the client's case, without a final dot.
std::string spf_domain(std::string_view domain) {
    if (!support::is_ascii(domain)) return ascii_domain(domain);
    if (domain.ends_with('.')) domain.remove_suffix(1);
    return std::string(domain);
}

enum class Match : std::uint8_t {
    no,
    yes,
    unknown,    ///< an answer is missing
    temperror,  ///< the reason is in Evaluation's outcome
    permerror
};

class Evaluation {
public:
    Evaluation(const SpfRequest& request, const SpfSettings& settings, SpfRecordCache& cache, Lookups& lookups,
               WallTime now)
        : request_(request), settings_(settings), cache_(cache), lookups_(lookups), now_(now) {}

    std::optional<SpfOutcome> run() {
        if (!can_have_record(request_.domain)) {
            outcome_.problem = format_text("\"{}\" is no domain that can have a record", quoted(request_.domain, 80));
            return outcome_;
        }
        const auto result = check(request_.domain, false);
        if (!result) return std::nullopt;
        outcome_.result = *result;
        if (*result == SpfResult::fail && !explain()) return std::nullopt;
        return std::move(outcome_);
    }

private:
    using Checked = std::optional<SpfResult>;  ///< nothing while answers are missing

    SpfResult temperror(std::string why) {
        outcome_.problem = std::move(why);
        return SpfResult::temperror;
    }
    SpfResult permerror(std::string why) {
        outcome_.problem = std::move(why);
        return SpfResult::permerror;
    }
    Match failed(const DnsAnswer& answer, std::string_view name) {
        outcome_.problem = format_text("{}: {}", quoted(name, 255), answer.error());
        return Match::temperror;
    }

    /// check_host() (RFC 7208 4).
    Checked check(std::string_view domain, bool is_included) {
        const DnsAnswer& answer = lookups_.txt(domain);
        if (answer.status() == DnsStatus::not_asked) return wait();
        if (answer.failed()) return temperror(format_text("{}: {}", quoted(domain, 255), answer.error()));
        const std::string* text = nullptr;
        for (const auto& one : answer.texts()) {
            if (!SpfRecord::is_one(one)) continue;
            if (text) return permerror(format_text("{} has several SPF records", quoted(domain, 255)));
            text = &one;
        }
        if (!text) {
            outcome_.problem = format_text("{} has no SPF record", quoted(domain, 255));
            return SpfResult::none;
        }
        const auto record = cache_.get(*text);
        if (!record->problem.empty()) return permerror(format_text("{}: {}", quoted(domain, 255), record->problem));
        return evaluate(*record, domain, is_included);
    }

    Checked evaluate(const SpfRecord& record, std::string_view domain, bool is_included) {
        for (const auto& term : record.terms) {
            const Match match = matches(term, domain);
            if (match == Match::no || match == Match::unknown) continue;
            if (is_blocked_) return std::nullopt;
            if (match == Match::temperror) return SpfResult::temperror;
            if (match == Match::permerror) return SpfResult::permerror;
            if (!is_included) decided(term.text, record, domain);
            return term.result;
        }
        const bool has_all = std::any_of(record.terms.begin(), record.terms.end(),
                                         [](const SpfTerm& term) { return term.kind == Kind::all; });
        if (record.redirect && !has_all) return redirected(record, domain, is_included);
        if (is_blocked_) return std::nullopt;
        if (!is_included) decided("default", record, domain);
        return SpfResult::neutral;
    }

    void decided(std::string_view mechanism, const SpfRecord& record, std::string_view domain) {
        outcome_.mechanism = mechanism;
        outcome_.problem.clear();
        explanation_ = record.explanation;
        explaining_domain_ = domain;
    }

    Checked redirected(const SpfRecord& record, std::string_view domain, bool is_included) {
        if (!count_term()) return is_blocked_ ? Checked() : SpfResult::permerror;
        std::string target;
        const Match expanded = expand(*record.redirect, domain, target);
        if (expanded == Match::unknown) return wait();
        if (!may_ask(target, domain)) return std::nullopt;
        const bool is_possible = expanded == Match::yes && can_have_record(target);
        if (!is_possible && is_blocked_) return std::nullopt;
        if (!is_possible) return permerror(format_text("\"{}\" leads to no domain", quoted(record.redirect_text, 80)));
        const auto result = check(target, is_included);
        if (is_blocked_) return std::nullopt;
        return result == SpfResult::none ? SpfResult::permerror : result;
    }

    /// Marks an answer as missing: from now on the pass only sends questions ahead.
    std::nullopt_t wait() noexcept {
        is_blocked_ = true;
        return std::nullopt;
    }
    Match wait_for_term() noexcept {
        is_blocked_ = true;
        return Match::unknown;
    }

    /// Whether a question may be sent: needed now, or worth sending ahead.
    bool may_ask(std::string_view target, std::string_view domain) const noexcept {
        return !is_blocked_ || is_same_or_below(target, domain);
    }

    bool count_term() {
        if (outcome_.lookups == max_terms) {
            outcome_.problem = format_text("more than {} terms that ask the DNS", max_terms);
            return false;
        }
        ++outcome_.lookups;
        return true;
    }
    /// False if the limit on void answers is exceeded.
    bool count_void(const DnsAnswer& answer) {
        const bool is_void = answer.status() == DnsStatus::no_data || answer.status() == DnsStatus::no_such_name;
        if (!is_void || ++outcome_.voids <= settings_.void_limit) return true;
        outcome_.problem = format_text("more than {} void answers", settings_.void_limit);
        return false;
    }

    Match matches(const SpfTerm& term, std::string_view domain) {
        switch (term.kind) {
            case Kind::all: return Match::yes;
            case Kind::ip4:
            case Kind::ip6: return term.network && term.network->contains(request_.client) ? Match::yes : Match::no;
            default: break;
        }
        if (!count_term()) return Match::permerror;
        const bool needs_names = term.kind == Kind::ptr || (term.domain && term.domain->uses_validated_name());
        if (is_blocked_ && needs_names) return Match::unknown;
        std::string expanded;
        std::string_view target = domain;
        if (term.domain && term.domain->is_literal()) {
            target = term.domain->literal();
            if (target.ends_with('.')) target.remove_suffix(1);
            if (target.size() > max_name) target = expanded = spf_fitting_name(std::string(target));
        } else if (term.domain) {
            const Match made = expand(*term.domain, domain, expanded);
            if (made != Match::yes) return made;
            target = expanded;
        }
        if (!may_ask(target, domain)) return Match::unknown;
        switch (term.kind) {
            case Kind::include: return includes(target, term);
            case Kind::a: return matches_a(target, term);
            case Kind::mx: return matches_mx(target, term);
            case Kind::ptr: return matches_ptr(target);
            default: return exists(target);
        }
    }

    /// yes: `out` has the name. no: the local part is not ASCII, so the name cannot match (RFC 8616 4).
    Match expand(const SpfMacroString& macros, std::string_view domain, std::string& out) {
        if (macros.uses_local_part() && !support::is_ascii(request_.local_part)) return Match::no;
        std::string_view validated;
        if (macros.uses_validated_name()) {
            const auto name = validated_name(domain);
            if (!name) return wait_for_term();
            validated = *name;
        }
        out = macros.expand_domain({request_, domain, validated, settings_.receiver, now_});
        return Match::yes;
    }

    Match includes(std::string_view target, const SpfTerm& term) {
        if (!can_have_record(target)) {
            outcome_.problem = format_text("\"{}\" leads to no domain", quoted(term.text, 80));
            return Match::permerror;
        }
        const auto result = check(target, true);
        if (!result) return Match::unknown;
        switch (*result) {
            case SpfResult::pass: return Match::yes;
            case SpfResult::temperror: return Match::temperror;
            case SpfResult::none:
            case SpfResult::permerror: return Match::permerror;
            default: return Match::no;
        }
    }

    bool is_in_prefix(const IpAddress& address, const SpfTerm& term) const {
        if (address.is_v4() != request_.client.is_v4()) return false;
        return IpNetwork(address, address.is_v4() ? term.bits4 : term.bits6).contains(request_.client);
    }

    /// Whether the term matches an address of the host.
    Match matches_host(std::string_view host, const SpfTerm& term) {
        const DnsAnswer& answer = lookups_.addresses(host, request_.client);
        if (answer.status() == DnsStatus::not_asked) return wait_for_term();
        if (answer.failed()) return failed(answer, host);
        if (!count_void(answer)) return Match::permerror;
        const auto& all = answer.addresses();
        return std::any_of(all.begin(), all.end(), [&](const auto& one) { return is_in_prefix(one, term); })
                   ? Match::yes
                   : Match::no;
    }

    Match matches_a(std::string_view target, const SpfTerm& term) { return matches_host(target, term); }

    Match matches_mx(std::string_view target, const SpfTerm& term) {
        const DnsAnswer& answer = lookups_.mx(target);
        if (answer.status() == DnsStatus::not_asked) return wait_for_term();
        if (answer.failed()) return failed(answer, target);
        if (!count_void(answer)) return Match::permerror;
        const auto& exchangers = answer.exchangers();
        if (exchangers.size() > max_hosts) {
            outcome_.problem = format_text("{} has more than {} MX records", quoted(target, 255), max_hosts);
            return Match::permerror;
        }
        for (const auto& exchanger : exchangers)  // ask for all at once
            if (!exchanger.name.empty() && may_ask(exchanger.name, target))
                (void)lookups_.addresses(exchanger.name, request_.client);
        for (const auto& exchanger : exchangers) {
            if (exchanger.name.empty()) continue;  // RFC 7505: null MX, no host
            if (!may_ask(exchanger.name, target)) return Match::unknown;
            const Match match = matches_host(exchanger.name, term);
            if (match != Match::no) return match;
        }
        return Match::no;
    }

    Match exists(std::string_view target) {
        const DnsAnswer& answer = lookups_.dns(DnsType::a, target);
        if (answer.status() == DnsStatus::not_asked) return wait_for_term();
        if (answer.failed()) return failed(answer, target);
        if (!count_void(answer)) return Match::permerror;
        return answer.found() ? Match::yes : Match::no;
    }

    // --- the names of the client's address

    /// The names that resolve to the client's address, among the first ten of its PTR answer. std::nullopt while
    /// answers are missing. Void answers count only for `ptr`, once for each use (RFC 7208 4.6.4); `is_exceeded` is set
    /// if there were too many.
    std::optional<std::vector<std::string>> validated_names(bool counts_voids, bool& is_exceeded) {
        const auto judge = [&](const DnsAnswer& answer) {
            if (counts_voids && !is_exceeded && !count_void(answer)) is_exceeded = true;
        };
        const DnsAnswer& reverse = lookups_.ptr(request_.client);
        if (reverse.status() == DnsStatus::not_asked) return std::nullopt;
        judge(reverse);
        std::vector<std::string> names = reverse.names(), valid;
        if (names.size() > max_hosts) names.resize(max_hosts);
        bool is_missing = false;
        for (const auto& name : names) {
            const DnsAnswer& answer = lookups_.addresses(name, request_.client);
            if (answer.status() == DnsStatus::not_asked) {
                is_missing = true;
                continue;
            }
            if (!is_missing) judge(answer);
            const auto& all = answer.addresses();
            if (std::find(all.begin(), all.end(), request_.client) != all.end()) valid.push_back(name);
        }
        if (is_missing) return std::nullopt;
        return valid;
    }

    Match matches_ptr(std::string_view target) {
        bool is_exceeded = false;
        const auto names = validated_names(true, is_exceeded);
        if (!names) return wait_for_term();
        if (is_exceeded) return Match::permerror;
        return std::any_of(names->begin(), names->end(),
                           [&](const auto& name) { return is_same_or_below(name, target); })
                   ? Match::yes
                   : Match::no;
    }

    /// The value of `%{p}` (RFC 7208 7.3): the domain itself, otherwise a name below it, otherwise any name.
    std::optional<std::string_view> validated_name(std::string_view domain) {
        if (!names_) {
            bool is_exceeded = false;
            names_ = validated_names(false, is_exceeded);
        }
        if (!names_) return std::nullopt;
        const auto& names = *names_;
        if (names.empty()) return "unknown";
        for (const auto& name : names)
            if (ascii_equal(name, domain)) return name;
        for (const auto& name : names)
            if (is_same_or_below(name, domain)) return name;
        return names.front();
    }

    // --- explanations (RFC 7208 6.2)

    /// False while answers are missing. If anything goes wrong, there is no explanation, and the result stays the same.
    bool explain() {
        if (!explanation_) return true;
        std::string name;
        const Match made = expand(*explanation_, explaining_domain_, name);
        if (made != Match::yes) return made != Match::unknown;
        const DnsAnswer& answer = lookups_.txt(name);
        if (answer.status() == DnsStatus::not_asked) return false;
        if (answer.texts().size() != 1 || !is_printable(answer.texts().front())) return true;
        const auto macros = SpfMacroString::parse(answer.texts().front(), SpfMacroString::Kind::explanation);
        if (!macros) return true;
        std::string_view validated;
        if (macros->uses_validated_name()) {
            const auto found = validated_name(explaining_domain_);
            if (!found) return false;
            validated = *found;
        }
        std::string text = macros->expand({request_, explaining_domain_, validated, settings_.receiver, now_});
        if (!is_printable(text)) return true;
        if (text.size() > max_explanation) text.resize(max_explanation);
        outcome_.explanation = std::move(text);
        return true;
    }

    const SpfRequest& request_;
    const SpfSettings& settings_;
    SpfRecordCache& cache_;
    Lookups& lookups_;
    const WallTime now_;

    SpfOutcome outcome_;
    bool is_blocked_ = false;
    std::optional<SpfMacroString> explanation_;  ///< from the record that decided
    std::string explaining_domain_;
    std::optional<std::vector<std::string>> names_;
};

}  // namespace

std::string_view spf_result_name(SpfResult result) noexcept {
    constexpr std::array<std::string_view, 7> names{"none",     "neutral",   "pass",     "fail",
                                                    "softfail", "temperror", "permerror"};
    const auto index = static_cast<std::size_t>(result);
    return index < names.size() ? names[index] : "none";
}

SpfRequest SpfRequest::from_helo(const IpAddress& client, std::string_view helo) {
    return {.client = client,
            .helo = support::is_ascii(helo) ? std::string(helo) : ascii_domain(helo),
            .local_part = "postmaster",
            .domain = spf_domain(helo),
            .identity = SpfIdentity::helo};
}

SpfRequest SpfRequest::mail_from(const IpAddress& client, std::string_view helo, std::string_view local_part,
                                 std::string_view domain) {
    SpfRequest made = from_helo(client, helo);
    made.identity = SpfIdentity::mail_from;
    made.is_null_sender = domain.empty();
    if (made.is_null_sender) return made;
    if (!local_part.empty()) made.local_part = std::string(local_part);
    made.domain = spf_domain(domain);
    return made;
}

SpfRequest SpfRequest::mail_from(const IpAddress& client, std::string_view helo, const Address& sender) {
    return mail_from(client, helo, sender.local_part(), sender.domain());
}

struct SpfEvaluator::State {
    SpfSettings settings;
    SpfRecordCache cache;
};

SpfEvaluator::SpfEvaluator(SpfSettings settings) : state_(new State{std::move(settings), {}}) {}
SpfEvaluator::~SpfEvaluator() = default;
SpfEvaluator::SpfEvaluator(SpfEvaluator&&) noexcept = default;
SpfEvaluator& SpfEvaluator::operator=(SpfEvaluator&&) noexcept = default;

const SpfSettings& SpfEvaluator::settings() const noexcept { return state_->settings; }

std::optional<SpfOutcome> SpfEvaluator::evaluate(const SpfRequest& request, Lookups& lookups, WallTime now) const {
    return Evaluation(request, state_->settings, state_->cache, lookups, now).run();
}

}  // namespace smtpd::mailauth
