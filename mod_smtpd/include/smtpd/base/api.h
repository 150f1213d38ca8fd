/// api.h: the API's version and what of mod_smtpd.so a plugin may link against.
///
/// A plugin is compiled against these headers and loaded into the server that was compiled with the same headers. The
/// loader compares `api_version` first and refuses a plugin that was built against another one.
#pragma once

#include <cstdint>

/// Marks what is visible outside the DSO that defines it. Everything else is hidden.
#define SMTPD_API __attribute__((visibility("default")))

namespace smtpd {

/// What only the server may do with the objects that it shows to plugins. Plugins have no definition of it.
struct ServerAccess;

/// Raised whenever a change to these headers makes an already compiled plugin unusable.
inline constexpr std::uint32_t api_version = 7;

/// First word of every plugin descriptor: "SMTP", so that a foreign symbol of the same name is not taken for a plugin.
inline constexpr std::uint32_t api_magic = 0x534d5450;

}  // namespace smtpd
