/// serving_user.h: what the user of the serving processes may do with files, whichever user reads the
/// configuration.
#pragma once

#include <string>
#include <vector>

namespace smtpd::httpd {

/// A question: may the user do that with the file?
struct Access {
    std::string path;
    int mode;  ///< R_OK, W_OK, X_OK, as access(2) has them
};

/// For each question 0, or the errno of the refusal. Where the configuration is read by root, a process that becomes
/// the user asks the system, so that groups, ACLs and the directories above count. Not thread-safe.
std::vector<int> access_of_serving_user(const std::vector<Access>& questions);

/// "www-data"; "this user" where httpd was not started by root.
std::string name_of_serving_user();

/// The command that makes a directory for that user: "install -d -o www-data -g www-data -m 0700 /var/spool/smtpd".
std::string command_for_directory(const std::string& path, const char* mode = "0700");
/// The command that gives a file to that user's group: "chgrp www-data /x && chmod 0640 /x".
std::string command_for_reading(const std::string& path, bool is_directory);

}  // namespace smtpd::httpd
