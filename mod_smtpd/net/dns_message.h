/// dns_message.h: writes a question to a name server (RFC 1035 4.1), and parses the reply.
///
/// c-ares' parsers are not used because they omit required data: the TTLs of MX, TXT and PTR records, the SOA record
/// that limits how long a negative answer is valid (RFC 2308), and which records belong to the name in question.
#pragma once

#include "support/random.h"

#include <smtpd/dns/dns.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {

/// Parses the reply. Any error in it gives a server_failure with the reason; no input can do harm. Only records of the
/// name in question, or of the name it is an alias of, count. The TTL is the smallest of those involved, as sent by the
/// server; for a negative answer it comes from the SOA record, and is 0 if there is none.
DnsAnswer read_dns_reply(std::span<const std::uint8_t> packet, const DnsQuestion& question);

/// Writes the question for a resolver into `out`, replacing its content; the case of the name's letters is kept.
/// `edns_size`: the largest datagram that we accept (RFC 6891); 0 omits it.
void write_dns_question(std::vector<std::uint8_t>& out, std::uint16_t id, std::string_view name, DnsType type,
                        std::uint16_t edns_size);

/// Whether the packet is a reply with that id to exactly that question, ignoring the case of the name (no final dot, no
/// escapes).
bool is_reply_to(std::span<const std::uint8_t> packet, std::uint16_t id, std::string_view name, DnsType type) noexcept;

/// Whether the packet is a reply with that id that contains only FORMERR, without even the question.
bool is_bare_format_error(std::span<const std::uint8_t> packet, std::uint16_t id) noexcept;

/// The name with each letter in upper or lower case at random. Names compare case-insensitively, and servers repeat the
/// question octet by octet: a forger has to guess one more bit for each letter ("DNS 0x20",
/// draft-vixie-dnsext-dns0x20). Throws std::system_error if there are no random numbers.
std::string with_random_case(std::string_view name, support::RandomSupply& random);

/// Whether the packet repeats exactly one question with exactly that name (no final dot, no escapes). If so, its
/// letters are converted to lower case, so that names that are compressed with a pointer to the question do not have
/// the random case.
bool take_back_random_case(std::span<std::uint8_t> packet, std::string_view name) noexcept;

}  // namespace smtpd::net
