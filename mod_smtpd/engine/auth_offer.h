/// auth_offer.h: the AUTH mechanisms offered to a client: those that the server allows, that a plugin can judge, and
/// that work on this connection. Has no state; created when needed.
#pragma once

#include "engine/auth_mechanisms.h"
#include "engine/hook_runner.h"

#include <string>
#include <string_view>

namespace smtpd::engine {

struct AuthOffer {
    const AuthMechanismSet& allowed;
    const HookRunner& hooks;
    bool has_certificate = false;  ///< the client presented a verified one, and speaks for itself
    bool has_binding = false;      ///< the connection's TLS provides channel bindings (-PLUS)

    bool has(const AuthMechanism& mechanism) const;
    bool has(std::string_view name) const;
    bool empty() const;
    /// " LOGIN PLAIN": each name after a blank.
    std::string names() const;
};

}  // namespace smtpd::engine
