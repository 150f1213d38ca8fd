/// serving_user.h: what the user of the serving processes may do with files, whichever user reads the configuration.
#pragma once

#include <string>
#include <vector>

namespace smtpd::httpd {

/// A question: does the user have this access to the file?
struct Access {
    std::string path;
    int mode;  ///< R_OK, W_OK, X_OK, as for access(2)
};

/// For each question 0, or the errno of the refusal. If root reads the configuration, a process that changes to the
/// user asks the system, so that groups, ACLs and parent directories are taken into account. Not thread-safe.
std::vector<int> access_of_serving_user(const std::vector<Access>& questions);

/// "www-data"; "this user" if httpd was not started by root.
std::string name_of_serving_user();

/// The command that creates a directory for that user: "install -d -o www-data -g www-data -m 0700 /var/spool/smtpd".
std::string command_for_directory(const std::string& path, const char* mode = "0700");
/// The command that gives that user's group access to a file: "chgrp www-data /x && chmod 0640 /x".
std::string command_for_reading(const std::string& path, bool is_directory);

}  // namespace smtpd::httpd
