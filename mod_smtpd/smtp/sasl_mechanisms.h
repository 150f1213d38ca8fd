/// sasl_mechanisms.h: the mechanisms with their own source file, for make_sasl().
#pragma once

#include "smtp/sasl.h"

namespace smtpd::smtp {

/// `name` must live as long as the server.
std::unique_ptr<SaslMechanism> make_scram(std::string_view name, ScramHash hash, bool binds, std::string_view nonce,
                                          const ScramServer& server);
std::unique_ptr<SaslMechanism> make_xoauth2();
std::unique_ptr<SaslMechanism> make_oauthbearer();

}  // namespace smtpd::smtp
