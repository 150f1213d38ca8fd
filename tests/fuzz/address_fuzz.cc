/// address_fuzz.cc: paths and mailboxes of arbitrary octets.
///
/// Invariants: an accepted address prints as a path that parses as the same address and prints the same. It has no
/// control characters, stays within the limits, and is ASCII unless UTF-8 is allowed. Its key equals that of the list
/// entry that it prints. A rejected address has a reason. IP addresses and networks print as text that parses as the
/// same value.
#include <smtpd/base/address.h>
#include <smtpd/base/ip.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;

void require(bool holds) {
    if (!holds) std::abort();
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) < 0x20) || c == 0x7f; });
}

void check(const std::optional<Address>& address, const AddressSyntax& syntax, const std::string& why) {
    require(address.has_value() == why.empty());
    if (!address) return;
    const auto path = address->path();
    require(path.size() <= (syntax.strict ? 256 : 900) && !has_control(path) && address->domain().size() <= 255);
    require(!syntax.strict || address->local_part().size() <= 64);
    require(syntax.smtputf8 || address->is_ascii());
    require(!address->is_null() || syntax.allow_null);
    std::string why_again;
    const auto again = Address::parse_path(path, syntax, &why_again);
    require(again && *again == *address && again->path() == path && again->key() == address->key());
    require(address->key_spellings().front() == address->key() &&
            list_key(address->to_string(), syntax.local_part_case) == address->key());
    if (const auto ip = address->literal_ip())
        require(address->is_address_literal() && IpAddress::parse(ip->to_string()) == ip);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    for (unsigned bits = 0; bits < 32; ++bits) {
        const AddressSyntax syntax{
            .smtputf8 = (bits & 1U) != 0,
            .allow_null = (bits & 2U) != 0,
            .allow_postmaster = (bits & 4U) != 0,
            .strict = (bits & 8U) != 0,
            .local_part_case = (bits & 16U) != 0 ? LocalPartCase::sensitive : LocalPartCase::insensitive};
        std::string why;
        check(Address::parse_path(input, syntax, &why), syntax, why);
        why.clear();
        const auto mailbox = Address::parse(input, syntax, &why);
        check(mailbox, syntax, why);
        require(!mailbox || !mailbox->is_null());
    }
    if (const auto ip = IpAddress::parse(input)) require(IpAddress::parse(ip->to_string()) == ip);
    if (const auto network = IpNetwork::parse(input)) {
        require(IpNetwork::parse(network->to_string()) == network && network->contains(network->address()));
    }
    return 0;
}
