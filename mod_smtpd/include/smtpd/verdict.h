/// verdict.h: a plugin's response at a hook.
#pragma once

#include <smtpd/base/format.h>
#include <smtpd/base/reply.h>
#include <smtpd/base/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

/// qpsmtpd's names. The effect depends on the hook; see the table in docs/hooks.md.
enum class Verdict : std::uint8_t {
    declined,             ///< no opinion: the next plugin is asked
    ok,                   ///< accepted or handled: no further plugin is asked
    deny,                 ///< rejected permanently (5xx)
    denysoft,             ///< deferred: refused temporarily (4xx)
    deny_disconnect,      ///< 5xx, then the connection is closed
    denysoft_disconnect,  ///< 4xx, then the connection is closed
    done                  ///< the plugin has sent its own reply (Connection::send); the engine sends none
};

SMTPD_API std::string_view verdict_name(Verdict verdict) noexcept;  ///< "deny_disconnect"
/// Parses the name, in any case; also "denyhard", qpsmtpd's old name of deny_disconnect.
SMTPD_API std::optional<Verdict> parse_verdict(std::string_view word) noexcept;
constexpr bool is_denial(Verdict verdict) noexcept {
    return verdict >= Verdict::deny && verdict <= Verdict::denysoft_disconnect;
}
constexpr bool is_soft(Verdict verdict) noexcept {
    return verdict == Verdict::denysoft || verdict == Verdict::denysoft_disconnect;
}
constexpr bool is_disconnect(Verdict verdict) noexcept {
    return verdict == Verdict::deny_disconnect || verdict == Verdict::denysoft_disconnect;
}

/// A verdict with the reply for the client. The hook's default fills in what is missing.
struct [[nodiscard]] Response {
    Verdict verdict = Verdict::declined;
    int code = 0;           ///< 0 = the hook's default for this verdict
    EnhancedCode enhanced;  ///< empty = the default; its class is always adjusted to the code
    std::string text;       ///< may have several lines; empty = the default

    Response() = default;
    Response(Verdict with, std::string_view reply_text = {}) : verdict(with), text(reply_text) {}
    /// A named status of RFC 3463 with its usual verdict and text.
    Response(const Status& status)
        : verdict(static_cast<Verdict>(status.soft ? Verdict::denysoft : Verdict::deny)),
          enhanced(status.code),
          text(status.text) {}

    Response with_code(int reply_code) && {
        code = reply_code;
        return std::move(*this);
    }
    Response with_status(EnhancedCode status) && {
        enhanced = status;
        return std::move(*this);
    }
    Response with_text(std::string reply_text) && {
        text = std::move(reply_text);
        return std::move(*this);
    }
};

inline Response declined() { return {}; }
inline Response ok(PlainText text = {}) { return {Verdict::ok, text}; }
template <class First, class... Rest>
Response ok(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Verdict::ok, format_text<First, Rest...>(text, first, rest...)};
}
inline Response deny(PlainText text = {}) { return {Verdict::deny, text}; }
template <class First, class... Rest>
Response deny(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Verdict::deny, format_text<First, Rest...>(text, first, rest...)};
}
inline Response denysoft(PlainText text = {}) { return {Verdict::denysoft, text}; }
template <class First, class... Rest>
Response denysoft(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Verdict::denysoft, format_text<First, Rest...>(text, first, rest...)};
}
inline Response deny_disconnect(PlainText text = {}) { return {Verdict::deny_disconnect, text}; }
template <class First, class... Rest>
Response deny_disconnect(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Verdict::deny_disconnect, format_text<First, Rest...>(text, first, rest...)};
}
inline Response denysoft_disconnect(PlainText text = {}) { return {Verdict::denysoft_disconnect, text}; }
template <class First, class... Rest>
Response denysoft_disconnect(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Verdict::denysoft_disconnect, format_text<First, Rest...>(text, first, rest...)};
}

}  // namespace smtpd
