/// qpsmtpd_state.cc: parses qpsmtpd's records.
#include "store/qpsmtpd_state.h"

#include "support/strings.h"

#include <smtpd/base/address.h>
#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace smtpd::store {
namespace {

Error not_understood(std::string_view what, std::string_view text) {
    return {ErrorCode::config, format_text("{} \"{}\" is not understood", what, support::escape_for_log(text, 100)), 0};
}

/// "3221225985" is 192.0.2.1. A number of more than 32 bits is an IPv6 address.
std::optional<IpAddress> address_of(std::string_view text) {
    if (auto written = IpAddress::parse(text)) return written;
    if (text.empty() || text.size() > 39 || !std::all_of(text.begin(), text.end(), support::is_digit))
        return std::nullopt;
    std::array<std::uint8_t, 16> octets{};
    for (const char digit : text) {
        unsigned carry = static_cast<unsigned>(digit - '0');
        for (auto octet = octets.rbegin(); octet != octets.rend(); ++octet) {
            carry += *octet * 10u;
            *octet = static_cast<std::uint8_t>(carry);
            carry >>= 8;
        }
        if (carry != 0) return std::nullopt;
    }
    if (std::any_of(octets.begin(), octets.begin() + 12, [](std::uint8_t octet) { return octet != 0; }))
        return IpAddress::v6(octets);
    return IpAddress::v4({octets[12], octets[13], octets[14], octets[15]});
}

/// Numbers separated by colons; Perl may have written fractions, and an empty field is 0.
std::optional<std::vector<std::uint64_t>> numbers_of(std::string_view text) {
    std::vector<std::uint64_t> numbers;
    for (auto field : support::split(text, ':')) {
        field = field.substr(0, field.find('.'));
        const auto number = field.empty() ? std::optional<std::uint64_t>(0) : support::parse_unsigned(field);
        if (!number) return std::nullopt;
        numbers.push_back(*number);
    }
    return numbers;
}

unsigned as_count(std::uint64_t number) {
    return static_cast<unsigned>(std::min<std::uint64_t>(number, 1'000'000'000));
}

std::optional<WallTime> as_time(std::uint64_t seconds) {
    constexpr std::uint64_t most = 253'402'300'799;  // the end of the year 9999
    if (seconds > most) return std::nullopt;
    WallTime time;
    return StoreValue<WallTime>::read(format_text("{}", seconds), time) ? std::optional(time) : std::nullopt;
}

/// Lower case, and "<>" for the null sender.
std::string as_part(std::string_view address) { return address.empty() ? "<>" : list_key(address); }

}  // namespace

Result<Imported<KarmaRecord>> read_karma(std::string_view key, std::string_view value) {
    const auto address = address_of(key);
    if (!address) return not_understood("the key", key);
    const auto numbers = numbers_of(value);
    if (!numbers || numbers->size() < 3 || numbers->size() > 4) return not_understood("the value", value);
    const auto penalty_start = as_time((*numbers)[0]);
    if (!penalty_start) return not_understood("the value", value);
    Imported<KarmaRecord> entry{client_key(*address), {}, karma_lifetime};
    entry.record.penalty_start = *penalty_start;
    entry.record.naughty = as_count((*numbers)[1]);
    entry.record.nice = as_count((*numbers)[2]);
    entry.record.connects = numbers->size() > 3 ? as_count((*numbers)[3]) : 0;
    return entry;
}

Result<Imported<GreylistRecord>> read_greylist(std::string_view key, std::string_view value, SecondPart second,
                                               WallTime now) {
    auto address = address_of(key);  // all of it, if that is an address: IPv6 has colons
    std::vector<std::string_view> parts;
    if (!address) {
        parts = support::split(key, ':');
        address = address_of(parts.front());
        parts.erase(parts.begin());
    }
    if (!address || parts.size() > 2) return not_understood("the key", key);
    const auto numbers = numbers_of(value);
    const auto since = numbers && numbers->size() == 4 ? as_time(numbers->front()) : std::nullopt;
    if (!since) return not_understood("the value", value);

    const std::string client = client_key(*address);
    Imported<GreylistRecord> entry;
    if (parts.empty()) entry.key = greylist_key(client);
    else if (parts.size() == 2) entry.key = greylist_key(client, as_part(parts[0]), as_part(parts[1]));
    else if (second == SecondPart::sender) entry.key = greylist_key(client, as_part(parts[0]));
    else entry.key = greylist_key(client, {}, as_part(parts[0]));
    entry.record.since = *since;
    entry.record.refused = as_count((*numbers)[1] + as_count((*numbers)[2]));
    entry.record.passed = as_count((*numbers)[3]);
    entry.lifetime = std::min(std::chrono::ceil<Duration>(*since - now) + greylist_lifetime, greylist_lifetime);
    return entry;
}

}  // namespace smtpd::store
