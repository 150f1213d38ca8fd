/// check_signature.cc: asks the DNS first, then compares the body hash, and verifies the signature last because that
/// costs most.
#include "mailauth/check_signature.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cstring>

namespace smtpd::mailauth {
namespace {

/// Why a key cannot verify this signature, or "".
std::string key_problem(const KeyRecord& record, const SignedHash& what) {
    if (!record.problem.empty()) return record.problem;
    if (record.key->type() != what.type) return "key type does not match a=";
    if (!record.takes_sha256) return "key h= does not have sha256";
    if (!record.is_for_mail) return "key s= does not have email";
    if (record.is_strict && !what.is_in_domain) return "key t=s: i= is below d=";
    return {};
}

KeyTrial try_key(const KeyRecord& record, const SignedHash& what) {
    KeyTrial trial{.reason = key_problem(record, what),
                   .is_testing = record.is_testing,
                   .bits = record.key ? record.key->bits() : 0};
    if (!trial.reason.empty()) return trial;
    if (!record.key->has_allowed_size()) {
        trial.result = DkimResult::policy;
        trial.reason = format_text("key of {} bits", trial.bits);
    } else if (!what.hash) {
        trial.result = DkimResult::fail;
        trial.reason = "body hash does not match";
    } else if (record.key->verifies(*what.hash, what.signature)) {
        trial.result = DkimResult::pass;
    } else {
        trial.result = DkimResult::fail;
        trial.reason = "signature does not verify";
    }
    return trial;
}

}  // namespace

KeyTrial try_keys(const DnsAnswer& answer, const SignedHash& what, KeyCache& keys, std::chrono::sys_seconds now) {
    if (answer.failed()) return {DkimResult::temperror, format_text("key: {}", answer.error())};
    KeyTrial best{.reason = "no key"};
    bool has_best = false;
    for (std::size_t i = 0; i < std::min(answer.texts().size(), max_key_records); ++i) {
        KeyTrial trial = try_key(*keys.get(answer.texts()[i], answer.ttl(), now), what);
        // A valid key record counts for more than an unrelated record that a wildcard returned.
        const bool is_better = !has_best || trial.result == DkimResult::pass ||
                               (best.result == DkimResult::permerror && trial.result != DkimResult::permerror);
        if (is_better) best = std::move(trial);
        has_best = true;
        if (best.result == DkimResult::pass) break;
    }
    return best;
}

std::optional<std::pair<DkimResult, std::string>> SignatureCheck::problem(const Signature& signature) const {
    if (message_.header_is_too_large)
        return std::pair(DkimResult::policy,
                         format_text("header block of more than {} octets", MessageReader::max_header_size));
    if (!signature.is_possible()) return std::pair(signature.result, signature.problem);
    if (message_.block.has_junk()) return std::pair(DkimResult::permerror, std::string("a header line is no field"));
    if (auto why = signature.time_problem(now_, policy_.clock_skew); !why.empty())
        return std::pair(DkimResult::permerror, std::move(why));
    return body_problem(signature);
}

std::optional<std::pair<DkimResult, std::string>> SignatureCheck::body_problem(const Signature& signature) const {
    const BodyHasher* const body = message_.find_hash(signature.body_form, signature.body_limit);
    if (!body)
        return std::pair(DkimResult::policy,
                         format_text("more than {} forms of the body", MessageReader::max_body_hashes));
    if (signature.body_limit.value_or(0) > body->canonical_size())
        return std::pair(DkimResult::permerror, std::string("l= over body length"));
    return std::nullopt;
}

bool SignatureCheck::has_key(const Signature& signature, Lookups& lookups) const {
    return problem(signature) || lookups.txt(signature.key_name).status() != DnsStatus::not_asked;
}

void SignatureCheck::judge(const Signature& signature, Lookups& lookups, KeyCache& keys, DkimSignature& out) const {
    if (auto known = problem(signature)) {
        out.result = known->first;
        out.reason = std::move(known->second);
        return;
    }
    const BodyHasher& body = *message_.find_hash(signature.body_form, signature.body_limit);
    SignedHash what{.type = signature.key_type,
                    .signature = signature.value,
                    .is_in_domain = signature.identity_is_in_domain(),
                    .hash = std::nullopt};
    if (signature.body_hash.size() == body.digest().size() &&
        std::memcmp(signature.body_hash.data(), body.digest().data(), body.digest().size()) == 0)
        what.hash = header_hash(message_.block, signature);
    KeyTrial trial = try_keys(lookups.txt(signature.key_name), what, keys, now_);
    out.result = trial.result;
    out.reason = std::move(trial.reason);
    out.is_testing = trial.is_testing;
    out.key_bits = trial.bits;
    if (signature.body_limit) out.unsigned_octets = body.canonical_size() - *signature.body_limit;
    if (out.passes() && out.unsigned_octets > 0 && !policy_.accepts_partial_body) {
        out.result = DkimResult::policy;
        out.reason = "body not fully signed";
    }
}

}  // namespace smtpd::mailauth
