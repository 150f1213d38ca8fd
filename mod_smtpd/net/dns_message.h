/// dns_message.h: writes a question to a name server (RFC 1035 4.1), and reads the reply.
///
/// The parsers of c-ares are not used because they leave out what is needed here: the times to live of MX, TXT and PTR
/// records, the SOA record that limits how long "there is nothing" holds (RFC 2308), and which records belong to the
/// name that was asked for.
#pragma once

#include "support/random.h"

#include <smtpd/dns/dns.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {

/// What the reply says about the question. Whatever is wrong with it makes a server_failure with the reason; no octets
/// do harm. Records of other names than the one asked for, or the one it is an alias of, do not count. The time to live
/// is the smallest of those involved, as the server gave it; that of a negative answer comes from its SOA record, and
/// is 0 where it has none.
DnsAnswer read_dns_reply(std::span<const std::uint8_t> packet, const DnsQuestion& question);

/// The question as it is sent to a resolver, in place of what `out` has; the name's letters keep their case.
/// `edns_size`: the largest datagram that we take (RFC 6891); 0 says nothing of that.
void write_dns_question(std::vector<std::uint8_t>& out, std::uint16_t id, std::string_view name, DnsType type,
                        std::uint16_t edns_size);

/// Whether the packet is a reply with that id to that question alone, whatever the case of the name's letters (no final
/// dot, no escapes).
bool is_reply_to(std::span<const std::uint8_t> packet, std::uint16_t id, std::string_view name, DnsType type) noexcept;

/// Whether the packet is a reply with that id that says FORMERR and nothing else, not even what was asked.
bool is_bare_format_error(std::span<const std::uint8_t> packet, std::uint16_t id) noexcept;

/// The name with each letter in upper or lower case, as the random numbers have it. Names are equal without
/// regard to case, and servers repeat the question octet by octet: whoever makes up a reply has to guess one bit more
/// for each letter ("DNS 0x20", draft-vixie-dnsext-dns0x20). Throws std::system_error where there are no random
/// numbers.
std::string with_random_case(std::string_view name, support::RandomSupply& random);

/// Whether the packet repeats exactly one question with exactly that name (no final dot, no escapes). If so, its
/// letters are made lower case, so that names that are compressed with a pointer to the question do not have the random
/// case.
bool take_back_random_case(std::span<std::uint8_t> packet, std::string_view name) noexcept;

}  // namespace smtpd::net
