/// auth_dmarc.cc: smtpd-auth dmarc and orgdomain: evaluate DMARC, and find the organizational domain of a name.
#include "tools/auth_command.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/mailauth/dmarc.h>

#include <algorithm>
#include <memory>

namespace smtpd::tools {
namespace {

using mailauth::DmarcIdentifier;
using mailauth::DmarcRfc;

/// The settings from --rfc, --psl and --sample.
struct Rules {
    mailauth::DmarcSettings settings;
    std::shared_ptr<const mailauth::PublicSuffixes> suffixes;
};

Rules rules_of(const AuthCall& call) {
    Rules rules;
    const std::string rfc = call.value("--rfc", "9989");
    if (rfc != "9989" && rfc != "7489")
        throw AuthError(format_text("--rfc takes 9989 or 7489, not \"{}\"", quoted(rfc)), usage_error);
    rules.settings.sample = static_cast<unsigned>(call.number("--sample", 0, 0, 99));
    if (rfc == "9989") return rules;
    rules.settings.rfc = DmarcRfc::rfc7489;
    auto list = call.has("--psl") ? mailauth::PublicSuffixes::load(call.value("--psl"))
                                  : mailauth::PublicSuffixes::of_system();
    if (!list) throw AuthError(list.error().what, no_input);
    rules.suffixes = std::move(*list);
    rules.settings.suffixes = rules.suffixes.get();
    return rules;
}

/// Reads "example.com:pass". A third part says what SPF tested; returns std::nullopt for "helo", which does not count
/// for DMARC.
std::optional<DmarcIdentifier> identifier_of(std::string text) {
    const std::string given = text;
    bool is_helo = false;
    for (const char* scope : {":mfrom", ":helo"}) {
        if (!text.ends_with(scope)) continue;
        is_helo = text.ends_with("helo");
        text.resize(text.rfind(':'));
    }
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
        throw AuthError(
            format_text("a result is written DOMAIN:RESULT, as example.com:pass, not \"{}\"", quoted(given)),
            usage_error);
    if (is_helo) return {};
    return DmarcIdentifier{text.substr(0, colon), text.substr(colon + 1)};
}

std::vector<DmarcIdentifier> identifiers_of(const std::vector<std::string>& texts) {
    std::vector<DmarcIdentifier> out;
    for (const auto& text : texts)
        if (auto one = identifier_of(text)) out.push_back(std::move(*one));
    return out;
}

/// The author's domain; "" if there is none, or if there are several.
std::string author_of(const std::vector<std::string>& domains) {
    std::string author;
    for (const auto& domain : domains) {
        const std::string one = ascii_domain(domain);
        if (one.empty()) continue;
        if (!author.empty() && author != one) return {};
        author = one;
    }
    return author;
}

void text_or_null(dry_run::JsonWriter& json, std::string_view key, std::string_view value) {
    if (value.empty()) json.null(key);
    else json.text(key, value);
}

void print(const AuthCall& call, const mailauth::DmarcResult& result) {
    const auto letter = [](mailauth::DmarcAlignment mode) {
        return mode == mailauth::DmarcAlignment::strict ? "s" : "r";
    };
    call.print([&](dry_run::JsonWriter& json) {
        json.text("result", dmarc_outcome_name(result.outcome));
        text_or_null(json, "policy", result.policy ? dmarc_policy_name(*result.policy) : "");
        json.text("disposition", dmarc_policy_name(result.disposition));
        text_or_null(json, "org_domain", result.org_domain);
        text_or_null(json, "policy_domain", result.policy_domain);
        json.object("aligned", [&] {
            json.truth("spf", result.is_spf_aligned);
            json.truth("dkim", result.is_dkim_aligned);
        });
        text_or_null(json, "adkim", result.record ? letter(result.record->adkim) : "");
        text_or_null(json, "aspf", result.record ? letter(result.record->aspf) : "");
        json.number("queries", static_cast<std::int64_t>(result.queries));
        text_or_null(json, "record", result.record ? result.record->text : "");
        json.text("reason", result.reason);
        json.truth("sampled_out", result.is_sampled_out);
        json.truth("test_mode", result.is_test);
    });
}

/// Also accepts `--from a b` and `--dkim a:pass b:pass`: further words after an option's value.
int run(AuthCall& call) {
    const Rules rules = rules_of(call);
    std::vector<std::string> from = call.values("--from"), dkim = call.values("--dkim");
    for (const auto& word : call.words()) (word.find(':') == std::string::npos ? from : dkim).push_back(word);
    const mailauth::DmarcMessage message{
        .author = author_of(from), .spf = identifiers_of(call.values("--spf")), .dkim = identifiers_of(dkim)};
    auto result = call.evaluate(
        [&](mailauth::Lookups& lookups) { return mailauth::evaluate_dmarc(message, rules.settings, lookups); });
    const auto has_text = [](const std::string& domain) { return !domain.empty(); };
    if (message.author.empty() && std::any_of(from.begin(), from.end(), has_text))
        result.reason = "the message has several author domains";
    print(call, result);
    return good;
}

int run_orgdomain(AuthCall& call) {
    const Rules rules = rules_of(call);
    const std::string& domain = call.words().front();
    const auto result = call.evaluate(
        [&](mailauth::Lookups& lookups) { return mailauth::organizational_domain(domain, rules.settings, lookups); });
    call.print([&](dry_run::JsonWriter& json) {
        json.text("domain", domain);
        text_or_null(json, "org_domain", result.domain);
        text_or_null(json, "record_domain", result.record);
        if (rules.suffixes) text_or_null(json, "registrable_domain", rules.suffixes->registrable_domain(domain));
        json.number("queries", static_cast<std::int64_t>(result.queries));
        json.text("reason", result.reason);
    });
    return good;
}

std::vector<AuthOption> with_rules(std::vector<AuthOption> own) {
    own.push_back({"--rfc", "9989|7489", AuthOption::Use::optional, "whose rules apply (9989)"});
    own.push_back({"--psl", "FILE", AuthOption::Use::optional, "a list of public suffixes, for --rfc 7489"});
    return own;
}

}  // namespace

Subcommand dmarc_subcommand() {
    using enum AuthOption::Use;
    return {.name = "dmarc",
            .words = "",
            .help = "says what DMARC makes of the results of SPF and DKIM",
            .options = with_rules({{"--from", "DOMAIN", repeated, "of an address in the From field"},
                                   {"--spf", "DOMAIN:RESULT", repeated, "of the sender in MAIL"},
                                   {"--dkim", "DOMAIN:RESULT", repeated, "of a signature"},
                                   {"--sample", "NUMBER", optional, "0 to 99: the policy holds if pct is above (0)"}}),
            .least_words = 0,
            .most_words = any_number,
            .run = run};
}

Subcommand orgdomain_subcommand() {
    return {.name = "orgdomain",
            .words = "DOMAIN",
            .help = "finds the organizational domain of a name",
            .options = with_rules({}),
            .least_words = 1,
            .most_words = 1,
            .run = run_orgdomain};
}

}  // namespace smtpd::tools
