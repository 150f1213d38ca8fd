/// signed_mail.h: messages with signatures of fresh keys, and the zone that has these keys.
#pragma once

#include "fakes/zone_lookups.h"

#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/dkim_sign.h>

#include <initializer_list>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::fakes {

/// The moment at which FakeClock starts.
inline constexpr std::chrono::sys_seconds signing_time{std::chrono::seconds(1795199220)};

/// The same key for all tests of a program: making one takes a while.
inline const mailauth::PrivateKey& rsa_key() {
    static const mailauth::PrivateKey key = *mailauth::PrivateKey::generate_rsa(2048);
    return key;
}
inline const mailauth::PrivateKey& ed25519_key() {
    static const mailauth::PrivateKey key = *mailauth::PrivateKey::generate_ed25519();
    return key;
}

/// The keys of example.org: sel (RSA) and ed (Ed25519).
inline std::string key_zone() {
    return "sel._domainkey.example.org TXT v=DKIM1; p=" + rsa_key().public_text() +
           "\ned._domainkey.example.org TXT v=DKIM1; k=ed25519; p=" + ed25519_key().public_text() + "\n";
}

/// The value of a DKIM-Signature for a message, made with defaults: example.org, sel.
inline std::string signature_for(
    std::string_view message, mailauth::DkimSigning signing = {}, const mailauth::PrivateKey& key = rsa_key(),
    mailauth::BodyHasher body = mailauth::BodyHasher(mailauth::Canonicalization::relaxed)) {
    const auto end = message.find("\r\n\r\n");
    if (signing.domain.empty()) signing.domain = "example.org";
    if (signing.selector.empty()) signing.selector = key.is_rsa() ? "sel" : "ed";
    if (!signing.time) signing.time = signing_time;
    body.update(message.substr(end + 4));
    body.finish();
    auto value = mailauth::sign_dkim(message.substr(0, end + 2), body, signing, key);
    if (!value) throw std::runtime_error(value.error().what);
    return *value;
}

/// The message with that signature on top.
inline std::string signed_mail(std::string_view message, mailauth::DkimSigning signing = {},
                               const mailauth::PrivateKey& key = rsa_key(),
                               mailauth::BodyHasher body = mailauth::BodyHasher(mailauth::Canonicalization::relaxed)) {
    return "DKIM-Signature: " + signature_for(message, std::move(signing), key, std::move(body)) + "\r\n" +
           std::string(message);
}

/// What the signatures of a message come to, in a zone.
inline std::vector<mailauth::DkimSignature> verified(std::string_view message, const std::string& zone = key_zone(),
                                                     const mailauth::DkimPolicy& policy = {},
                                                     std::chrono::sys_seconds now = signing_time) {
    mailauth::MessageReader reader;
    reader.chunk(message);
    reader.end();
    mailauth::KeyCache keys;
    ZoneLookups lookups(zone);
    return lookups.run([&](mailauth::Lookups& known) { return verify_dkim(reader, known, keys, now, policy); });
}

/// Texts that an assertion can show.
struct Words : std::vector<std::string> {
    Words() = default;
    Words(std::initializer_list<std::string> words) : vector(words) {}
    explicit Words(std::vector<std::string> words) : vector(std::move(words)) {}
    friend std::ostream& operator<<(std::ostream& out, const Words& words) {
        for (const auto& word : words) out << "\n  " << word;
        return out;
    }
};

/// "pass", "permerror: no key", one for each signature.
inline Words verdicts(const std::vector<mailauth::DkimSignature>& signatures) {
    Words out;
    for (const auto& signature : signatures) {
        out.emplace_back(mailauth::dkim_result_word(signature.result));
        if (!signature.reason.empty()) out.back() += ": " + signature.reason;
    }
    return out;
}

}  // namespace smtpd::fakes
