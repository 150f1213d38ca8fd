/// date.cc: see date.h. RFC 5322 3.3.
#include "support/date.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace smtpd::support {

std::string rfc5322_date(std::chrono::system_clock::time_point moment) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(moment));
    std::tm local{};
    localtime_r(&seconds, &local);
    const long offset = local.tm_gmtoff / 60;
    char text[64];
    const int size = std::snprintf(text, sizeof text, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld", days[local.tm_wday],
                                   local.tm_mday, months[local.tm_mon], local.tm_year + 1900, local.tm_hour,
                                   local.tm_min, local.tm_sec, offset < 0 ? '-' : '+', std::labs(offset) / 60,
                                   std::labs(offset) % 60);
    return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace smtpd::support
