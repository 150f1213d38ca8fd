/// credentials.h: the credentials that a client sends to authenticate. Secrets are overwritten when they are no longer
/// needed.
#pragma once

#include <smtpd/base/api.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

/// Overwrites the bytes and empties the string.
SMTPD_API void wipe(std::string& octets) noexcept;

/// A secret byte string. It cannot be copied or formatted into a log line, and its memory is overwritten when it is
/// destroyed.
class SMTPD_API Secret {
public:
    Secret() = default;
    ~Secret() { wipe(octets_); }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;

    void set(std::string_view octets);
    void clear() noexcept { wipe(octets_); }
    bool empty() const noexcept { return octets_.empty(); }
    /// For the back end that compares the secret, and for nothing else.
    const std::string& reveal() const noexcept { return octets_; }
    /// Compares in constant time: the duration does not depend on the content.
    bool equals(std::string_view octets) const noexcept;

private:
    std::string octets_;
};

enum class ScramHash : std::uint8_t { sha1, sha256 };

/// What a server stores of a password for SCRAM (RFC 5802 3): enough to check that a client knows the password, not
/// enough to log in with.
struct SMTPD_API ScramKeys {
    std::string salt;
    unsigned iterations = 0;  ///< 0 = there are no keys
    std::string stored_key;
    std::string server_key;

    explicit operator bool() const noexcept { return iterations != 0; }
    /// Whether these keys were derived from that clear password. Computes `iterations` hashes.
    bool are_of(ScramHash hash, std::string_view password) const;

    /// Derives the keys from a clear password. Computes `iterations` hashes, which takes milliseconds.
    static ScramKeys derive(ScramHash hash, std::string_view password, std::string_view salt, unsigned iterations);
    /// Parses "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey" (RFC 5803, also PostgreSQL's format); nothing if the text
    /// is malformed.
    static std::optional<ScramKeys> parse(ScramHash hash, std::string_view text);
};

/// At the SCRAM hooks: what the engine asks the plugin for, and where the plugin puts its answer.
struct ScramRequest {
    ScramHash hash = ScramHash::sha256;
    std::string salt;         ///< for a plugin that has the clear password
    unsigned iterations = 0;  ///< likewise
    ScramKeys keys;           ///< the answer
};

/// The result of one exchange of a SASL mechanism.
class SMTPD_API Credentials {
public:
    /// `mechanism` must live as long as the server, such as the literal "PLAIN".
    explicit Credentials(std::string_view mechanism) : mechanism_(mechanism) {}

    std::string_view mechanism() const noexcept { return mechanism_; }
    /// UTF-8 without control characters, prepared by SASLprep (RFC 4013) if the server was built with the library for
    /// it. Empty only for EXTERNAL, XOAUTH2 and OAUTHBEARER, if the client leaves its identity to the server.
    const std::string& user() const noexcept { return user_; }
    /// The clear password as the client sent it, without control characters; null for mechanisms that do not transmit
    /// it (CRAM-MD5, SCRAM).
    const Secret* password() const noexcept { return has_password_ ? &password_ : nullptr; }
    /// The bearer token (RFC 6750) of XOAUTH2 and OAUTHBEARER, otherwise empty.
    const Secret& token() const noexcept { return token_; }
    /// CRAM-MD5 (RFC 2195): the challenge that the server sent, and the client's digest, 32 hexadecimal digits in lower
    /// case.
    const std::string& challenge() const noexcept { return challenge_; }
    const Secret& response() const noexcept { return response_; }
    /// Whether the client knows this clear password, for PLAIN, LOGIN and CRAM-MD5. Takes the same time for a right and
    /// a wrong password.
    bool proves(std::string_view password) const;

    // For mechanisms and tests
    void set_user(std::string_view user) { user_.assign(user); }
    void set_password(std::string_view password) {
        password_.set(password);
        has_password_ = true;
    }
    void set_challenge(std::string_view challenge) { challenge_.assign(challenge); }
    void set_response(std::string_view response) { response_.set(response); }
    void set_token(std::string_view token) { token_.set(token); }

private:
    const std::string_view mechanism_;
    std::string user_;
    std::string challenge_;
    Secret password_;
    Secret response_;
    Secret token_;
    bool has_password_ = false;
};

}  // namespace smtpd
