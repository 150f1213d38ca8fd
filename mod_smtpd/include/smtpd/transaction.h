/// transaction.h: one mail transaction (RFC 5321 3.3), from MAIL to the final reply, RSET or the end of the session.
#pragma once

#include <smtpd/address.h>
#include <smtpd/message.h>
#include <smtpd/notes.h>
#include <smtpd/parameters.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

/// A recipient that was accepted, or the one that is being decided about.
class Recipient {
public:
    Recipient() = default;
    Recipient(Address address, Parameters parameters) : address_(std::move(address)), parameters_(std::move(parameters)) {}

    const Address& address() const noexcept { return address_; }
    void set_address(Address address) { address_ = std::move(address); }  ///< rewriting; before or after acceptance
    const Parameters& parameters() const noexcept { return parameters_; }
    /// At the rcpt hook, this recipient is exempt from policy plugins; `why` is logged by those that skip. It is no right to be accepted.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }
    Notes& notes() noexcept { return notes_; }
    const Notes& notes() const noexcept { return notes_; }

private:
    Address address_;
    Parameters parameters_;
    std::string whitelisted_;
    Notes notes_;
};

class Transaction {
public:
    virtual ~Transaction() = default;

    const std::string& id() const noexcept { return id_; }  ///< "<connection id>-<n>"; also in the Received field and the final reply
    const Address& sender() const noexcept { return sender_; }
    void set_sender(Address sender) { sender_ = std::move(sender); }
    const Parameters& sender_parameters() const noexcept { return sender_parameters_; }
    std::optional<std::uint64_t> declared_size() const noexcept { return declared_size_; }  ///< SIZE=, RFC 1870
    bool is_8bitmime() const noexcept { return eight_bit_mime_; }                            ///< BODY=8BITMIME, RFC 6152
    /// AUTH= (RFC 4954 5): who submitted the message first; the null address where the client does not say, or is not authenticated and so not
    /// believed. Nothing without the parameter.
    const std::optional<Address>& submitter() const noexcept { return submitter_; }

    std::vector<Recipient>& recipients() noexcept { return recipients_; }
    const std::vector<Recipient>& recipients() const noexcept { return recipients_; }

    /// The message; from DATA on. Its header fields may be edited until it is queued.
    virtual Message& message() = 0;
    virtual const Message& message() const = 0;

    /// The sender is exempt from policy plugins; `why` is logged by those that skip.
    void set_whitelisted(std::string why) { whitelisted_ = std::move(why); }
    const std::string& whitelisted() const noexcept { return whitelisted_; }

    Notes& notes() noexcept { return notes_; }
    const Notes& notes() const noexcept { return notes_; }
    /// Entries of the Authentication-Results field, in the order in which they were found (RFC 8601).
    std::vector<std::string>& authentication_results() noexcept { return authentication_results_; }

protected:
    std::string id_;
    Address sender_;
    Parameters sender_parameters_;
    std::optional<std::uint64_t> declared_size_;
    bool eight_bit_mime_ = false;
    std::optional<Address> submitter_;
    std::vector<Recipient> recipients_;
    std::string whitelisted_;
    Notes notes_;
    std::vector<std::string> authentication_results_;
};

}  // namespace smtpd
