#include "engine/extensions.h"

#include "support/strings.h"

#include <iterator>

namespace smtpd::engine {
namespace {

struct Row {
    std::string_view keyword;
    bool is_on;  ///< by default
    std::optional<Extension> needs = {};
};

/// Indexed by Extension. Extensions that promise something which only the queue can keep are off: delivery reports, TLS
/// to the next hop, and priority.
constexpr Row rows[] = {
    {"PIPELINING", true},
    {"8BITMIME", true},
    {"ENHANCEDSTATUSCODES", true},
    {"SMTPUTF8", true, Extension::eight_bit_mime},
    {"CHUNKING", true},
    {"BINARYMIME", true, Extension::chunking},
    {"DSN", false},
    {"REQUIRETLS", false},
    {"MT-PRIORITY", false},
    {"PRDR", true},
    {"LIMITS", true},
    {"VRFY", true},
    {"HELP", true},
    {"SIZE", true},
    {"XCLIENT", true},
    {"XFORWARD", true},
    {"AUTH", true},
};
static_assert(std::size(rows) == static_cast<std::size_t>(Extension::count), "every extension has a row");

constexpr const Row& row_of(Extension extension) noexcept { return rows[static_cast<std::size_t>(extension)]; }

}  // namespace

std::string_view keyword_of(Extension extension) noexcept { return row_of(extension).keyword; }

std::optional<Extension> find_extension(std::string_view keyword) noexcept {
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        const auto extension = static_cast<Extension>(i);
        if (extension != Extension::auth && support::equals_folded(rows[i].keyword, keyword)) return extension;
    }
    return std::nullopt;
}

std::optional<Extension> needed_by(Extension extension) noexcept { return row_of(extension).needs; }

ExtensionSet default_extensions() noexcept {
    ExtensionSet out;
    for (std::size_t i = 0; i < std::size(rows); ++i) out.set(static_cast<Extension>(i), rows[i].is_on);
    return out;
}

ExtensionSet workable(ExtensionSet extensions) noexcept {
    for (std::size_t i = 0; i < std::size(rows); ++i)
        if (rows[i].needs && !extensions.has(*rows[i].needs)) extensions.set(static_cast<Extension>(i), false);
    return extensions;
}

}  // namespace smtpd::engine
