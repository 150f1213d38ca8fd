/// ip.cc: hand-written parsing and formatting of IP addresses and networks, to exclude the peculiarities of inet_aton
/// and inet_pton (octal parts, missing parts, zones). Accepts the text form of RFC 4291 2.2, and writes that of RFC
/// 5952.
#include <smtpd/base/ip.h>

#include <algorithm>
#include <charconv>

namespace smtpd {
namespace {

using Bytes16 = std::array<std::uint8_t, 16>;

constexpr Bytes16 mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr unsigned mapped_bits = 96;

bool is_mapped(const Bytes16& bytes) { return std::equal(bytes.begin(), bytes.begin() + 12, mapped_prefix.begin()); }

/// A decimal number of one to three digits, no sign, no leading zero, at most `max`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned max) {
    if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    unsigned value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    if (value > max) return std::nullopt;
    return value;
}

/// Parses four decimal parts into `out[0..3]`.
bool parse_v4(std::string_view text, std::uint8_t* out) {
    for (int part = 0; part < 4; ++part) {
        const auto dot = text.find('.');
        if ((dot == std::string_view::npos) != (part == 3)) return false;
        const auto value = parse_decimal(text.substr(0, dot), 255);
        if (!value) return false;
        out[part] = static_cast<std::uint8_t>(*value);
        text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
    }
    return true;
}

bool parse_group(std::string_view text, std::uint8_t* out) {
    if (text.empty() || text.size() > 4) return false;
    unsigned value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (failure != std::errc{} || end != text.data() + text.size()) return false;
    out[0] = static_cast<std::uint8_t>(value >> 8);
    out[1] = static_cast<std::uint8_t>(value & 0xff);
    return true;
}

/// Parses groups separated by single colons; the last one may be a dotted quad. Returns the number of bytes written, or
/// nothing. An empty text has no groups; `room` is the maximum number of bytes.
std::optional<std::size_t> parse_groups(std::string_view text, bool quad_allowed, std::uint8_t* out, std::size_t room) {
    std::size_t used = 0;
    bool more = !text.empty();
    while (more) {
        const auto colon = text.find(':');
        const auto group = text.substr(0, colon);
        more = colon != std::string_view::npos;
        if (!more && quad_allowed && group.find('.') != std::string_view::npos) {
            if (used + 4 > room || !parse_v4(group, out + used)) return std::nullopt;
            return used + 4;
        }
        if (used + 2 > room || !parse_group(group, out + used)) return std::nullopt;
        used += 2;
        if (more) text.remove_prefix(colon + 1);
    }
    return used;
}

bool parse_v6(std::string_view text, Bytes16& out) {
    const auto gap = text.find("::");
    if (gap == std::string_view::npos) return parse_groups(text, true, out.data(), 16) == 16U;
    Bytes16 tail{};
    const auto before = parse_groups(text.substr(0, gap), false, out.data(), 14);  // "::" stands for at least one group
    if (!before) return false;
    const auto after = parse_groups(text.substr(gap + 2), true, tail.data(), 14 - *before);
    if (!after) return false;
    std::copy_n(tail.begin(), *after, out.end() - static_cast<std::ptrdiff_t>(*after));
    return true;
}

void append_number(std::string& out, unsigned value, int base) {
    char digits[8];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value, base).ptr);
}

struct ZeroRun {
    unsigned first = 8;
    unsigned length = 0;
};

/// The longest run of zero groups, the first one if several are equally long; a single zero group is not abbreviated
/// (RFC 5952 4.2.2).
ZeroRun longest_zero_run(const std::array<unsigned, 8>& groups) {
    ZeroRun best;
    for (unsigned i = 0; i < 8; ++i) {
        unsigned length = 0;
        while (i + length < 8 && groups[i + length] == 0) ++length;
        if (length >= 2 && length > best.length) best = {i, length};
        i += length;
    }
    return best;
}

