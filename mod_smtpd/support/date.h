/// date.h: formats a time as in RFC 5322.
#pragma once

#include <chrono>
#include <string>

namespace smtpd::support {

/// `Fri, 20 Nov 2026 18:27:00 +0000`, in the server's time zone. English, independent of the locale; thread-safe.
std::string rfc5322_date(std::chrono::system_clock::time_point moment);

}  // namespace smtpd::support
