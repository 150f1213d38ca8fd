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
#include <smtpd/base/status.h>
#include <smtpd/delivery/fate.h>
#include <smtpd/recipient.h>

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace smtpd {

/// What a queue plugin returns. A result made from a Fate applies to all recipients.
class SMTPD_API DeliveryResult {
public:
    /// No fate is known yet: the plugin sets one for each recipient.
    DeliveryResult() = default;
    DeliveryResult(Fate for_all) : for_all_(std::move(for_all)) {}
    DeliveryResult(const Status& status) : for_all_(Fate(status)) {}

    /// `recipient` is one of Delivery::recipients(). Its fate is initially the one for all.
    Fate& operator[](const Recipient& recipient) { return apart_.try_emplace(&recipient, for_all_).first->second; }
    const Fate& of(const Recipient& recipient) const noexcept {
        const auto own = apart_.find(&recipient);
        return own == apart_.end() ? for_all_ : own->second;
    }
    /// The fate of recipients without a fate of their own.
    const Fate& for_all() const noexcept { return for_all_; }
    bool has_own(const Recipient& recipient) const noexcept { return apart_.contains(&recipient); }
    /// How many recipients have a fate of their own.
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
