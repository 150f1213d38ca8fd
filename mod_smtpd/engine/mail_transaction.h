/// mail_transaction.h: the engine's side of a Transaction: what plugins may read there is written here.
#pragma once

#include <smtpd/transaction.h>

#include "message/stored_message.h"

#include <optional>

namespace smtpd::engine {

class MailTransaction final : public Transaction {
public:
    MailTransaction(std::string id, const message::SpoolSettings& spool) : spool_(spool) {
        id_ = std::move(id);
        begin_message();
    }

    Message& message() override { return *message_; }
    const Message& message() const override { return *message_; }
    message::StoredMessage& stored() noexcept { return *message_; }
    /// DATA: whatever was there before is forgotten.
    void begin_message() { message_.emplace(spool_); }

    void set_parameters(Parameters parameters) { sender_parameters_ = std::move(parameters); }
    void set_declared_size(std::uint64_t octets) noexcept { declared_size_ = octets; }
    void set_8bitmime() noexcept { eight_bit_mime_ = true; }
    void set_submitter(Address address) { submitter_ = std::move(address); }

private:
    const message::SpoolSettings& spool_;
    std::optional<message::StoredMessage> message_;
};

}  // namespace smtpd::engine
