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
    const message::StoredMessage& stored() const noexcept { return *message_; }
    /// DATA: whatever was there before is forgotten.
    void begin_message() { message_.emplace(spool_); }

    void set_parameters(Parameters parameters) { sender_parameters_ = std::move(parameters); }
    void set_declared_size(std::uint64_t octets) noexcept { declared_size_ = octets; }
    void set_body_type(BodyType type) noexcept { body_type_ = type; }
    void set_smtputf8() noexcept { smtputf8_ = true; }
    void set_requires_tls() noexcept { requires_tls_ = true; }
    void set_dsn_return(DsnReturn what) noexcept { dsn_return_ = what; }
    void set_envelope_id(std::string id) { envelope_id_ = std::move(id); }
    void set_submitter(Address address) { submitter_ = std::move(address); }

private:
    const message::SpoolSettings& spool_;
    std::optional<message::StoredMessage> message_;
};

}  // namespace smtpd::engine
