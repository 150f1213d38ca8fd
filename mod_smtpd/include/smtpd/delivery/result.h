/// result.h: what became of a delivery: a fate for each recipient.
///
///     return delivered();  // to all recipients
///     return deferred("Cannot store the message now").with_code(451).because("{}", error.what);
///     return not_mine();   // leave the message to the next queue plugin
///
///     DeliveryResult result = delivered();  // for the recipients without a fate of their own
///     result[recipient] = deferred(status::mbox_full).because("{}", error.what);
///     result[other] = replied({550, {5, 1, 1}, "No such user"}, "mx.example.net");  // in the words of the next hop
///
/// `delivered` means that the message is safe for that recipient: it is on stable storage, or the next hop has accepted
/// it. A recipient that is deferred or rejected does not have the message.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/format.h>
#include <smtpd/base/reply.h>
#include <smtpd/base/status.h>
#include <smtpd/recipient.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace smtpd {

/// What became of the message for one recipient.
struct Fate {
    enum class Kind : std::uint8_t {
        unknown,    ///< the plugin has not said: counts as deferred, and as a fault of the plugin
        delivered,  ///< the recipient has the message
        deferred,   ///< the client or the queue is to try again later
        rejected    ///< the message cannot be delivered; the sender is to be told
    };

    Kind kind = Kind::unknown;
    /// For the client, or for the report to the sender. Parts may be left out (code 0, an empty status, an empty text):
    /// the server fills them in. The class of the code must fit the kind: 2, 4 or 5.
    Reply reply;
    std::string reason;   ///< for the log only; may be empty
    std::string said_by;  ///< the server that gave the reply: "mx.example.net"; "" = the plugin itself

    Fate() = default;
    Fate(Kind with, std::string_view text) : kind(with), reply{0, {}, std::string(text)} {}
    /// A named status of RFC 3463 with its usual text; deferred or rejected.
    Fate(const Status& status)
        : kind(status.soft ? Kind::deferred : Kind::rejected), reply{0, status.code, status.text} {}

    bool is_delivered() const noexcept { return kind == Kind::delivered; }
    bool is_rejected() const noexcept { return kind == Kind::rejected; }

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
/// The fate that a next hop's final reply about a recipient means: 2xx is delivered, 5xx is rejected, everything else
/// is deferred.
SMTPD_API Fate replied(Reply reply, std::string server);

/// What a queue plugin returns. A result that is made from a Fate applies to all recipients.
class SMTPD_API DeliveryResult {
public:
    /// No fate is known yet: the plugin sets one for each recipient.
    DeliveryResult() = default;
    DeliveryResult(Fate for_all) : for_all_(std::move(for_all)) {}
    DeliveryResult(const Status& status) : for_all_(Fate(status)) {}

    /// The recipient is one of Delivery::recipients(). Its fate starts as the one for all.
    Fate& operator[](const Recipient& recipient) { return apart_.try_emplace(&recipient, for_all_).first->second; }
    const Fate& of(const Recipient& recipient) const noexcept {
        const auto own = apart_.find(&recipient);
        return own == apart_.end() ? for_all_ : own->second;
    }
    /// The fate of the recipients for which none was set.
    const Fate& for_all() const noexcept { return for_all_; }
    bool has_own(const Recipient& recipient) const noexcept { return apart_.contains(&recipient); }
    /// For how many recipients a fate was set.
    std::size_t count_own() const noexcept { return apart_.size(); }

    /// The plugin has left the message to the next one: see not_mine().
    bool is_declined() const noexcept { return is_declined_; }

private:
    friend DeliveryResult not_mine();

    Fate for_all_;
    std::unordered_map<const Recipient*, Fate> apart_;
    bool is_declined_ = false;
};

/// The plugin does not deliver this message to any recipient. The next queue plugin is asked.
inline DeliveryResult not_mine() {
    DeliveryResult result;
    result.is_declined_ = true;
    return result;
}

}  // namespace smtpd
