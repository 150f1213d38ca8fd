/// transaction.h: one mail transaction (RFC 5321 3.3), from MAIL to the final reply, RSET or the end of the session.
#pragma once

#include <smtpd/address.h>
#include <smtpd/authentication_result.h>
#include <smtpd/message.h>
#include <smtpd/notes.h>
#include <smtpd/parameters.h>
#include <smtpd/reply.h>
#include <smtpd/verdict.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// RET= of MAIL (RFC 3461 4.3): what of the message a report about its failure returns.
enum class DsnReturn : std::uint8_t { full, headers };

/// BODY= of MAIL.
enum class BodyType : std::uint8_t {
    seven_bit,       ///< nothing said, or 7BIT
    eight_bit_mime,  ///< 8BITMIME, RFC 6152
    binary_mime      ///< BINARYMIME, RFC 3030: CR, LF and NUL are data, and there are no lines to be relied on
};

/// What became of a recipient once the message was known. There is none as long as nobody is against the recipient.
struct Disposition {
    Verdict verdict = Verdict::deny;  ///< deny: refused for good; denysoft: for now
    Reply reply;                      ///< about this recipient alone: 4xx or 5xx
    std::string plugin;               ///< the instance that said so
    std::string reason;               ///< for the log; may be empty

    bool is_deferred() const noexcept { return verdict == Verdict::denysoft; }
};

/// A recipient that was accepted, or the one that is being decided about.
class Recipient {
public:
    Recipient() = default;
    Recipient(Address address, Parameters parameters) : address_(std::move(address)), parameters_(std::move(parameters)) {}

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
    /// Nothing where the client left it to the server (RFC 3461 4.1: FAILURE, perhaps DELAY). For queue plugins; whoever expands one recipient into
    /// several may change it.
    const std::optional<Notify>& notify() const noexcept { return notify_; }
    void set_notify(std::optional<Notify> notify) noexcept { notify_ = notify; }
    const std::optional<OriginalRecipient>& original_recipient() const noexcept { return original_recipient_; }
    void set_original_recipient(std::optional<OriginalRecipient> original) { original_recipient_ = std::move(original); }
    /// At the rcpt hook, this recipient is exempt from policy plugins; `why` is logged by those that skip. It is no right to be accepted.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }
    /// Refused or deferred after DATA, see MessageHook::refuse(). Nothing: the recipient is to have the message.
    const std::optional<Disposition>& disposition() const noexcept { return disposition_; }
    bool is_turned_away() const noexcept { return disposition_.has_value(); }
    Notes& notes() noexcept { return notes_; }
    const Notes& notes() const noexcept { return notes_; }

    // For the server
    /// The first disposition stays.
    void set_disposition(Disposition disposition) {
        if (!disposition_) disposition_ = std::move(disposition);
    }
    /// Which RCPT it comes from, counted from 1 among those that were accepted. 0: a plugin has added it, and no client waits for its result.
    std::uint32_t rcpt_number() const noexcept { return rcpt_number_; }
    void set_rcpt_number(std::uint32_t number) noexcept { rcpt_number_ = number; }

private:
    Address address_;
    Parameters parameters_;
    std::optional<Notify> notify_;
    std::optional<OriginalRecipient> original_recipient_;
    std::string whitelisted_;
    std::optional<Disposition> disposition_;
    std::uint32_t rcpt_number_ = 0;
    Notes notes_;
};

class SMTPD_API Transaction {
public:
    virtual ~Transaction() = default;

