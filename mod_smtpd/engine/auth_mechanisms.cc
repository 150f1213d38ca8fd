#include "engine/auth_mechanisms.h"

#include "support/strings.h"

#include <algorithm>
#include <iterator>

namespace smtpd::engine {

using Needs = AuthMechanism::Needs;

const AuthMechanism auth_mechanisms[auth_mechanism_count] = {
    {"CRAM-MD5", HookId::auth_cram_md5, true, false, false, Needs::nothing},
    {"EXTERNAL", HookId::auth_external, false, false, true, Needs::certificate},
    {"LOGIN", HookId::auth_login, true, true, true, Needs::nothing},
    {"OAUTHBEARER", HookId::auth_bearer, false, false, true, Needs::nothing},
    {"PLAIN", HookId::auth_plain, true, true, true, Needs::nothing},
    {"SCRAM-SHA-1", HookId::auth_scram_sha_1, false, false, true, Needs::nothing},
    {"SCRAM-SHA-1-PLUS", HookId::auth_scram_sha_1, false, false, true, Needs::channel_binding},
    {"SCRAM-SHA-256", HookId::auth_scram_sha_256, false, false, true, Needs::nothing},
    {"SCRAM-SHA-256-PLUS", HookId::auth_scram_sha_256, false, false, true, Needs::channel_binding},
    {"XOAUTH2", HookId::auth_bearer, false, false, true, Needs::nothing},
};

const AuthMechanism* find_auth_mechanism(std::string_view name) noexcept {
    const auto* const found = std::find_if(
        std::begin(auth_mechanisms), std::end(auth_mechanisms),
        [&](const AuthMechanism& mechanism) { return support::equals_folded(mechanism.name, name); });
    return found == std::end(auth_mechanisms) ? nullptr : found;
}

AuthMechanismSet::AuthMechanismSet() noexcept {
    for (const auto& mechanism : auth_mechanisms)
        if (mechanism.is_offered) add(mechanism);
}

}  // namespace smtpd::engine
