/// finding.h: the result of a policy plugin. The plugin states a fact; the framework turns it into a reply, a log line,
/// karma and counters.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/format.h>
#include <smtpd/base/status.h>
#include <smtpd/verdict.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

enum class Outcome { pass, fail, skip, error };

class [[nodiscard]] Finding {
public:
    Finding(Outcome outcome, std::string reason) : outcome_(outcome), reason_(std::move(reason)) {}

    /// The text for the client if the finding leads to a refusal; default: the hook's text.
    Finding reply(std::string text) && {
        reply_ = std::move(text);
        return std::move(*this);
    }
    /// The enhanced status of that refusal; default: x.7.1.
    Finding status(const Status& named) && {
        enhanced_ = named.code;
        if (reply_.empty()) reply_ = named.text;
        return std::move(*this);
    }
    Finding status(EnhancedCode code) && {
        enhanced_ = code;
        return std::move(*this);
    }
    /// The code of that refusal, 550 for instance; default: the hook's. If the refusal is temporary, the code begins
    /// with 4 instead. A refusal that waits for the plugin naughty has naughty's code.
    Finding code(int reply_code) && {
        code_ = reply_code;
        return std::move(*this);
    }
    /// Karma points for the client; default: the plugin's PolicyDefaults for this outcome.
    Finding karma(int points) && {
        karma_ = points;
        return std::move(*this);
    }
    /// Makes the refusal temporary or permanent, regardless of reject_type: for plugins whose lists name a verdict for
    /// each entry.
    Finding soft(bool temporary) && {
        soft_ = temporary;
        return std::move(*this);
    }
    /// The same with the complete verdict: one of the four denials. Any other value is ignored.
    Finding refusal(Verdict denial) && {
        if (is_denial(denial)) refusal_ = denial;
        return std::move(*this);
    }
    /// The failure is logged and counted and costs karma, but never refuses, whatever `reject` says.
    Finding tolerated() && {
        is_tolerated_ = true;
        return std::move(*this);
    }
    /// The result of the test, for later plugins (SessionContext::results()) and for the Authentication-Results field
    /// (RFC 8601). A finding may have several: one for each signature, for instance.
    Finding authentication_result(AuthenticationResult result) && {
        authentication_results_.push_back(std::move(result));
        return std::move(*this);
    }

    Outcome outcome() const noexcept { return outcome_; }
    const std::string& reason() const noexcept { return reason_; }
    const std::string& reply_text() const noexcept { return reply_; }
    EnhancedCode enhanced() const noexcept { return enhanced_; }
    int reply_code() const noexcept { return code_; }
    bool is_tolerated() const noexcept { return is_tolerated_; }
    std::optional<int> karma_points() const noexcept { return karma_; }
    std::optional<bool> is_soft() const noexcept { return soft_; }
    std::optional<Verdict> refusal_verdict() const noexcept { return refusal_; }
    const std::vector<AuthenticationResult>& authentication_results() const noexcept { return authentication_results_; }

private:
    Outcome outcome_;
    std::string reason_;
    std::string reply_;
    EnhancedCode enhanced_;
    int code_ = 0;  ///< 0: the hook's
    bool is_tolerated_ = false;
    std::optional<int> karma_;
    std::optional<bool> soft_;
    std::optional<Verdict> refusal_;
    std::vector<AuthenticationResult> authentication_results_;
};

/// The test was made and passed. The reason may be empty.
inline Finding pass(PlainText reason = {}) { return {Outcome::pass, std::string(reason)}; }
template <class First, class... Rest>
Finding pass(PatternFor<First, Rest...> reason, const First& first, const Rest&... rest) {
    return {Outcome::pass, format_text<First, Rest...>(reason, first, rest...)};
}
/// The test was made and failed.
inline Finding fail(PlainText reason) { return {Outcome::fail, std::string(reason)}; }
template <class First, class... Rest>
Finding fail(PatternFor<First, Rest...> reason, const First& first, const Rest&... rest) {
    return {Outcome::fail, format_text<First, Rest...>(reason, first, rest...)};
}
/// The test does not apply here.
inline Finding skip(PlainText reason) { return {Outcome::skip, std::string(reason)}; }
template <class First, class... Rest>
Finding skip(PatternFor<First, Rest...> reason, const First& first, const Rest&... rest) {
    return {Outcome::skip, format_text<First, Rest...>(reason, first, rest...)};
}
/// The test could not be made, because of a time-out or a back end that is down. It counts neither as pass nor as fail;
/// `onerror` decides.
inline Finding error(PlainText reason) { return {Outcome::error, std::string(reason)}; }
template <class First, class... Rest>
Finding error(PatternFor<First, Rest...> reason, const First& first, const Rest&... rest) {
    return {Outcome::error, format_text<First, Rest...>(reason, first, rest...)};
}

}  // namespace smtpd
