/// dmarc.cc: evaluates DMARC. There is a class for each RFC, which finds the record and decides about alignment. The
/// rest is the same for both.
#include <smtpd/mailauth/dmarc.h>

#include "mailauth/dmarc_walk.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace smtpd::mailauth {
namespace {

enum class Aligned { no, yes, unknown, pending };

/// The rules of an RFC for one author. Names are in the form of ascii_domain().
class Rules {
public:
    struct Policy {
        bool is_pending = false;
        std::string trouble{};                ///< why the record could not be looked up
        std::string_view domain{};            ///< the domain with the record
        std::optional<DmarcRecord> record{};  ///< nothing if there is none
        std::string note{};                   ///< why there is none, if that needs an explanation
    };

    virtual ~Rules() = default;
    virtual Policy policy() = 0;
    /// "" if it cannot be determined, or not yet.
    virtual std::string organizational_domain() = 0;
    virtual Aligned is_aligned(const std::string& domain) = 0;
    /// Why is_aligned() returned `unknown`.
    virtual std::string trouble() const = 0;
    virtual bool has_limit() const noexcept { return false; }
};

/// RFC 9989: the tree walk.
class TreeWalk final : public Rules {
public:
    TreeWalk(const std::string& author, DmarcQuestions& questions)
        : author_(author), questions_(questions), walk_(walk_tree(author_, questions)) {}

    Policy policy() override {
        // The author's own record applies, regardless of the domains above it.
        const auto own = DmarcRecordFound::of(questions_.record_of(author_), DmarcRfc::rfc9989);
        if (own.state == DmarcRecordFound::State::pending) return {.is_pending = true};
        if (own.state == DmarcRecordFound::State::found) return {.domain = author_, .record = own.record};
        if (!walk_.trouble.empty()) return {.trouble = walk_.trouble};
        if (walk_.is_pending) return {.is_pending = true};
        const auto* found = walk_.at(walk_.organizational_domain);
        if (found == nullptr) found = walk_.public_suffix();
        if (found != nullptr) return {.domain = found->domain, .record = found->record};
        if (own.state != DmarcRecordFound::State::several) return {};
        return {.note = format_text("_dmarc.{} has several records", author_)};
    }

    std::string organizational_domain() override { return std::string(walk_.organizational_domain); }

    Aligned is_aligned(const std::string& domain) override {
        if (walk_.is_pending) return Aligned::pending;
        if (!walk_.trouble.empty()) {
            // The domain must be within the organizational domain, which is at most the top-level domain.
            const auto top = std::string_view(author_).substr(author_.rfind('.') + 1);
            if (!is_within(domain, top)) return Aligned::no;
            trouble_ = walk_.trouble;
            return Aligned::unknown;
        }
        const auto organizational = walk_.organizational_domain;
        if (!is_within(domain, organizational)) return Aligned::no;
        // A walk from the organizational domain finds the same record first as the author's walk.
        if (domain == organizational) return Aligned::yes;
        const DmarcWalk* const walk = walk_of(domain);
        if (walk == nullptr) return Aligned::no;
        if (!walk->trouble.empty()) {
            trouble_ = walk->trouble;
            return Aligned::unknown;
        }
        if (walk->is_pending) return Aligned::pending;
        return walk->organizational_domain == organizational ? Aligned::yes : Aligned::no;
    }

    std::string trouble() const override { return trouble_; }
    bool has_limit() const noexcept override { return has_limit_; }

private:
    /// Null if max_identifier_walks is reached.
    const DmarcWalk* walk_of(const std::string& domain) {
        const auto known = walks_.find(domain);
        if (known != walks_.end()) return &known->second;
        if (walks_.size() == max_identifier_walks) {
            has_limit_ = true;
            return nullptr;
        }
        const auto made = walks_.try_emplace(domain).first;
        made->second = walk_tree(made->first, questions_);
        return &made->second;
    }

    const std::string& author_;
    DmarcQuestions& questions_;
    const DmarcWalk walk_;
    std::map<std::string, DmarcWalk> walks_;
    std::string trouble_;
    bool has_limit_ = false;
};

/// RFC 7489: the list of public suffixes.
class SuffixList final : public Rules {
public:
    SuffixList(const std::string& author, const PublicSuffixes& suffixes, DmarcQuestions& questions)
        : author_(author),
          organizational_(suffixes.organizational_domain(author)),
          suffixes_(suffixes),
          own_(DmarcRecordFound::of(questions.record_of(author_), DmarcRfc::rfc7489)),
          inherited_(organizational_ == author_
                         ? DmarcRecordFound()
                         : DmarcRecordFound::of(questions.record_of(organizational_), DmarcRfc::rfc7489)) {}

