/// ip.h: IP addresses and networks, as values.
///
/// An IPv4-mapped IPv6 address (::ffff:192.0.2.1) becomes the IPv4 address that it carries, so that a list with
/// 192.0.2.0/24 also matches on dual-stack sockets. Distinct objects may be used by different threads.
#pragma once

#include <smtpd/base/api.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

class SMTPD_API IpAddress {
public:
    IpAddress() = default;  ///< the unspecified address: neither v4 nor v6, equal only to itself

    /// Parses "192.0.2.1" (four decimal parts, each 0 to 255, no leading zeros) or any RFC 4291 form; no brackets, no
    /// zone.
    static std::optional<IpAddress> parse(std::string_view text);
    static IpAddress v4(const std::array<std::uint8_t, 4>& bytes);   ///< network order
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);  ///< network order

    bool is_v4() const noexcept { return family_ == 4; }
    bool is_v6() const noexcept { return family_ == 6; }
    bool is_unspecified() const noexcept { return family_ == 0; }
    bool is_loopback() const noexcept;  ///< 127.0.0.0/8 or ::1

    /// 4 or 16 bytes in network order; the rest is zero.
    const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
    unsigned bits() const noexcept { return family_ == 4 ? 32 : family_ == 6 ? 128 : 0; }

    /// The address with all but its first `bits` bits cleared: the key under which clients are counted.
    IpAddress prefix(unsigned bits) const noexcept;

    std::string to_string() const;  ///< RFC 5952 form
    /// RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]".
    std::string literal() const;
    /// "192.0.2.1:25", "[2001:db8::1]:25" (RFC 3986 3.2.2).
    std::string with_port(std::uint16_t port) const;
    /// For DNS lists: "1.2.0.192", or 32 nibbles separated by dots for IPv6.
    std::string reversed() const;

    auto operator<=>(const IpAddress&) const = default;

private:
    std::uint8_t family_ = 0;
    std::array<std::uint8_t, 16> bytes_{};
};

/// A network "192.0.2.0/24", or a single address. Set host bits are cleared, as in httpd's and Postfix's lists.
class SMTPD_API IpNetwork {
public:
    static std::optional<IpNetwork> parse(std::string_view text);
    IpNetwork(const IpAddress& address, unsigned bits);

    bool contains(const IpAddress& address) const noexcept;
    const IpAddress& address() const noexcept { return address_; }
    unsigned bits() const noexcept { return bits_; }
    std::string to_string() const;

    auto operator<=>(const IpNetwork&) const = default;

private:
    IpAddress address_;
    unsigned bits_ = 0;
};

}  // namespace smtpd
