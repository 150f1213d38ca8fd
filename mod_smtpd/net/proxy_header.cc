/// proxy_header.cc: parses both versions of the header. The sender's lengths are not trusted: nothing is read beyond
/// the octets that have arrived.
#include "net/proxy_header.h"

#include "support/strings.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

namespace smtpd::net {
namespace {

constexpr std::string_view text_signature = "PROXY ";
constexpr std::size_t max_text = 107;  ///< with CRLF, of version 1
constexpr std::string_view binary_signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t binary_start = 16;  ///< signature, version and command, family and transport, length

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto number = support::parse_unsigned(text);
    if (!number || *number > 65535 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

std::uint16_t number_at(std::string_view octets, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(octets[at]) << 8 |
                                      static_cast<std::uint8_t>(octets[at + 1]));
}

template <std::size_t size>
std::array<std::uint8_t, size> bytes_at(std::string_view octets, std::size_t at) {
    std::array<std::uint8_t, size> bytes{};
    std::memcpy(bytes.data(), octets.data() + at, size);
    return bytes;
}

/// The part after the addresses: repeatedly a type, a length and that many octets. None of them matters here, but they
/// must add up.
bool are_extensions_whole(std::string_view octets) {
    while (!octets.empty()) {
        if (octets.size() < 3 || octets.size() - 3 < number_at(octets, 1)) return false;
        octets.remove_prefix(3u + number_at(octets, 1));
    }
    return true;
}

}  // namespace

ProxyHeader::Status ProxyHeader::feed(std::string_view& octets) {
    if (octets.empty()) return Status::need_more;
    const char first = header_.empty() ? octets.front() : header_.front();
    if (first == text_signature.front()) return text(octets);
    if (first == binary_signature.front()) return binary(octets);
    return bad("it does not begin with a PROXY header");
}

/// Fills header_ up to `size`; false while octets are missing.
bool ProxyHeader::take(std::string_view& octets, std::size_t size) {
    if (header_.size() < size) {
        const auto taken = octets.substr(0, size - header_.size());
        header_ += taken;
        octets.remove_prefix(taken.size());
    }
    return header_.size() >= size;
}

ProxyHeader::Status ProxyHeader::bad(std::string_view problem) {
    problem_ = problem;
    return Status::bad;
}

// ---- version 1

ProxyHeader::Status ProxyHeader::text(std::string_view& octets) {
    while (!octets.empty()) {
        take(octets, header_.size() + 1);
        const auto known = std::min(header_.size(), text_signature.size());
        if (header_.compare(0, known, text_signature, 0, known) != 0)
            return bad("it does not begin with a PROXY header");
        if (header_.back() == '\n') {
            const std::string_view line(header_);
            if (!line.ends_with("\r\n")) return bad("the line of version 1 does not end with CRLF");
            return read_text(line.substr(text_signature.size(), line.size() - text_signature.size() - 2));
        }
        if (header_.size() == max_text) return bad("the line of version 1 is too long");
    }
    return Status::need_more;
}

ProxyHeader::Status ProxyHeader::read_text(std::string_view line) {
    if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return Status::local;
    const auto words = support::split(line, ' ');
    if (words.size() != 5 || (words[0] != "TCP4" && words[0] != "TCP6"))
        return bad("the line of version 1 is not understood");
    const bool is_v4 = words[0] == "TCP4";
    const auto source = IpAddress::parse(words[1]);
    const auto destination = IpAddress::parse(words[2]);
    // an IPv4-mapped IPv6 address counts as IPv4
    const auto fits = [is_v4](const std::optional<IpAddress>& address, std::string_view word) {
        return address && (word.find(':') == std::string_view::npos) == is_v4;
    };
    if (!fits(source, words[1]) || !fits(destination, words[2]))
        return bad("an address of version 1 is not understood");
    const auto source_port = parse_port(words[3]);
    const auto destination_port = parse_port(words[4]);
    if (!source_port || !destination_port) return bad("a port of version 1 is not understood");
    client_ = {*source, *source_port};
    local_ = {*destination, *destination_port};
    return Status::proxied;
}

// ---- version 2

ProxyHeader::Status ProxyHeader::binary(std::string_view& octets) {
    const bool has_start = take(octets, binary_start);
    const auto known = std::min(header_.size(), binary_signature.size());
    if (header_.compare(0, known, binary_signature, 0, known) != 0) return bad("it does not begin with a PROXY header");
    if (!has_start || !take(octets, binary_start + number_at(header_, 14))) return Status::need_more;
    return read_binary();
}

ProxyHeader::Status ProxyHeader::read_binary() {
    constexpr std::uint8_t version_2 = 0x20;
    constexpr std::uint8_t local = 0;
    constexpr std::uint8_t proxy = 1;
    const auto version_and_command = static_cast<std::uint8_t>(header_[12]);
    const auto family = static_cast<std::uint8_t>(header_[13]) >> 4;
    const auto transport = static_cast<std::uint8_t>(header_[13]) & 0x0f;
    if ((version_and_command & 0xf0) != version_2) return bad("it is neither version 1 nor 2");
    if ((version_and_command & 0x0f) == local) return Status::local;
    if ((version_and_command & 0x0f) != proxy) return bad("the command of version 2 is not understood");
    if (family == 0 || family == 3) return Status::local;  // unspecified; a Unix socket
    if (family > 3 || transport != 1)
        return bad("version 2 has a family or transport other than TCP over IPv4 or IPv6");
    const std::size_t width = family == 1 ? 4 : 16;
    const std::string_view body = std::string_view(header_).substr(binary_start);
    if (body.size() < 2 * width + 4) return bad("version 2 is too short for its addresses");
    if (!are_extensions_whole(body.substr(2 * width + 4)))
        return bad("the extensions of version 2 do not add up to its length");
    const auto address_at = [&](std::size_t at) {
        return family == 1 ? IpAddress::v4(bytes_at<4>(body, at)) : IpAddress::v6(bytes_at<16>(body, at));
    };
    client_ = {address_at(0), number_at(body, 2 * width)};
    local_ = {address_at(width), number_at(body, 2 * width + 2)};
    return Status::proxied;
}

}  // namespace smtpd::net
