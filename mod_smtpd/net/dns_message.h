/// dns_message.h: reads the reply of a name server (RFC 1035 4.1) to one question.
///
/// c-ares sends and receives; its parsers are not used because they leave out what is needed here: the times to live of MX, TXT and PTR records, the
/// SOA record that limits how long "there is nothing" holds (RFC 2308), and which records belong to the name that was asked for.
#pragma once

#include <smtpd/dns.h>

#include <cstdint>
#include <span>

namespace smtpd::net {

/// What the reply says about the question. Whatever is wrong with it makes a server_failure with the reason; no octets do harm. Records of other
/// names than the one asked for, or the one it is an alias of, do not count. The time to live is the smallest of those involved, as the server gave
/// it; that of a negative answer comes from its SOA record, and is 0 where it has none.
DnsAnswer read_dns_reply(std::span<const std::uint8_t> packet, const DnsQuestion& question);

}  // namespace smtpd::net
