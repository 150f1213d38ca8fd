/// date.h: a moment as RFC 5322 writes it.
#pragma once

#include <chrono>
#include <string>

namespace smtpd::support {

/// `Fri, 20 Nov 2026 18:27:00 +0000`, in the server's time zone. English whatever the locale; thread-safe.
std::string rfc5322_date(std::chrono::system_clock::time_point moment);

}  // namespace smtpd::support
