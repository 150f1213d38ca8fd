/// recipient.h: one recipient of a message (RFC 5321 3.3): the parameters of its RCPT command, and its fate.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/parameters.h>
#include <smtpd/delivery/fate.h>
#include <smtpd/notes.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace smtpd {

/// NOTIFY= of RCPT (RFC 3461 4.1): the events that the sender wants to be told. All false: NEVER.
struct Notify {
    bool success = false;
    bool failure = false;
    bool delay = false;
    constexpr bool is_never() const noexcept { return !success && !failure && !delay; }
    constexpr bool operator==(const Notify&) const = default;
};

/// ORCPT= of RCPT (RFC 3461 4.2, RFC 6533 3), decoded.
struct OriginalRecipient {
    std::string type;     ///< nearly always "rfc822" or "utf-8"; as written
    std::string address;  ///< printable ASCII; UTF-8 if the type is utf-8
};

/// An accepted recipient, or the recipient of the current hook.
class Recipient {
public:
    Recipient() = default;
    Recipient(Address address, Parameters parameters)
        : address_(std::move(address)), parameters_(std::move(parameters)) {}

    /// For an alias: a recipient with another address but the same RCPT parameters; notes are not copied.
    Recipient with_address(Address address) const {
        Recipient out(std::move(address), parameters_);
        out.notify_ = notify_;
        out.original_recipient_ = original_recipient_;
        out.rcpt_number_ = rcpt_number_;
        return out;
    }

    const Address& address() const noexcept { return address_; }
    void set_address(Address address) { address_ = std::move(address); }  ///< rewriting; before or after acceptance
    const Parameters& parameters() const noexcept { return parameters_; }
    /// Nothing if the client left the choice to the server (RFC 3461 4.1: FAILURE, perhaps DELAY). For queue plugins. A
    /// plugin that expands one recipient into several may change it.
    const std::optional<Notify>& notify() const noexcept { return notify_; }
    void set_notify(std::optional<Notify> notify) noexcept { notify_ = notify; }
    const std::optional<OriginalRecipient>& original_recipient() const noexcept { return original_recipient_; }
    void set_original_recipient(std::optional<OriginalRecipient> original) {
        original_recipient_ = std::move(original);
    }
    /// At the rcpt hook, exempts this recipient from policy plugins; those that skip it log `why`. The recipient is not
    /// thereby accepted.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }
    /// The fate of the message for this recipient. Unknown until a plugin refuses the recipient after DATA
    /// (DataPostHook::refuse(), data_post_rcpt) or the queue plugin returns its result.
    const Fate& fate() const noexcept { return fate_; }
    /// The number of its RCPT command, counted from 1 among the accepted ones. 0: a plugin added the recipient, so no
    /// client waits for its result.
    std::uint32_t rcpt_number() const noexcept { return rcpt_number_; }
    Notes& notes() noexcept { return notes_; }
    const Notes& notes() const noexcept { return notes_; }

private:
    friend struct ServerAccess;

    Address address_;
    Parameters parameters_;
    std::optional<Notify> notify_;
    std::optional<OriginalRecipient> original_recipient_;
    std::string whitelisted_;
    Fate fate_;
    std::uint32_t rcpt_number_ = 0;
    Notes notes_;
};

}  // namespace smtpd
