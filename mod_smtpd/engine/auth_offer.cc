#include "engine/auth_offer.h"

#include <algorithm>
#include <iterator>

namespace smtpd::engine {

bool AuthOffer::has(const AuthMechanism& mechanism) const {
    if (!allowed.contains(mechanism)) return false;
    if (!hooks.can_accept(mechanism.hook) && !(mechanism.tells_password && hooks.can_accept(HookId::auth)))
        return false;
    switch (mechanism.needs) {
        case AuthMechanism::Needs::nothing: break;
        case AuthMechanism::Needs::certificate: return has_certificate;
        case AuthMechanism::Needs::channel_binding: return has_binding;
    }
    return true;
}

bool AuthOffer::has(std::string_view name) const {
    const AuthMechanism* const mechanism = find_auth_mechanism(name);
    return mechanism != nullptr && has(*mechanism);
}

bool AuthOffer::empty() const {
    const auto is_offered = [this](const AuthMechanism& mechanism) { return has(mechanism); };
    return std::none_of(std::begin(auth_mechanisms), std::end(auth_mechanisms), is_offered);
}

std::string AuthOffer::names() const {
    std::string out;
    for (const auto& mechanism : auth_mechanisms)
        if (has(mechanism)) out.append(" ").append(mechanism.name);
    return out;
}

}  // namespace smtpd::engine