    const std::string& id() const noexcept { return id_; }  ///< "<connection id>-<n>"; also in the Received field and the final reply
    const Address& sender() const noexcept { return sender_; }
    void set_sender(Address sender) { sender_ = std::move(sender); }
    const Parameters& sender_parameters() const noexcept { return sender_parameters_; }
    std::optional<std::uint64_t> declared_size() const noexcept { return declared_size_; }  ///< SIZE=, RFC 1870
    BodyType body_type() const noexcept { return body_type_; }                               ///< BODY=
    bool is_8bitmime() const noexcept { return body_type_ == BodyType::eight_bit_mime; }
    bool is_binarymime() const noexcept { return body_type_ == BodyType::binary_mime; }
    /// SMTPUTF8 (RFC 6531): addresses and header fields may be UTF-8. Those of the client are valid UTF-8 then.
    bool is_smtputf8() const noexcept { return smtputf8_; }
    /// Whether they are: then a next hop must know SMTPUTF8 too, or the message be refused for it with 5.6.7 or 5.6.9 (RFC 6531 3.2). Looks at the
    /// header block, so once it has arrived; always false without is_smtputf8(), whose messages go as they came.
    bool needs_smtputf8() const;
    /// REQUIRETLS (RFC 8689): to be handed on over verified TLS to servers that know REQUIRETLS, and else refused with 5.7.30.
    bool requires_tls() const noexcept { return requires_tls_; }
    /// PRDR: after the message the client wants a reply for each recipient; see MessageHook::has_reply_for_each().
    bool is_prdr() const noexcept { return prdr_; }
    /// MT-PRIORITY= (RFC 6710), -9 to 9, lowered to 0 where the client may not ask for more; nothing without the parameter, which is 0. A plugin may change
    /// it; the client is told so when the message is queued.
    std::optional<int> priority() const noexcept { return priority_; }
    void set_priority(int priority) noexcept { priority_ = priority; }
    std::optional<DsnReturn> dsn_return() const noexcept { return dsn_return_; }              ///< RET=
    const std::optional<std::string>& envelope_id() const noexcept { return envelope_id_; }  ///< ENVID= (RFC 3461 4.4), decoded: printable ASCII
    /// AUTH= (RFC 4954 5): who submitted the message first; the null address where the client does not say, or is not authenticated and so not
    /// believed. Nothing without the parameter.
    const std::optional<Address>& submitter() const noexcept { return submitter_; }

    /// Those that are to have the message: a queue plugin delivers to all of them, and to nobody else. Whom an earlier handler has refused is not among them.
    std::vector<Recipient>& recipients() noexcept { return recipients_; }
    const std::vector<Recipient>& recipients() const noexcept { return recipients_; }
    /// Those that were refused or deferred after DATA, each with its disposition(), in the order of RCPT.
    const std::vector<Recipient>& turned_away() const noexcept { return turned_away_; }

    /// The message; from DATA on. Its header fields may be edited until it is queued.
    virtual Message& message() = 0;
    virtual const Message& message() const = 0;

    /// The sender is exempt from policy plugins; `why` is logged by those that skip.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }

    Notes& notes() noexcept { return notes_; }
    const Notes& notes() const noexcept { return notes_; }
    /// Results about the sender and the message. Findings add to it; plugins read HookContext::results(), which has those
    /// about the client as well.
    const AuthenticationResults& authentication_results() const noexcept { return authentication_results_; }
    AuthenticationResults& authentication_results() noexcept { return authentication_results_; }

    /// For the server, behind each handler: those that it has refused go from recipients() to turned_away().
    void set_aside();

protected:
    std::string id_;
    Address sender_;
    Parameters sender_parameters_;
    std::optional<std::uint64_t> declared_size_;
    BodyType body_type_ = BodyType::seven_bit;
    bool smtputf8_ = false;
    bool requires_tls_ = false;
    bool prdr_ = false;
    std::optional<int> priority_;
    std::optional<DsnReturn> dsn_return_;
    std::optional<std::string> envelope_id_;
    std::optional<Address> submitter_;
    std::vector<Recipient> recipients_;
    std::vector<Recipient> turned_away_;
    std::string whitelisted_;
    Notes notes_;
    AuthenticationResults authentication_results_;
};

}  // namespace smtpd
