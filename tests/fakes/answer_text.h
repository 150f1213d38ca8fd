/// answer_text.h: an Answer as one string, so that a test compares all of it and a failure shows all of it.
#pragma once

#include <smtpd/base/format.h>
#include <smtpd/verdict.h>

#include <string>

namespace smtpd::fakes {

/// All four parts, given or not: "declined 0 0.0.0 ".
inline std::string spelled_out(const Answer& answer) {
    return format_text("{} {} {} {}", verdict_name(answer.verdict), answer.code, answer.enhanced, answer.text);
}

/// "deny 554 5.4.6 Too many hops": what the plugin left to the hook is left out. LF is shown as " / ".
inline std::string shown(const Answer& answer) {
    std::string text(verdict_name(answer.verdict));
    if (answer.code != 0) text += " " + std::to_string(answer.code);
    if (!answer.enhanced.empty()) text += " " + answer.enhanced.to_string();
    if (!answer.text.empty()) text += " ";
    for (const char c : answer.text) text += c == '\n' ? std::string(" / ") : std::string(1, c);
    return text;
}

}  // namespace smtpd::fakes
