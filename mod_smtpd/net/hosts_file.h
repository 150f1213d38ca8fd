/// hosts_file.h: the host names in this machine's hosts file (hosts(5), /etc/hosts).
#pragma once

#include <smtpd/base/ip.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {

/// Addresses by name in lower case, in the order of the file.
using HostsFile = std::map<std::string, std::vector<IpAddress>, std::less<>>;

/// Parses the text. Malformed lines are ignored, as by the system's own functions.
HostsFile parse_hosts(std::string_view text);

}  // namespace smtpd::net