    Policy policy() override {
        const auto own = policy_at(author_, own_);
        return own_.state == DmarcRecordFound::State::absent ? policy_at(organizational_, inherited_) : own;
    }

    std::string organizational_domain() override { return organizational_; }
    Aligned is_aligned(const std::string& domain) override {
        return suffixes_.organizational_domain(domain) == organizational_ ? Aligned::yes : Aligned::no;
    }
    std::string trouble() const override { return {}; }

private:
    static Policy policy_at(std::string_view domain, const DmarcRecordFound& found) {
        switch (found.state) {
            case DmarcRecordFound::State::pending: return {.is_pending = true};
            case DmarcRecordFound::State::failed: return {.trouble = format_text("_dmarc.{}: {}", domain, found.error)};
            case DmarcRecordFound::State::found: return {.domain = domain, .record = found.record};
            case DmarcRecordFound::State::several:
                return {.note = format_text("_dmarc.{} has several records", domain)};
            case DmarcRecordFound::State::absent: break;
        }
        return {};
    }

    const std::string author_;
    const std::string organizational_;
    const PublicSuffixes& suffixes_;
    const DmarcRecordFound own_, inherited_;
};

/// The alignment of all domains that one method has tested.
class Identifiers {
public:
    Identifiers(const std::vector<DmarcIdentifier>& identifiers, const std::string& author, DmarcAlignment mode,
                Rules& rules)
        : author_(author), mode_(mode), rules_(rules) {
        for (const auto& identifier : identifiers) {
            if (identifier.result == "pass") passed_.push_back(ascii_domain(identifier.domain));
            if (identifier.result == "temperror") undecided_.push_back(ascii_domain(identifier.domain));
        }
        alignment_ = best_of(passed_);
    }

    Aligned alignment() const noexcept { return alignment_; }
    /// The alignment of the domains for which the method has temperror.
    Aligned undecided() const { return best_of(undecided_); }

private:
    /// Asks about all domains, so that independent questions are sent together. Asks nothing if one is the author's
    /// domain.
    Aligned best_of(const std::vector<std::string>& domains) const {
        if (std::find(domains.begin(), domains.end(), author_) != domains.end()) return Aligned::yes;
        if (mode_ == DmarcAlignment::strict) return Aligned::no;
        bool is_aligned = false, is_pending = false, is_unknown = false;
        for (const auto& domain : domains) {
            const Aligned one = rules_.is_aligned(domain);
            is_aligned |= one == Aligned::yes;
            is_pending |= one == Aligned::pending;
            is_unknown |= one == Aligned::unknown;
        }
        return is_aligned ? Aligned::yes : is_pending ? Aligned::pending : is_unknown ? Aligned::unknown : Aligned::no;
    }

    const std::string& author_;
    const DmarcAlignment mode_;
    Rules& rules_;
    std::vector<std::string> passed_, undecided_;
    Aligned alignment_ = Aligned::no;
};

/// One evaluation, as far as the known answers allow.
class Evaluation {
public:
    Evaluation(const DmarcMessage& message, const DmarcSettings& settings, Lookups& lookups)
        : message_(message), settings_(settings), questions_(lookups) {
        result_.author = ascii_domain(message.author);
    }

    std::optional<DmarcResult> run() {
        if (result_.author.empty()) return end(DmarcOutcome::permerror, "the message has no author domain");
        if (settings_.rfc == DmarcRfc::rfc7489 && settings_.suffixes == nullptr)
            return end(DmarcOutcome::permerror, "RFC 7489 needs a list of public suffixes");
        rules_ = make_rules();
        result_.org_domain = rules_->organizational_domain();
        auto policy = rules_->policy();
        if (policy.is_pending) return {};
        if (!policy.trouble.empty()) return end(DmarcOutcome::temperror, std::move(policy.trouble));
        if (!policy.record) return end(DmarcOutcome::none, std::move(policy.note));
        if (!policy.record->is_usable)
            return end(DmarcOutcome::none,
                       format_text("the record of {} has no valid policy and no address for reports", policy.domain));
        result_.policy_domain = policy.domain;
        return judge(result_.record.emplace(std::move(*policy.record)));
    }

private:
    std::unique_ptr<Rules> make_rules() {
        if (settings_.rfc == DmarcRfc::rfc9989) return std::make_unique<TreeWalk>(result_.author, questions_);
        return std::make_unique<SuffixList>(result_.author, *settings_.suffixes, questions_);
    }

