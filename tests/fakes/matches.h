/// matches.h: tests whether a whole text matches a POSIX extended regular expression.
#pragma once

#include <regex.h>

#include <stdexcept>
#include <string>

namespace smtpd::fakes {

inline bool matches(const std::string& text, const std::string& expression) {
    regex_t compiled;
    if (regcomp(&compiled, ("^" + expression + "$").c_str(), REG_EXTENDED | REG_NOSUB) != 0)
        throw std::runtime_error("bad expression " + expression);
    const bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
    regfree(&compiled);
    return found;
}

}  // namespace smtpd::fakes
