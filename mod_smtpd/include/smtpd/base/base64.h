/// base64.h: RFC 4648 section 4, for what plugins say to back ends.
#pragma once

#include <smtpd/base/api.h>

#include <string>
#include <string_view>

namespace smtpd {

SMTPD_API std::string base64(std::string_view octets);

}  // namespace smtpd
