/// arc_fields.cc: see arc_fields.h. It checks the structure as in RFC 8617 5.2, steps 1 to 3.
#include "mailauth/arc_fields.h"

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/mailauth/arc.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

/// Splits ARC-Authentication-Results into the number in `i=N;` and the text after it.
std::pair<std::optional<std::uint64_t>, std::string_view> split_results(std::string_view body) {
    const auto semicolon = body.find(';');
    const TagList tags(body.substr(0, semicolon));
    if (semicolon == body.npos || tags.tags().size() != 1) return {};
    return {tag_number(tags.value("i").value_or(""), 2), trim_fws(body.substr(semicolon + 1))};
}

}  // namespace

ArcSeal::ArcSeal(const RawField& source)
    : field(&source), tags(source.raw.size() > MessageReader::max_signature_size ? std::string_view() : source.body()) {
    if (source.raw.size() > MessageReader::max_signature_size)
        problem = format_text("field of more than {} octets", MessageReader::max_signature_size);
    else if (!tags.problem().empty()) problem = tags.problem();
    else read();
}

void ArcSeal::read() {
    domain = tags.value("d").value_or("");
    selector = tags.value("s").value_or("");
    validation = tags.value("cv").value_or("");
    const std::string_view algorithm = tags.value("a").value_or("");
    if (algorithm == "ed25519-sha256") key_type = KeyType::ed25519;
    else if (algorithm != "rsa-sha256") problem = "a= is not known";
    if (tags.find("h")) problem = "h= in a seal";
    if (validation != "none" && validation != "pass" && validation != "fail") problem = "cv= is not known";
    if (domain.empty() || selector.empty() || !is_key_name(key_name())) problem = "d= and s= are no domain name";
    if (const auto time = tags.value("t"); time && !tag_number(*time, 12)) problem = "t= is no number";
    auto octets = tag_octets(tags.value("b").value_or(""));
    if (!octets || octets->empty()) problem = "b= is not base64";
    else value = std::move(*octets);
}

std::string ArcSeal::key_name() const { return key_name_of(selector, domain); }

ArcSets::ArcSets(const HeaderBlock& block) {
    for (const auto& field : block.fields())
        if (field.name.size() > 4 && support::starts_with_folded(field.name, "arc-")) add(field);
    if (!sets_.empty() || !problem_.empty()) check();
}

/// Null if the instance number is not valid; problem() then says why.
ArcSets::Set* ArcSets::set_of(std::optional<std::uint64_t> instance) {
    if (!instance || *instance == 0) return refuse("i= is no number of a set"), nullptr;
    if (*instance > ArcChain::max_sets) {
        sets_.resize(ArcChain::max_sets);
        return refuse(format_text("more than {} sets", ArcChain::max_sets)), nullptr;
    }
    if (*instance > sets_.size()) sets_.resize(static_cast<std::size_t>(*instance));
    return &sets_[static_cast<std::size_t>(*instance - 1)];
}

void ArcSets::add(const RawField& field) {
    if (field.is_called("arc-authentication-results")) {
        const auto [instance, payload] = split_results(field.body());
        Set* const set = set_of(instance);
        if (set && set->results) return refuse(format_text("two ARC-Authentication-Results with i={}", *instance));
        if (set) set->results = &field, set->payload = payload;
    } else if (field.is_called("arc-message-signature")) {
        Signature signature(field, SignatureKind::arc_message);
        const auto instance = tag_number(signature.tags.value("i").value_or(""), 2);
        Set* const set = set_of(instance);
        if (set && set->message_signature) return refuse(format_text("two ARC-Message-Signature with i={}", *instance));
        if (set) set->message_signature.emplace(std::move(signature));
    } else if (field.is_called("arc-seal")) {
        ArcSeal seal(field);
        const auto instance = tag_number(seal.tags.value("i").value_or(""), 2);
        Set* const set = set_of(instance);
        if (set && set->seal) return refuse(format_text("two ARC-Seal with i={}", *instance));
        if (set) set->seal.emplace(std::move(seal));
    }
}

bool ArcSets::has_ended() const noexcept {
    return !sets_.empty() && sets_.back().seal && sets_.back().seal->validation == "fail";
}

void ArcSets::check() {
    if (has_ended()) refuse("the newest seal says cv=fail");
    for (std::size_t i = 0; i < sets_.size() && problem_.empty(); ++i) {
        const Set& set = sets_[i];
        if (!set.results || !set.message_signature || !set.seal) refuse(format_text("set {} is not complete", i + 1));
        else if (!set.seal->problem.empty()) refuse(format_text("ARC-Seal {}: {}", i + 1, set.seal->problem));
        else if (set.seal->validation != (i == 0 ? "none" : "pass"))
            refuse(format_text("ARC-Seal {}: cv={}", i + 1, set.seal->validation));
    }
}

}  // namespace smtpd::mailauth
