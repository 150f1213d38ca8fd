/// extensions.h: the SMTP service extensions (RFC 5321 2.2) that this server knows: one table for EHLO, the parameters
/// of MAIL and RCPT, and the directive SmtpExtensions.
///
/// If an extension is off, it is not announced, its parameters are unknown (555), and its command is not implemented
/// (502). An extension that needs another one is off if that is off. Nothing here has state; sets are values.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace smtpd::engine {

/// In the order of the EHLO reply.
enum class Extension : std::uint8_t {
    pipelining,             ///< RFC 2920
    eight_bit_mime,         ///< RFC 6152
    enhanced_status_codes,  ///< RFC 2034
    smtputf8,               ///< RFC 6531
    chunking,               ///< RFC 3030: BDAT
    binary_mime,            ///< RFC 3030
    dsn,                    ///< RFC 3461
    require_tls,            ///< RFC 8689; on encrypted connections only
    mt_priority,            ///< RFC 6710
    prdr,                   ///< draft-hall-prdr-00; if a plugin judges single recipients after DATA
    limits,                 ///< RFC 9422
    vrfy,                   ///< RFC 5321 3.5; if a plugin answers it
    help,                   ///< RFC 5321 4.1.1.8
    size,                   ///< RFC 1870
    xclient,                ///< Postfix's; for trusted proxies
    xforward,               ///< likewise
    auth,                   ///< RFC 4954; has its own conditions instead of a switch
    count
};

/// A set of extensions.
class ExtensionSet {
public:
    constexpr ExtensionSet() = default;
    constexpr ExtensionSet(std::initializer_list<Extension> list) {
        for (const auto extension : list) set(extension);
    }
    constexpr bool has(Extension extension) const noexcept { return (bits_ & bit(extension)) != 0; }
    constexpr bool has_any(ExtensionSet others) const noexcept { return (bits_ & others.bits_) != 0; }
    constexpr void set(Extension extension, bool on = true) noexcept {
        bits_ = on ? bits_ | bit(extension) : bits_ & ~bit(extension);
    }
    constexpr bool empty() const noexcept { return bits_ == 0; }
    constexpr ExtensionSet with(ExtensionSet other) const noexcept { return ExtensionSet(bits_ | other.bits_); }
    constexpr ExtensionSet without(ExtensionSet other) const noexcept { return ExtensionSet(bits_ & ~other.bits_); }
    constexpr bool operator==(const ExtensionSet&) const = default;

private:
    explicit constexpr ExtensionSet(std::uint32_t bits) noexcept : bits_(bits) {}
    static constexpr std::uint32_t bit(Extension extension) noexcept {
        return std::uint32_t{1} << static_cast<unsigned>(extension);
    }
    std::uint32_t bits_ = 0;
};

/// The keyword of EHLO: "8BITMIME".
std::string_view keyword_of(Extension extension) noexcept;
/// The switchable extension with that keyword, in any case.
std::optional<Extension> find_extension(std::string_view keyword) noexcept;
/// The extension that `extension` requires: CHUNKING for BINARYMIME (RFC 3030 3), 8BITMIME for SMTPUTF8 (RFC 6531 3.1).
std::optional<Extension> needed_by(Extension extension) noexcept;
/// The extensions that are on by default: all that work with any queue plugin.
ExtensionSet default_extensions() noexcept;
/// Removes the extensions whose requirements are not met.
ExtensionSet workable(ExtensionSet extensions) noexcept;

}  // namespace smtpd::engine
