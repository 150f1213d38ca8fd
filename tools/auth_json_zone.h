/// auth_json_zone.h: reads a zone in the JSON format of RFC 7208's test suite.
///
///     {"zonedata": {"example.com": [{"TXT": "v=spf1 mx -all"}, {"TXT": ["two ", "strings"]}, {"A": "192.0.2.1"},
///                                   {"MX": [10, "mx.example.com"]}, {"TXT": "TIMEOUT"}],
///                   "slow.example": ["TIMEOUT"], "broken.example": [{"RCODE": 2}]}}
///
/// The suite's records of type SPF count as TXT if the name has no TXT record. {"TXT": "NONE"} prevents that.
#pragma once

#include "net/zone_resolver.h"

#include <smtpd/base/result.h>

#include <string_view>

namespace smtpd::tools {

/// The Error says where the problem is.
Result<net::ZoneResolver> read_json_zone(std::string_view text);

}  // namespace smtpd::tools
