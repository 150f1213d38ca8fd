/// scram.h: the messages of SCRAM (RFC 5802, 7677) and the arithmetic behind them. Keys are ScramKeys of the plugin
/// API.
#pragma once

#include <smtpd/auth/credentials.h>

#include <optional>
#include <string>
#include <string_view>

namespace smtpd::smtp {

/// What is asked for where nobody says otherwise; RFC 7677 4 asks for at least as many.
inline constexpr unsigned scram_iterations = 4096;
/// More than this takes a thread for too long; keys that ask for it are not believed.
inline constexpr unsigned max_scram_iterations = 10'000'000;

constexpr std::size_t digest_size(ScramHash hash) noexcept { return hash == ScramHash::sha1 ? 20 : 32; }
std::string scram_digest(ScramHash hash, std::string_view octets);
std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text);

/// Views into the message.
struct ScramClientFirst {
    std::string_view gs2_header;  ///< "p=tls-exporter,,", with the comma at its end
    char binding_flag = 'n';      ///< n: the client cannot; y: it thinks that the server cannot; p: it does
    std::string_view binding;     ///< its name, with p
    std::string authorization;    ///< unescaped, "" = none
    std::string user;             ///< unescaped
    std::string_view nonce;
    std::string_view bare;  ///< the message without the header
    static std::optional<ScramClientFirst> parse(std::string_view message);
};

struct ScramClientFinal {
    std::string binding;  ///< the octets of c=
    std::string_view nonce;
    std::string proof;
    std::string_view without_proof;
    static std::optional<ScramClientFinal> parse(std::string_view message);
};

/// Whether the proof is made with the password of the keys. Takes the same time whether it is or not.
bool scram_proof_is_good(ScramHash hash, const ScramKeys& keys, std::string_view auth_message, std::string_view proof);

}  // namespace smtpd::smtp
