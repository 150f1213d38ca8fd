/// response_text.h: a Response as one string, so that a test compares all parts and a failure shows them.
#pragma once

#include <smtpd/base/format.h>
#include <smtpd/verdict.h>

#include <string>

namespace smtpd::fakes {

/// All four parts, including empty ones: "declined 0 0.0.0 ".
inline std::string spelled_out(const Response& response) {
    return format_text("{} {} {} {}", verdict_name(response.verdict), response.code, response.enhanced, response.text);
}

/// "deny 554 5.4.6 Too many hops": without parts that the plugin leaves to the hook. LF becomes " / ".
inline std::string shown(const Response& response) {
    std::string text(verdict_name(response.verdict));
    if (response.code != 0) text += " " + std::to_string(response.code);
    if (!response.enhanced.empty()) text += " " + response.enhanced.to_string();
    if (!response.text.empty()) text += " ";
    for (const char c : response.text) text += c == '\n' ? std::string(" / ") : std::string(1, c);
    return text;
}

}  // namespace smtpd::fakes
