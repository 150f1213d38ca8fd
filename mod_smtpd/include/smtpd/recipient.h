/// recipient.h: one recipient of a message (RFC 5321 3.3): what the RCPT command said, and what became of the
/// recipient.
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

/// NOTIFY= of RCPT (RFC 3461 4.1): of what the sender wants to be told. All false: NEVER.
struct Notify {
    bool success = false;
    bool failure = false;
    bool delay = false;
    constexpr bool is_never() const noexcept { return !success && !failure && !delay; }
    constexpr bool operator==(const Notify&) const = default;
};

/// ORCPT= of RCPT (RFC 3461 4.2, RFC 6533 3), decoded.
struct OriginalRecipient {
    std::string type;     ///< "rfc822" or "utf-8" in nearly all cases; as written
    std::string address;  ///< printable ASCII; UTF-8 where the type is utf-8
};

/// A recipient that was accepted, or the one that is being decided about.
class Recipient {
public:
    Recipient() = default;
    Recipient(Address address, Parameters parameters)
        : address_(std::move(address)), parameters_(std::move(parameters)) {}

    /// For an alias: another one in the place of this, with what the client said of it, but without its notes.
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
    /// Nothing where the client left it to the server (RFC 3461 4.1: FAILURE, perhaps DELAY). For queue plugins;
    /// whoever expands one recipient into several may change it.
    const std::optional<Notify>& notify() const noexcept { return notify_; }
    void set_notify(std::optional<Notify> notify) noexcept { notify_ = notify; }
    const std::optional<OriginalRecipient>& original_recipient() const noexcept { return original_recipient_; }
    void set_original_recipient(std::optional<OriginalRecipient> original) {
        original_recipient_ = std::move(original);
    }
    /// At the rcpt hook, this recipient is exempt from policy plugins; `why` is logged by those that skip. It is no
    /// right to be accepted.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }
    /// What became of the message for this recipient. Unknown until a plugin has refused the recipient after DATA
    /// (DataPostHook::refuse(), data_post_rcpt) or the queue plugin has delivered the message to it.
    const Fate& fate() const noexcept { return fate_; }
    /// Which RCPT it comes from, counted from 1 among those that were accepted. 0: a plugin has added it, and no client
    /// waits for its result.
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
