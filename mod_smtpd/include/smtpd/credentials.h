/// credentials.h: what a client says to prove who it is. Secrets are overwritten when they are no longer needed.
#pragma once

#include <smtpd/api.h>

#include <string>
#include <string_view>

namespace smtpd {

/// Overwrites the octets and empties the string.
SMTPD_API void wipe(std::string& octets) noexcept;

/// Octets that must not leak: they cannot be put into a log line by mistake, are not copied, and are overwritten at the end.
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

/// What one exchange of a SASL mechanism came to.
class SMTPD_API Credentials {
public:
    /// `mechanism` is a name that lives as long as the server ("PLAIN").
    explicit Credentials(std::string_view mechanism) : mechanism_(mechanism) {}

    std::string_view mechanism() const noexcept { return mechanism_; }
    /// UTF-8, not empty, without control characters.
    const std::string& user() const noexcept { return user_; }
    /// The clear password; null where the mechanism does not tell it (CRAM-MD5).
    const Secret* password() const noexcept { return has_password_ ? &password_ : nullptr; }
    /// CRAM-MD5 (RFC 2195): what the server sent, and the digest that the client made of it, 32 hexadecimal digits in lower case.
    const std::string& challenge() const noexcept { return challenge_; }
    const Secret& response() const noexcept { return response_; }
    /// Whether the client knows this clear password, whatever the mechanism. Takes the same time whether it does or not.
    bool proves(std::string_view password) const;

    // For mechanisms and tests
    void set_user(std::string_view user) { user_.assign(user); }
    void set_password(std::string_view password) { password_.set(password); has_password_ = true; }
    void set_challenge(std::string_view challenge) { challenge_.assign(challenge); }
    void set_response(std::string_view response) { response_.set(response); }

private:
    const std::string_view mechanism_;
    std::string user_;
    std::string challenge_;
    Secret password_;
    Secret response_;
    bool has_password_ = false;
};

}  // namespace smtpd
