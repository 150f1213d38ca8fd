/// mail_transaction.h: the engine's side of a Transaction: writes what plugins may read.
#pragma once

#include <smtpd/transaction.h>

#include "engine/server_access.h"
#include "message/stored_message.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::engine {

class MailTransaction : public Transaction {
public:
    MailTransaction(std::string id, const message::SpoolSettings& spool) : spool_(spool) {
        id_ = std::move(id);
        begin_message();
    }

    Message& message() override { return *message_; }
    const Message& message() const override { return *message_; }
    message::StoredMessage& stored() noexcept { return *message_; }
    const message::StoredMessage& stored() const noexcept { return *message_; }
    /// DATA: discards an earlier message.
    void begin_message() { message_.emplace(spool_); }

    /// RCPT is accepted: `path` is what the client sent, `recipient` what plugins made of it.
    void add_recipient(std::string path, Recipient recipient) {
        rcpt_paths_.push_back(std::move(path));
        ServerAccess::set_rcpt_number(recipient, rcpt_count());
        recipients_.push_back(std::move(recipient));
    }
    /// How many RCPT commands were accepted, however plugins have changed the list of recipients since.
    std::uint32_t rcpt_count() const noexcept { return static_cast<std::uint32_t>(rcpt_paths_.size()); }
    /// The path in one of them, counted from 1: "<user@example.com>"; "" if it is not ASCII, because replies must be.
    const std::string& rcpt_path(std::uint32_t number) const noexcept { return rcpt_paths_[number - 1]; }
    /// Plugins have refused all recipients.
    bool is_without_recipients() const noexcept { return recipients_.empty() && !refused_recipients_.empty(); }

    using Transaction::envelope;
    Envelope& envelope() noexcept { return envelope_; }
    void set_prdr() noexcept { prdr_ = true; }

private:
    const message::SpoolSettings& spool_;
    std::vector<std::string> rcpt_paths_;
    std::optional<message::StoredMessage> message_;
};

}  // namespace smtpd::engine
