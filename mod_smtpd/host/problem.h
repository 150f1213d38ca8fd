/// problem.h: something wrong in the configuration, with the place where it stands.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace smtpd::host {

struct Problem {
    bool is_error = true;  ///< the server must not start
    std::string position;  ///< "config/plugins:12", "httpd.conf line 12", or ""
    std::string text;      ///< a sentence fragment that begins with what it is about

    /// "config/plugins:12: badrcptto: unknown option …".
    std::string to_string() const { return position.empty() ? text : position + ": " + text; }
};

using Problems = std::vector<Problem>;

}  // namespace smtpd::host
