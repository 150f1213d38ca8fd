/// zone_file.h: reads a master file (RFC 1035 5) into a ZoneResolver, so that a command can answer its own questions.
///
///     $ORIGIN example.com.
///     $TTL 1h
///     @       IN  MX   10 mx
///                 TXT  "v=spf1 mx " "-all"     ; strings of one record, joined
///     mx      IN  A    192.0.2.1
///     key     IN  TXT  ( "v=DKIM1; p=MIIB"
///                        "IjANBg" )
///
/// Without $ORIGIN a name needs no final dot. The records of zone_resolver.h are read too: an address as the name of
/// PTR, TIMEOUT, SERVFAIL, NXDOMAIN, comments with "#", and TXT without quotation marks, which goes to the end of the
/// line. Types that no plugin asks for (SOA, SRV, …) make their name exist. $INCLUDE and $GENERATE are errors.
#pragma once

#include "net/zone_resolver.h"

#include <smtpd/base/result.h>

#include <string_view>

namespace smtpd::net {

/// The Error names the line.
Result<ZoneResolver> read_zone_file(std::string_view text);

}  // namespace smtpd::net
