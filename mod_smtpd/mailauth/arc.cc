/// arc.cc: validates chains (RFC 8617 5.2).
#include <smtpd/mailauth/arc.h>

#include "mailauth/arc_fields.h"
#include "mailauth/check_signature.h"
#include "mailauth/message_state.h"
#include "mailauth/seal_hash.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include <array>

namespace smtpd::mailauth {
namespace {

/// Validates one chain. All keys must be known.
class Validation {
public:
    Validation(const MessageReader::State& message, Lookups& lookups, KeyCache& keys, std::chrono::sys_seconds now)
        : message_(message), sets_(message.arc.sets()), lookups_(lookups), keys_(keys), now_(now) {}

    ArcChain chain() {
        ArcChain chain;
        chain.instances = sets_.size();
        chain.has_ended = message_.arc.has_ended();
        if (!check_newest(chain) || !check_seals(chain)) return chain;
        chain.result = ArcResult::pass;
        chain.oldest_pass = oldest_pass();
        for (const auto& set : sets_)
            chain.sets.push_back(
                {ascii_domain(set.seal->domain), std::string(set.seal->selector), std::string(set.payload)});
        return chain;
    }

private:
    static bool fails(ArcChain& chain, std::string reason, bool is_temporary = false) {
        chain.result = ArcResult::fail;
        chain.reason = std::move(reason);
        chain.is_temporary = is_temporary;
        return false;
    }

    DkimSignature judged(const Signature& signature) const {
        DkimSignature out;
        SignatureCheck(message_, now_, {}).judge(signature, lookups_, keys_, out);
        return out;
    }

    bool check_newest(ArcChain& chain) const {
        const DkimSignature newest = judged(*sets_.back().message_signature);
        if (newest.passes()) return true;
        return fails(chain, format_text("ARC-Message-Signature {}: {}", sets_.size(), newest.reason),
                     newest.result == DkimResult::temperror);
    }

    bool check_seals(ArcChain& chain) const {
        SealHash hash;
        for (std::size_t i = 0; i < sets_.size(); ++i) {
            const ArcSets::Set& set = sets_[i];
            const ArcSeal& seal = *set.seal;
            hash.add(set.results->raw);
            hash.add(set.message_signature->field->raw);
            const SignedHash what{.type = seal.key_type,
                                  .signature = seal.value,
                                  .is_in_domain = true,
                                  .hash = hash.with_seal(seal.field->raw, seal.tags.find("b")->raw_value)};
            const KeyTrial trial = try_keys(lookups_.txt(seal.key_name()), what, keys_, now_);
            if (trial.result != DkimResult::pass)
                return fails(chain, format_text("ARC-Seal {}: {}", i + 1, trial.reason),
                             trial.result == DkimResult::temperror);
            hash.add(seal.field->raw);
        }
        return true;
    }

    std::size_t oldest_pass() const {
        for (std::size_t i = sets_.size() - 1; i > 0; --i)
            if (!judged(*sets_[i - 1].message_signature).passes()) return i + 1;
        return 0;
    }

    const MessageReader::State& message_;
    const std::vector<ArcSets::Set>& sets_;
    Lookups& lookups_;
    KeyCache& keys_;
    const std::chrono::sys_seconds now_;
};

/// Why the chain fails without a look at the keys; "" if the keys are needed.
std::string early_problem(const MessageReader::State& message) {
    if (message.header_is_too_large)
        return format_text("header block of more than {} octets", MessageReader::max_header_size);
    if (!message.arc.problem().empty()) return message.arc.problem();
    return message.block.has_junk() ? "a header line is no field" : "";
}

}  // namespace

std::string_view arc_result_word(ArcResult result) noexcept {
    constexpr std::array<std::string_view, 3> words{"none", "pass", "fail"};
    return words[static_cast<std::size_t>(result)];
}

bool ask_arc_keys(const MessageReader& message, Lookups& lookups) {
    if (message.state().arc.empty() || !early_problem(message.state()).empty()) return true;
    bool has_all = true;
    const auto ask = [&](const std::string& name) {
        if (lookups.txt(name).status() == DnsStatus::not_asked) has_all = false;
    };
    for (const auto& set : message.state().arc.sets()) {
        ask(set.seal->key_name());
        if (set.message_signature->is_possible()) ask(set.message_signature->key_name);
    }
    return has_all;
}

std::optional<ArcChain> validate_arc(const MessageReader& message, Lookups& lookups, KeyCache& keys,
                                     std::chrono::sys_seconds now) {
    const MessageReader::State& state = message.state();
    if (state.arc.empty() && state.arc.problem().empty()) return ArcChain();
    if (std::string why = early_problem(state); !why.empty())
        return ArcChain{.result = ArcResult::fail,
                        .reason = std::move(why),
                        .has_ended = state.arc.has_ended(),
                        .instances = state.arc.size()};
    if (!ask_arc_keys(message, lookups)) return std::nullopt;
    return Validation(state, lookups, keys, now).chain();
}

std::size_t oldest_trusted(const ArcChain& chain, const std::function<bool(const std::string& domain)>& is_trusted) {
    std::size_t instance = chain.passes() ? chain.sets.size() : 0;
    std::size_t trusted = 0;
    for (; instance > 0 && is_trusted(chain.sets[instance - 1].domain); --instance) trusted = instance;
    return trusted;
}

AuthenticationResult arc_result(const ArcChain& chain) {
    AuthenticationResult result{
        .method = "arc", .result = std::string(arc_result_word(chain.result)), .reason = chain.reason};
    if (chain.passes()) {
        result.properties.push_back({"header", "oldest-pass", std::to_string(chain.oldest_pass)});
        result.comment = format_text("i={} d={}", chain.instances, printable_domain(chain.sets.back().domain));
    }
    return result;
}

}  // namespace smtpd::mailauth
