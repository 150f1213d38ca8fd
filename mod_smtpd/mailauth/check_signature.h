/// check_signature.h: the checks that DKIM-Signature and ARC-Message-Signature share once the keys are known.
#pragma once

#include "mailauth/key_record.h"
#include "mailauth/message_state.h"
#include "mailauth/signature.h"

#include <smtpd/mailauth/dkim.h>

#include <optional>
#include <string>
#include <utility>

namespace smtpd::mailauth {

/// How many key records of one name are tried. RFC 6376 3.6.2.2 does not define what several records mean.
inline constexpr std::size_t max_key_records = 4;

/// The result of trying the keys of a name on a signed hash. Unless it is `pass`, the reason is the best key's.
struct KeyTrial {
    DkimResult result = DkimResult::permerror;
    std::string reason{};
    bool is_testing = false;
    unsigned bits = 0;
};
/// A signed hash, to be verified.
struct SignedHash {
    KeyType type = KeyType::rsa;
    std::string_view signature;
    bool is_in_domain = true;    ///< as t=s of a key requires
    std::optional<Sha256> hash;  ///< nothing: the body hash is wrong, so only problems of the key matter
};
KeyTrial try_keys(const DnsAnswer& answer, const SignedHash& what, KeyCache& keys, std::chrono::sys_seconds now);

class SignatureCheck {
public:
    SignatureCheck(const MessageReader::State& message, std::chrono::sys_seconds now, const DkimPolicy& policy)
        : message_(message), now_(now), policy_(policy) {}

    /// Asks for the key if the signature can be valid. False while the answer is missing.
    bool has_key(const Signature& signature, Lookups& lookups) const;
    /// Fills in the result. The answer about the key must be there.
    void judge(const Signature& signature, Lookups& lookups, KeyCache& keys, DkimSignature& out) const;

private:
    /// Why the signature is not valid, whatever its key.
    std::optional<std::pair<DkimResult, std::string>> problem(const Signature& signature) const;
    /// The same for the body, except that a wrong body hash is not checked here.
    std::optional<std::pair<DkimResult, std::string>> body_problem(const Signature& signature) const;

    const MessageReader::State& message_;
    const std::chrono::sys_seconds now_;
    const DkimPolicy policy_;
};

}  // namespace smtpd::mailauth
