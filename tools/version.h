/// version.h: what --version says.
#pragma once

#include <string_view>

namespace smtpd::tools {

/// Prints "smtpd-store (mod_smtpd) 0.1.0" to standard output.
void show_version(std::string_view program);

}  // namespace smtpd::tools
