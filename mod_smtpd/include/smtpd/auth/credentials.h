/// credentials.h: what a client says to prove who it is. Secrets are overwritten when they are no longer needed.
#pragma once

#include <smtpd/base/api.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

/// Overwrites the octets and empties the string.
SMTPD_API void wipe(std::string& octets) noexcept;

/// Octets that must not leak: they cannot be put into a log line by mistake, are not copied, and are overwritten at the
/// end.
class SMTPD_API Secret {
public:
    Secret() = default;
    ~Secret() { wipe(octets_); }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;

    void set(std::string_view octets);
    void clear() noexcept { wipe(octets_); }
    bool empty() const noexcept { return octets_.empty(); }
    /// For the back end that compares them, and for nothing else.
    const std::string& reveal() const noexcept { return octets_; }
    /// Compares in a time that does not depend on the octets.
    bool equals(std::string_view octets) const noexcept;

private:
    std::string octets_;
};

enum class ScramHash : std::uint8_t { sha1, sha256 };

/// What a server keeps of a password for SCRAM (RFC 5802 3): enough to check that a client knows it, not enough to log
/// in with.
struct SMTPD_API ScramKeys {
    std::string salt;
    unsigned iterations = 0;  ///< 0 = there are no keys
    std::string stored_key;
    std::string server_key;

    explicit operator bool() const noexcept { return iterations != 0; }
    /// Whether these are the keys of that clear password. Costs `iterations` hashes.
    bool are_of(ScramHash hash, std::string_view password) const;

    /// The keys of a clear password. Costs `iterations` hashes: milliseconds.
    static ScramKeys derive(ScramHash hash, std::string_view password, std::string_view salt, unsigned iterations);
    /// "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey" (RFC 5803; PostgreSQL keeps passwords so, too), or nothing.
    static std::optional<ScramKeys> parse(ScramHash hash, std::string_view text);
};

/// At a hook of SCRAM: what is asked, and where the answer goes.
struct ScramRequest {
    ScramHash hash = ScramHash::sha256;
    std::string salt;         ///< for a plugin that has the clear password
    unsigned iterations = 0;  ///< likewise
    ScramKeys keys;           ///< the answer
};

/// What one exchange of a SASL mechanism came to.
class SMTPD_API Credentials {
public:
    /// `mechanism` is a name that lives as long as the server ("PLAIN").
    explicit Credentials(std::string_view mechanism) : mechanism_(mechanism) {}

    std::string_view mechanism() const noexcept { return mechanism_; }
    /// UTF-8 without control characters, prepared by SASLprep (RFC 4013) where the library for it is there. Empty only
    /// where the client may leave it to the server who it is: EXTERNAL, XOAUTH2 and OAUTHBEARER.
    const std::string& user() const noexcept { return user_; }
    /// The clear password as it was sent, without control characters; null where the mechanism does not tell it
    /// (CRAM-MD5, SCRAM).
    const Secret* password() const noexcept { return has_password_ ? &password_ : nullptr; }
    /// The bearer token (RFC 6750) of XOAUTH2 and OAUTHBEARER, else empty.
    const Secret& token() const noexcept { return token_; }
    /// CRAM-MD5 (RFC 2195): what the server sent, and the digest that the client made of it, 32 hexadecimal digits in
    /// lower case.
    const std::string& challenge() const noexcept { return challenge_; }
    const Secret& response() const noexcept { return response_; }
    /// Whether the client knows this clear password: with PLAIN, LOGIN and CRAM-MD5. Takes the same time whether it
    /// does or not.
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
