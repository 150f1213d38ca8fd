/// file_descriptor.h: an open file that is closed when its owner goes (the one of the plugin API), and the text of an
/// errno.
#pragma once

#include <smtpd/base/files.h>

#include <string>
#include <system_error>

namespace smtpd::support {

using smtpd::FileDescriptor;

/// "No such file or directory". Thread-safe, unlike strerror().
inline std::string os_message(int os_status) { return std::generic_category().message(os_status); }

}  // namespace smtpd::support
