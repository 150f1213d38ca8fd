/// zone_file.h: parses a master file (RFC 1035 5) into a ZoneResolver, so that a command can answer DNS questions from
/// it.
///
///     $ORIGIN example.com.
///     $TTL 1h
///     @       IN  MX   10 mx
///                 TXT  "v=spf1 mx " "-all"     ; strings of one record, joined
///     mx      IN  A    192.0.2.1
///     key     IN  TXT  ( "v=DKIM1; p=MIIB"
///                        "IjANBg" )
///
/// Without $ORIGIN, names need no final dot. The extensions of zone_resolver.h are understood too: an address as the
/// name of a PTR record, TIMEOUT, SERVFAIL, NXDOMAIN, comments with "#", and TXT without quotation marks, whose data
/// extend to the end of the line. Types that no plugin asks for (SOA, SRV, …) only make their name exist. $INCLUDE and
/// $GENERATE are errors.
#pragma once

#include "net/zone_resolver.h"

#include <smtpd/base/result.h>

#include <string_view>

namespace smtpd::net {

/// The Error names the line.
Result<ZoneResolver> read_zone_file(std::string_view text);

}  // namespace smtpd::net
