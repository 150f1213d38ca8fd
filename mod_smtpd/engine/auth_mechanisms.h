/// auth_mechanisms.h: the mechanisms of AUTH, each with the hook that judges it and what else it needs.
#pragma once

#include <smtpd/hooks.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace smtpd::engine {

struct AuthMechanism {
    enum class Needs : std::uint8_t { nothing, certificate, channel_binding };

    std::string_view name;
    HookId hook;
    bool is_for_auth;     ///< plugins at `auth` are asked as well, where nobody at the hook has an opinion
    bool tells_password;  ///< so that plugins at `auth` can judge it, and it is offered for them
    bool is_offered;      ///< unless SmtpAuthMechanisms says otherwise
    Needs needs;
};

inline constexpr std::size_t auth_mechanism_count = 10;
/// Sorted, as EHLO lists them.
extern const AuthMechanism auth_mechanisms[auth_mechanism_count];

/// By its name in any case, or null.
const AuthMechanism* find_auth_mechanism(std::string_view name) noexcept;

/// Which of them a server may offer.
class AuthMechanismSet {
public:
    /// Those that are offered unless SmtpAuthMechanisms says otherwise: all but CRAM-MD5, whose digests can be searched
    /// for passwords quickly.
    AuthMechanismSet() noexcept;
    static AuthMechanismSet none() noexcept {
        AuthMechanismSet set;
        set.bits_ = 0;
        return set;
    }
    bool contains(const AuthMechanism& mechanism) const noexcept { return (bits_ >> index(mechanism) & 1U) != 0; }
    void add(const AuthMechanism& mechanism) noexcept { bits_ |= 1U << index(mechanism); }
    void remove(const AuthMechanism& mechanism) noexcept { bits_ &= ~(1U << index(mechanism)); }

private:
    static unsigned index(const AuthMechanism& mechanism) noexcept {
        return static_cast<unsigned>(&mechanism - auth_mechanisms);
    }
    std::uint32_t bits_ = 0;
};

}  // namespace smtpd::engine
