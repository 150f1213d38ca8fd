/// api.h: the API version, and the export macro for symbols that plugins may link against.
///
/// A plugin is compiled against these headers and loaded into a server that was compiled with the same headers. The
/// loader compares `api_version` first and rejects a plugin that was built for another version.
#pragma once

#include <cstdint>

/// Exports a symbol from the DSO that defines it. All other symbols are hidden.
#define SMTPD_API __attribute__((visibility("default")))

namespace smtpd {

/// Gives the server access to the internals of objects that it shows to plugins. Plugins have no definition of it.
struct ServerAccess;

/// Raised whenever a change to these headers makes an already compiled plugin unusable.
inline constexpr std::uint32_t api_version = 8;

/// First word of every plugin descriptor: "SMTP", so that an unrelated symbol of the same name is not taken for a
/// plugin.
inline constexpr std::uint32_t api_magic = 0x534d5450;

}  // namespace smtpd