std::string print_v6(const Bytes16& bytes) {
    std::array<unsigned, 8> groups{};
    for (unsigned i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    const auto zeros = longest_zero_run(groups);
    std::string out;
    for (unsigned i = 0; i < 8; ++i) {
        if (i == zeros.first) {
            out += "::";
            i += zeros.length - 1;
            continue;
        }
        if (!out.empty() && out.back() != ':') out += ':';
        append_number(out, groups[i], 16);
    }
    return out;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.find(':') == std::string_view::npos) {
        std::array<std::uint8_t, 4> bytes{};
        if (!parse_v4(text, bytes.data())) return std::nullopt;
        return v4(bytes);
    }
    Bytes16 bytes{};
    if (!parse_v6(text, bytes)) return std::nullopt;
    return v6(bytes);
}

IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) {
    IpAddress address;
    address.family_ = 4;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

IpAddress IpAddress::v6(const Bytes16& bytes) {
    if (is_mapped(bytes)) return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
    IpAddress address;
    address.family_ = 6;
    address.bytes_ = bytes;
    return address;
}

bool IpAddress::is_loopback() const noexcept {
    if (is_v4()) return bytes_[0] == 127;
    constexpr Bytes16 loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return is_v6() && bytes_ == loopback;
}

IpAddress IpAddress::prefix(unsigned bits) const noexcept {
    IpAddress cleared = *this;
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned kept = bits > 8 * i ? std::min(bits - 8 * i, 8U) : 0;
        cleared.bytes_[i] = static_cast<std::uint8_t>(cleared.bytes_[i] & (0xff00U >> kept));
    }
    return cleared;
}

std::string IpAddress::to_string() const {
    if (is_v6()) return print_v6(bytes_);
    std::string out;
    for (unsigned i = 0; i < bits() / 8; ++i) {
        if (i != 0) out += '.';
        append_number(out, bytes_[i], 10);
    }
    return out;
}

std::string IpAddress::literal() const {
    if (is_unspecified()) return {};
    return (is_v6() ? "[IPv6:" : "[") + to_string() + "]";
}

std::string IpAddress::reversed() const {
    std::string out;
    for (unsigned i = bits() / 8; i-- > 0;) {
        if (!out.empty()) out += '.';
        if (is_v4()) {
            append_number(out, bytes_[i], 10);
        } else {
            append_number(out, bytes_[i] & 0xfU, 16);
            out += '.';
            append_number(out, bytes_[i] >> 4U, 16);
        }
    }
    return out;
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto host = text.substr(0, slash);
    const auto address = IpAddress::parse(host);
    if (!address) return std::nullopt;
    if (slash == std::string_view::npos) return IpNetwork(*address, address->bits());
    // A mapped address has become the IPv4 address that it carries; its prefix length refers to 128 bits.
    const bool was_mapped = address->is_v4() && host.find(':') != std::string_view::npos;
    const auto bits = parse_decimal(text.substr(slash + 1), was_mapped ? 128 : address->bits());
    if (!bits || (was_mapped && *bits < mapped_bits)) return std::nullopt;
    return IpNetwork(*address, was_mapped ? *bits - mapped_bits : *bits);
}

IpNetwork::IpNetwork(const IpAddress& address, unsigned bits)
    : address_(address.prefix(bits)), bits_(std::min(bits, address.bits())) {}

bool IpNetwork::contains(const IpAddress& address) const noexcept {
    return address.bits() == address_.bits() && address.prefix(bits_) == address_;
}

std::string IpAddress::with_port(std::uint16_t port) const {
    return (is_v6() ? "[" + to_string() + "]:" : to_string() + ":") + std::to_string(port);
}

std::string IpNetwork::to_string() const {
    auto out = address_.to_string();
    if (bits_ < address_.bits()) {
        out += '/';
        append_number(out, bits_, 10);
    }
    return out;
}

}  // namespace smtpd
