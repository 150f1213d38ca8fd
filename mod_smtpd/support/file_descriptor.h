/// file_descriptor.h: an open file that is closed with its owner (the plugin API's class), and the text of an errno.
#pragma once

#include <smtpd/base/files.h>

#include <string>
#include <system_error>

namespace smtpd::support {

using smtpd::FileDescriptor;

/// "No such file or directory". Thread-safe, unlike strerror().
inline std::string os_message(int os_status) { return std::generic_category().message(os_status); }

}  // namespace smtpd::support
