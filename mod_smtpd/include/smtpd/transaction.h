/// transaction.h: one mail transaction (RFC 5321 3.3), from MAIL to the final reply, RSET or the end of the session.
#pragma once

#include <smtpd/authentication_result.h>
#include <smtpd/base/address.h>
#include <smtpd/envelope.h>
#include <smtpd/message.h>
#include <smtpd/notes.h>
#include <smtpd/recipient.h>

#include <string>
#include <utility>
#include <vector>

namespace smtpd {

class SMTPD_API Transaction {
public:
    virtual ~Transaction() = default;

    const std::string& id() const noexcept {
        return id_;
    }  ///< "<connection id>-<n>"; also in the Received field and the final reply
    /// The parameters of MAIL.
    const Envelope& envelope() const noexcept { return envelope_; }
    const Address& sender() const noexcept { return envelope_.sender; }
    void set_sender(Address sender) { envelope_.sender = std::move(sender); }
    /// From -9 to 9. If it differs from the client's request, the reply after the message says so.
    void set_priority(int priority) noexcept { envelope_.priority = priority; }
    /// PRDR: the client wants a reply for each recipient after the message; see Delivery::replies_to_each().
    bool is_prdr() const noexcept { return prdr_; }

    /// The recipients of the message: a queue plugin delivers to all of them and to no other address. Recipients that
    /// an earlier handler refused are not among them.
    std::vector<Recipient>& recipients() noexcept { return recipients_; }
    const std::vector<Recipient>& recipients() const noexcept { return recipients_; }
    /// The recipients that were rejected or deferred after DATA, each with its fate(), in the order of RCPT.
    const std::vector<Recipient>& refused_recipients() const noexcept { return refused_recipients_; }

    /// The message, from DATA on. Its header fields may be edited until it is queued.
    virtual Message& message() = 0;
    virtual const Message& message() const = 0;

    /// Exempts the sender from policy plugins; those that skip it log `why`.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }

    Notes& notes() noexcept { return notes_; }
    const Notes& notes() const noexcept { return notes_; }
    /// Results about the sender and the message. Findings add to them; plugins read SessionContext::results(), which
    /// also has those about the client.
    const AuthenticationResults& authentication_results() const noexcept { return authentication_results_; }

protected:
    friend struct ServerAccess;

    std::string id_;
    Envelope envelope_;
    bool prdr_ = false;
    std::vector<Recipient> recipients_;
    std::vector<Recipient> refused_recipients_;
    std::string whitelisted_;
    Notes notes_;
    AuthenticationResults authentication_results_;
};

}  // namespace smtpd
