/// hosts_file.h: the names of hosts that this machine's administrator has written down (hosts(5), /etc/hosts).
#pragma once

#include <smtpd/base/ip.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {

/// Addresses by name in lower case, in the order of the file.
using HostsFile = std::map<std::string, std::vector<IpAddress>, std::less<>>;

/// What such a text says. Lines that are not understood say nothing, as with the system's own functions.
HostsFile parse_hosts(std::string_view text);

}  // namespace smtpd::net
