/// scram.h: the messages of SCRAM (RFC 5802, 7677) and its cryptography. Keys are ScramKeys of the plugin API.
#pragma once

#include <smtpd/auth/credentials.h>

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// The default; RFC 7677 4 requires at least this many.
inline constexpr unsigned scram_iterations = 4096;
/// More iterations than this would occupy a thread for too long; keys that need more are rejected.
inline constexpr unsigned max_scram_iterations = 10'000'000;

constexpr std::size_t digest_size(ScramHash hash) noexcept { return hash == ScramHash::sha1 ? 20 : 32; }
std::string scram_digest(ScramHash hash, std::string_view octets);
std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text);

/// Views into the message.
struct ScramClientFirst {
    std::string_view gs2_header;  ///< "p=tls-exporter,,", with the comma at its end
    char binding_flag = 'n';   ///< n: the client does not support binding; y: it thinks that the server does not; p: it
                               ///< binds
    std::string_view binding;  ///< name of the binding, with p
    std::string authorization;  ///< unescaped, "" = none
    std::string user;           ///< unescaped
    std::string_view nonce;
    std::string_view bare;  ///< the message without the header
    static std::optional<ScramClientFirst> parse(std::string_view message);
};

struct ScramClientFinal {
    std::string binding;  ///< the decoded value of c=
    std::string_view nonce;
    std::string proof;
    std::string_view without_proof;
    static std::optional<ScramClientFinal> parse(std::string_view message);
};

/// Whether the proof was made with the password of the keys. Takes the same time for a right and a wrong proof.
bool scram_proof_is_good(ScramHash hash, const ScramKeys& keys, std::string_view auth_message, std::string_view proof);

}  // namespace smtpd::smtp
