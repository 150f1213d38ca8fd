/// base64.h: Base64 (RFC 4648 section 4), for the protocols of back ends.
#pragma once

#include <smtpd/base/api.h>

#include <string>
#include <string_view>

namespace smtpd {

SMTPD_API std::string base64(std::string_view octets);

}  // namespace smtpd
