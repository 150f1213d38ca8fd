/// auth_mechanisms.h: the mechanisms of AUTH, each with the hook that judges it and its requirements.
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
    bool is_for_auth;     ///< plugins at `auth` are asked as well if all at the mechanism's hook decline
    bool tells_password;  ///< the server learns the password, so plugins at `auth` can check it, and it is offered for
                          ///< them
    bool is_offered;      ///< unless SmtpAuthMechanisms says otherwise
    Needs needs;
};

inline constexpr std::size_t auth_mechanism_count = 10;
/// Sorted, in the order of the EHLO reply.
extern const AuthMechanism auth_mechanisms[auth_mechanism_count];

/// Finds a mechanism by its name, in any case; null if there is none.
const AuthMechanism* find_auth_mechanism(std::string_view name) noexcept;

/// The mechanisms that a server may offer.
class AuthMechanismSet {
public:
    /// The default: all mechanisms except CRAM-MD5, because passwords can be guessed quickly from its digests.
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
