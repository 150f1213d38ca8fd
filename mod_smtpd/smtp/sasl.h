/// sasl.h: the server side of SASL mechanisms (RFC 4422): octets from the client go in, a challenge or credentials come
/// out.
///
/// The octets are those inside the base64 encoding. Who checks the credentials, and the client's reply, are decided
/// elsewhere. To add a mechanism, add a class and a row in sasl.cc.
#pragma once

#include "smtp/channel_bindings.h"

#include <smtpd/auth/credentials.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::smtp {

inline constexpr std::size_t max_user_octets = 1024;

/// One exchange. Credentials are overwritten when the object is destroyed.
class SaslMechanism {
public:
    enum class Status {
        challenge,  ///< send it and pass the answer to take()
        lookup,     ///< SCRAM has a user: answer scram(), send first_of_server() and pass the answer to take()
        complete,   ///< credentials() are complete
        proved,     ///< the client has proved its identity; no plugin need be asked
        malformed,  ///< the octets do not follow the mechanism's syntax
        refused  ///< valid syntax, but nobody can authenticate like this: no user, no password, or on behalf of another
                 ///< user
    };
    struct Step {
        Status status;
        std::string challenge;
    };

    virtual ~SaslMechanism() = default;
    SaslMechanism(const SaslMechanism&) = delete;
    SaslMechanism& operator=(const SaslMechanism&) = delete;

    /// Whether the server speaks first; then a client must not send an initial response.
    virtual bool begins_with_challenge() const noexcept { return false; }
    /// The first challenge, if the client sent no initial response.
    virtual std::string first_challenge() const = 0;
    /// Takes the client's next octets.
    virtual Step take(std::string_view octets) = 0;

    const Credentials& credentials() const noexcept { return credentials_; }

    /// SCRAM's request after `lookup`; null for other mechanisms.
    virtual ScramRequest* scram() noexcept { return nullptr; }
    /// The challenge after `lookup`. For an unknown user it looks the same, but no proof is accepted.
    virtual std::string first_of_server(bool is_known);
    /// What a refused client is sent before the reply; its answer is ignored. "" for most mechanisms.
    virtual std::string_view refusal() const noexcept { return {}; }

protected:
    explicit SaslMechanism(std::string_view name) : credentials_(name) {}
    /// Stores the prepared user name; `refused` if the name is not valid.
    Status take_user(std::string_view name);
    /// Stores the clear password; `refused` if it is not valid.
    Status take_password(std::string_view password);

    Credentials credentials_;
};

/// The server's data for SCRAM; must outlive the exchange.
struct ScramServer {
    ChannelBindings bindings;      ///< of this connection
    bool offers_binding = false;   ///< the -PLUS form of the mechanism was announced
    std::string_view salt_secret;  ///< used for the salts of unknown users, so that they look like those of known users
};

/// The mechanism of that name in any case ("plain"), or null. `nonce` must be unpredictable and never reused; `server`
/// is the server's name.
std::unique_ptr<SaslMechanism> make_sasl(std::string_view name, std::string_view nonce, std::string_view server,
                                         const ScramServer& scram = {});

/// Whether the text is a valid user name: not empty, UTF-8, without control characters, not too long.
bool is_user_name(std::string_view name);

/// RFC 2104 with MD5, in hexadecimal; "" if the crypto library does not support MD5.
std::string hmac_md5(std::string_view key, std::string_view text);

}  // namespace smtpd::smtp
