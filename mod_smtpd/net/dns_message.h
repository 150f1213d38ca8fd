/// dns_message.h: reads the reply of a name server (RFC 1035 4.1) to one question.
///
/// c-ares sends and receives; its parsers are not used because they leave out what is needed here: the times to live of MX, TXT and PTR records, the
/// SOA record that limits how long "there is nothing" holds (RFC 2308), and which records belong to the name that was asked for.
#pragma once

#include <smtpd/dns.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace smtpd::net {

/// What the reply says about the question. Whatever is wrong with it makes a server_failure with the reason; no octets do harm. Records of other
/// names than the one asked for, or the one it is an alias of, do not count. The time to live is the smallest of those involved, as the server gave
/// it; that of a negative answer comes from its SOA record, and is 0 where it has none.
DnsAnswer read_dns_reply(std::span<const std::uint8_t> packet, const DnsQuestion& question);

/// The name with each letter in upper or lower case, as the kernel's random numbers have it. Names are equal without
/// regard to case, and servers repeat the question octet by octet: whoever makes up a reply has to guess one bit more
/// for each letter ("DNS 0x20", draft-vixie-dnsext-dns0x20). Throws std::system_error where there are no random
/// numbers.
std::string with_random_case(std::string_view name);

/// Whether the packet repeats exactly one question with exactly that name (no final dot, no escapes). If so, its
/// letters are made lower case, so that names that are compressed with a pointer to the question do not have the random
/// case.
bool take_back_random_case(std::span<std::uint8_t> packet, std::string_view name) noexcept;

}  // namespace smtpd::net
