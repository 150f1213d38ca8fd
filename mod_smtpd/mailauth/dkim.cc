/// dkim.cc: verifies signatures with their keys and hashes (RFC 6376 6.1).
#include <smtpd/mailauth/dkim.h>

#include "mailauth/check_signature.h"
#include "mailauth/message_state.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <array>

namespace smtpd::mailauth {
namespace {

/// The beginning of b=, long enough to distinguish signatures.
std::string start_of_value(const TagList& tags) {
    std::string value = without_fws(tags.value("b").value_or("").substr(0, 2 * DkimSignature::max_value_size));
    value.resize(std::min(value.size(), DkimSignature::max_value_size));
    return value;
}

DkimSignature described(const Signature& signature) {
    DkimSignature out;
    out.domain = signature.domain;
    out.selector = signature.selector;
    out.identity = signature.identity;
    out.algorithm = signature.algorithm;
    out.value = start_of_value(signature.tags);
    return out;
}

void set(DkimSignature& signature, DkimResult result, std::string reason) {
    signature.result = result;
    signature.reason = std::move(reason);
}

DkimSignature surplus(const RawField& field) {
    DkimSignature out;
    if (field.raw.size() <= MessageReader::max_signature_size) {
        const TagList tags(field.body());
        out.domain = tags.value("d").value_or("");
        out.selector = tags.value("s").value_or("");
        out.algorithm = tags.value("a").value_or("");
        out.identity = out.domain.empty() ? "" : "@" + out.domain;
        out.value = start_of_value(tags);
    }
    set(out, DkimResult::policy, format_text("too many signatures: more than {}", MessageReader::max_signatures));
    return out;
}

/// How many characters of b= distinguish the signatures (RFC 6008 4).
std::size_t distinct_size(const std::vector<DkimSignature>& signatures) {
    constexpr std::size_t least = 8, most = DkimSignature::max_value_size;
    for (std::size_t size = least; size < most; ++size) {
        std::vector<std::string_view> starts;
        for (const auto& signature : signatures) starts.push_back(std::string_view(signature.value).substr(0, size));
        std::sort(starts.begin(), starts.end());
        if (std::adjacent_find(starts.begin(), starts.end()) == starts.end()) return size;
    }
    return least;
}

}  // namespace

std::string_view dkim_result_word(DkimResult result) noexcept {
    constexpr std::array<std::string_view, 6> words{"pass", "fail", "policy", "neutral", "temperror", "permerror"};
    return words[static_cast<std::size_t>(result)];
}

bool ask_dkim_keys(const MessageReader& message, Lookups& lookups, std::chrono::sys_seconds now,
                   const DkimPolicy& policy) {
    const SignatureCheck check(message.state(), now, policy);
    bool has_all = true;
    for (const auto& signature : message.state().signatures)
        if (signature && !check.has_key(*signature, lookups)) has_all = false;
    return has_all;
}

std::optional<std::vector<DkimSignature>> verify_dkim(const MessageReader& message, Lookups& lookups, KeyCache& keys,
                                                      std::chrono::sys_seconds now, const DkimPolicy& policy) {
    if (!ask_dkim_keys(message, lookups, now, policy)) return std::nullopt;
    const MessageReader::State& state = message.state();
    const SignatureCheck check(state, now, policy);
    std::vector<DkimSignature> out;
    out.reserve(state.signatures.size());
    for (std::size_t i = 0; i < state.signatures.size(); ++i) {
        const auto& signature = state.signatures[i];
        if (!signature) {
            out.push_back(surplus(*state.signature_fields[i]));
            continue;
        }
        out.push_back(described(*signature));
        check.judge(*signature, lookups, keys, out.back());
    }
    return out;
}

std::vector<AuthenticationResult> dkim_results(const std::vector<DkimSignature>& signatures) {
    constexpr std::size_t longest_value = 255;
    std::vector<AuthenticationResult> results;
    if (signatures.empty()) results.push_back({.method = "dkim", .result = "none"});
    std::vector<DkimSignature> told;
    std::size_t surplus = 0;
    for (const auto& signature : signatures)
        if (signature.result == DkimResult::policy && signature.reason.starts_with("too many signatures")) ++surplus;
        else told.push_back(signature);
    const std::size_t start_size = distinct_size(told);
    for (const auto& signature : told) {
        AuthenticationResult result{.method = "dkim", .result = std::string(dkim_result_word(signature.result))};
        if (!signature.passes()) result.reason = signature.reason;
        const auto add = [&](const char* name, std::string_view value) {
            if (!value.empty())
                result.properties.push_back({"header", name, std::string(value.substr(0, longest_value))});
        };
        add("d", signature.domain);
        add("i", signature.identity);
        add("s", signature.selector);
        add("a", signature.algorithm);
        add("b", std::string_view(signature.value).substr(0, start_size));
        if (signature.is_testing) result.comment = "test mode";
        else if (signature.unsigned_octets > 0)
            result.comment = format_text("{} octets of the body are not signed", signature.unsigned_octets);
        else if (signature.passes() && signature.key_bits > 0)
            result.comment = format_text("{}-bit key", signature.key_bits);
        results.push_back(std::move(result));
    }
    if (surplus > 0)
        results.push_back({.method = "dkim",
                           .result = "policy",
                           .reason = "too many signatures",
                           .comment = format_text("{} more", surplus)});
    return results;
}

}  // namespace smtpd::mailauth
