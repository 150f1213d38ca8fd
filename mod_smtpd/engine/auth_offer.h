/// auth_offer.h: which mechanisms of AUTH a client is offered: those that the server allows, that some plugin can
/// judge, and that work on this connection. A value without state of its own, made when it is needed.
#pragma once

#include "engine/auth_mechanisms.h"
#include "engine/hook_runner.h"

#include <string>
#include <string_view>

namespace smtpd::engine {

struct AuthOffer {
    const AuthMechanismSet& allowed;
    const HookRunner& hooks;
    bool has_certificate = false;  ///< the client has shown a verified one, and speaks for itself
    bool has_binding = false;      ///< the TLS of the connection can be bound to (-PLUS)

    bool has(const AuthMechanism& mechanism) const;
    bool has(std::string_view name) const;
    bool empty() const;
    /// " LOGIN PLAIN": each behind a blank.
    std::string names() const;
};

}  // namespace smtpd::engine
