/// sasl.h: the server's side of SASL mechanisms (RFC 4422): octets from the client go in, a challenge or credentials
/// come out.
///
/// Octets are those inside the base64; who is asked about the credentials, and what the client is told, is not decided
/// here. A further mechanism is a class and a row in sasl.cc.
#pragma once

#include "smtp/channel_bindings.h"

#include <smtpd/auth/credentials.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::smtp {

inline constexpr std::size_t max_user_octets = 1024;

/// One exchange. Credentials are overwritten with the object.
class SaslMechanism {
public:
    enum class Status {
        challenge,  ///< send it and take() the answer
        lookup,     ///< SCRAM has a user: let scram() be answered, then send first_of_server() and take() the answer
        complete,   ///< credentials() are there
        proved,     ///< the client has proved who it is; nobody need be asked
        malformed,  ///< that was not what this mechanism says
        refused     ///< understood, and nobody can authenticate so: no user, no password, or for somebody else
    };
    struct Step {
        Status status;
        std::string challenge;
    };

    virtual ~SaslMechanism() = default;
    SaslMechanism(const SaslMechanism&) = delete;
    SaslMechanism& operator=(const SaslMechanism&) = delete;

    /// Whether the server speaks first; a client must not send an initial response then.
    virtual bool begins_with_challenge() const noexcept { return false; }
    /// What the client is asked first, where it sent no initial response.
    virtual std::string first_challenge() const = 0;
    /// The client's next octets.
    virtual Step take(std::string_view octets) = 0;

    const Credentials& credentials() const noexcept { return credentials_; }

    /// What SCRAM wants to know after `lookup`; null with other mechanisms.
    virtual ScramRequest* scram() noexcept { return nullptr; }
    /// The challenge after `lookup`. Where nobody knows the user, no difference can be seen, but no proof will do.
    virtual std::string first_of_server(bool is_known);
    /// What a refused client is sent before it is told so, and then answers with something that does not matter; ""
    /// with most mechanisms.
    virtual std::string_view refusal() const noexcept { return {}; }

protected:
    explicit SaslMechanism(std::string_view name) : credentials_(name) {}
    /// Notes the user, prepared; `refused` where that cannot be the name of one.
    Status take_user(std::string_view name);
    /// Notes the clear password; `refused` where that cannot be one.
    Status take_password(std::string_view password);

    Credentials credentials_;
};

/// What SCRAM needs of the server; must outlive the exchange.
struct ScramServer {
    ChannelBindings bindings;      ///< of this connection
    bool offers_binding = false;   ///< the -PLUS form of the mechanism was announced
    std::string_view salt_secret;  ///< makes the salts of unknown users, so that they look like those of
                                   ///< known users
};

/// The mechanism of that name in any case ("plain"), or null. `nonce` is unpredictable and never used twice; `server`
/// is the server's name.
std::unique_ptr<SaslMechanism> make_sasl(std::string_view name, std::string_view nonce, std::string_view server,
                                         const ScramServer& scram = {});

/// Whether that can be the name of a user: not empty, UTF-8, without control characters, not too long.
bool is_user_name(std::string_view name);

/// RFC 2104 with MD5, in hexadecimal; "" where the crypto library does not do MD5.
std::string hmac_md5(std::string_view key, std::string_view text);

}  // namespace smtpd::smtp
