/// fate.h: what became of a message for one of its recipients: delivered, deferred or rejected.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/format.h>
#include <smtpd/base/reply.h>
#include <smtpd/base/status.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace smtpd {

/// What became of the message for one recipient.
struct Fate {
    enum class Kind : std::uint8_t {
        unknown,    ///< not decided; in the result of a queue plugin it counts as deferred, and as a fault
        delivered,  ///< the recipient has the message
        deferred,   ///< the client or the queue should try again later
        rejected    ///< the message cannot be delivered, and the sender must be told
    };

    Kind kind = Kind::unknown;
    /// For the client, or for the report to the sender. Parts may be left out (code 0, an empty status, an empty text):
    /// the server fills them in. The class of the code must fit the kind: 2, 4 or 5.
    Reply reply;
    std::string reason;       ///< for the log only; may be empty
    std::string said_by;      ///< the server that gave the reply: "mx.example.net"; "" = the plugin itself
    std::string destination;  ///< for the log: where the message is now, such as a path or an id in a queue
    std::string plugin;       ///< the instance that decided; filled in by the server

    Fate() = default;
    Fate(Kind with, std::string_view text) : kind(with), reply{0, {}, std::string(text)} {}
    /// A named status of RFC 3463 with its usual text; deferred or rejected.
    Fate(const Status& status)
        : kind(status.soft ? Kind::deferred : Kind::rejected), reply{0, status.code, status.text} {}

    bool is_delivered() const noexcept { return kind == Kind::delivered; }
    bool is_deferred() const noexcept { return kind == Kind::deferred; }
    bool is_rejected() const noexcept { return kind == Kind::rejected; }
    /// Deferred or rejected.
    bool is_refused() const noexcept { return is_deferred() || is_rejected(); }

    Fate with_code(int code) && {
        reply.code = code;
        return std::move(*this);
    }
    Fate with_status(EnhancedCode status) && {
        reply.enhanced = status;
        return std::move(*this);
    }
    Fate with_text(std::string text) && {
        reply.text = std::move(text);
        return std::move(*this);
    }
    /// For the log. Bytes from outside go through quoted().
    Fate because(PlainText text) && {
        reason = std::string(text);
        return std::move(*this);
    }
    template <class First, class... Rest>
    Fate because(PatternFor<First, Rest...> pattern, const First& first, const Rest&... rest) && {
        reason = format_text<First, Rest...>(pattern, first, rest...);
        return std::move(*this);
    }
    Fate according_to(std::string server) && {
        said_by = std::move(server);
        return std::move(*this);
    }
    /// For the log, which escapes what is not printable: where the message is now.
    Fate in(std::string place) && {
        destination = std::move(place);
        return std::move(*this);
    }

    /// For the log: the destination, or the server that took the message; "" if neither is known.
    const std::string& place() const noexcept { return destination.empty() ? said_by : destination; }

    /// For the log: the reason, after the server that gave the reply; "" if neither is known.
    SMTPD_API std::string why() const;
    /// "deferred 452 4.2.2 Mailbox full", "rejected 550 5.1.1 No such user (mx.example.net)", "delivered": without the
    /// parts that were left out.
    SMTPD_API std::string to_string() const;
};

/// The text is for the client. Without a text, the client is told that the message is queued.
inline Fate delivered(PlainText text = {}) { return {Fate::Kind::delivered, text}; }
template <class First, class... Rest>
Fate delivered(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Fate::Kind::delivered, format_text<First, Rest...>(text, first, rest...)};
}
inline Fate deferred(PlainText text = {}) { return {Fate::Kind::deferred, text}; }
inline Fate deferred(const Status& status) { return Fate(Fate::Kind::deferred, status.text).with_status(status.code); }
template <class First, class... Rest>
Fate deferred(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Fate::Kind::deferred, format_text<First, Rest...>(text, first, rest...)};
}
inline Fate rejected(PlainText text = {}) { return {Fate::Kind::rejected, text}; }
inline Fate rejected(const Status& status) { return Fate(Fate::Kind::rejected, status.text).with_status(status.code); }
template <class First, class... Rest>
Fate rejected(PatternFor<First, Rest...> text, const First& first, const Rest&... rest) {
    return {Fate::Kind::rejected, format_text<First, Rest...>(text, first, rest...)};
}
/// The fate that corresponds to a next hop's final reply about a recipient: 2xx is delivered, 5xx is rejected, anything
/// else is deferred.
SMTPD_API Fate replied(Reply reply, std::string server);

}  // namespace smtpd
