/// paths.h: small functions on paths that several files need.
#pragma once

#include <string>

namespace smtpd::support {

/// The directory of a file: "/a" for "/a/b", "/" for "/a".
std::string folder_of(const std::string& path);
bool exists(const std::string& path);
bool is_folder(const std::string& path);

}  // namespace smtpd::support
