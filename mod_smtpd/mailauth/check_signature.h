/// check_signature.h: what DKIM-Signature and ARC-Message-Signature have in common once the keys are known.
#pragma once

#include "mailauth/key_record.h"
#include "mailauth/message_state.h"
#include "mailauth/signature.h"

#include <smtpd/mailauth/dkim.h>

#include <optional>
#include <string>
#include <utility>

namespace smtpd::mailauth {

/// Key records of one name that are tried; RFC 6376 3.6.2.2 leaves open what several mean.
inline constexpr std::size_t max_key_records = 4;

/// Tries the keys of a name on a signed hash. A result other than `pass` has the reason of the best key.
struct KeyTrial {
    DkimResult result = DkimResult::permerror;
    std::string reason{};
    bool is_testing = false;
    unsigned bits = 0;
};
/// What is to be verified.
struct SignedHash {
    KeyType type = KeyType::rsa;
    std::string_view signature;
    bool is_in_domain = true;    ///< what t=s of a key asks for
    std::optional<Sha256> hash;  ///< nothing: the body is wrong already, and only the key's problems are of interest
};
KeyTrial try_keys(const DnsAnswer& answer, const SignedHash& what, KeyCache& keys, std::chrono::sys_seconds now);

class SignatureCheck {
public:
    SignatureCheck(const MessageReader::State& message, std::chrono::sys_seconds now, const DkimPolicy& policy)
        : message_(message), now_(now), policy_(policy) {}

    /// Asks for the key if that is worth it. False while the answer is missing.
    bool has_key(const Signature& signature, Lookups& lookups) const;
    /// Fills in the result. The key must be there.
    void judge(const Signature& signature, Lookups& lookups, KeyCache& keys, DkimSignature& out) const;

private:
    /// What is wrong without regard to keys.
    std::optional<std::pair<DkimResult, std::string>> problem(const Signature& signature) const;
    /// The same of the body; a wrong hash is no problem here.
    std::optional<std::pair<DkimResult, std::string>> body_problem(const Signature& signature) const;

    const MessageReader::State& message_;
    const std::chrono::sys_seconds now_;
    const DkimPolicy policy_;
};

}  // namespace smtpd::mailauth