    std::optional<DmarcResult> judge(const DmarcRecord& record) {
        const Existence existence = settle_policy(record);
        const Identifiers spf(message_.spf, result_.author, record.aspf, *rules_);
        const Identifiers dkim(message_.dkim, result_.author, record.adkim, *rules_);
        result_.is_spf_aligned = spf.alignment() == Aligned::yes;
        result_.is_dkim_aligned = dkim.alignment() == Aligned::yes;
        if (is_any(Aligned::pending, spf.alignment(), dkim.alignment()) || existence == Existence::pending) return {};
        if (result_.is_spf_aligned || result_.is_dkim_aligned) return end(DmarcOutcome::pass, {});
        if (is_any(Aligned::unknown, spf.alignment(), dkim.alignment()))
            return end(DmarcOutcome::temperror, rules_->trouble());
        const Aligned late_spf = spf.undecided(), late_dkim = dkim.undecided();
        if (is_any(Aligned::pending, late_spf, late_dkim)) return {};
        if (is_any(Aligned::unknown, late_spf, late_dkim)) return end(DmarcOutcome::temperror, rules_->trouble());
        if (late_spf == Aligned::yes) return end(DmarcOutcome::temperror, "SPF has temperror");
        if (late_dkim == Aligned::yes) return end(DmarcOutcome::temperror, "DKIM has temperror");
        if (existence == Existence::unknown)
            return end(DmarcOutcome::temperror, format_text("it could not be told whether {} exists", result_.author));
        result_.disposition = sampled(result_.policy.value_or(DmarcPolicy::none));
        return end(DmarcOutcome::fail, {});
    }

    static bool is_any(Aligned wanted, Aligned a, Aligned b) noexcept { return a == wanted || b == wanted; }

    /// Sets the policy for the author's domain (RFC 9989 4.7). Asks whether the domain exists only if that matters.
    Existence settle_policy(const DmarcRecord& record) {
        Existence existence = Existence::exists;
        DmarcPolicy policy = record.p;
        if (result_.policy_domain != result_.author) {
            policy = record.sp.value_or(record.p);
            if (record.np && *record.np != policy) existence = existence_of(result_.author, questions_);
            if (existence == Existence::does_not_exist) policy = *record.np;
        }
        if (existence == Existence::pending || existence == Existence::unknown) return existence;
        result_.is_test = record.is_test && policy != DmarcPolicy::none;
        result_.policy = result_.is_test ? milder(policy) : policy;
        return existence;
    }

    DmarcPolicy sampled(DmarcPolicy policy) {
        if (settings_.rfc == DmarcRfc::rfc9989 || settings_.sample < result_.record->pct) return policy;
        result_.is_sampled_out = policy != DmarcPolicy::none;
        return milder(policy);
    }

    std::optional<DmarcResult> end(DmarcOutcome outcome, std::string reason) {
        result_.outcome = outcome;
        result_.reason = std::move(reason);
        result_.has_limit = rules_ && rules_->has_limit();
        result_.queries = questions_.count();
        return std::move(result_);
    }

    const DmarcMessage& message_;
    const DmarcSettings& settings_;
    DmarcQuestions questions_;
    DmarcResult result_;
    std::unique_ptr<Rules> rules_;
};

}  // namespace

std::optional<DmarcResult> evaluate_dmarc(const DmarcMessage& message, const DmarcSettings& settings,
                                          Lookups& lookups) {
    return Evaluation(message, settings, lookups).run();
}

void prepare_dmarc(const std::string& author, const DmarcSettings& settings, Lookups& lookups) {
    static_cast<void>(evaluate_dmarc({.author = author}, settings, lookups));
}

std::optional<OrganizationalDomain> organizational_domain(std::string_view domain, const DmarcSettings& settings,
                                                          Lookups& lookups) {
    const std::string name = ascii_domain(domain);
    if (settings.rfc == DmarcRfc::rfc7489) {
        if (settings.suffixes == nullptr) return OrganizationalDomain{.reason = "there is no list of public suffixes"};
        return OrganizationalDomain{.domain = settings.suffixes->organizational_domain(name)};
    }
    DmarcQuestions questions(lookups);
    const DmarcWalk walk = walk_tree(name, questions);
    if (walk.trouble.empty() && walk.is_pending) return {};
    OrganizationalDomain out;
    out.domain = walk.organizational_domain;
    out.reason = walk.trouble;
    if (walk.is_known() && !walk.found.empty()) out.record = walk.found.back().domain;
    out.queries = questions.count();
    return out;
}

}  // namespace smtpd::mailauth
