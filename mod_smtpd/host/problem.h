/// problem.h: a problem in the configuration, with its position.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace smtpd::host {

struct Problem {
    bool is_error = true;  ///< the server must not start
    std::string position;  ///< "config/plugins:12", "httpd.conf line 12", or ""
    std::string text;      ///< a fragment that begins with the subject
    /// An error in a control file: httpd starts, because a list must not stop web sites, and this server defers all
    /// mail. A configuration test fails.
    bool is_in_control_file = false;
    bool is_note = false;  ///< not a problem, but worth knowing

    /// "config/plugins:12: badrcptto: unknown option …".
    std::string to_string() const { return position.empty() ? text : position + ": " + text; }
};

using Problems = std::vector<Problem>;

inline Problem warning(std::string position, std::string text) { return {false, std::move(position), std::move(text)}; }
inline Problem note(std::string text) { return {false, {}, std::move(text), false, true}; }
inline Problem control_file_error(std::string text) { return {true, {}, std::move(text), true}; }

}  // namespace smtpd::host
