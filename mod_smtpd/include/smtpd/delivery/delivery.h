/// delivery.h: a message for a queue plugin to deliver: everything that a next hop needs, and nothing of the connection
/// that brought the message.
///
///     setup.hooks.queue.deliver([this](const Delivery& delivery) -> DeliveryResult {
///         auto file = maildir_.store(delivery.id(), delivery.envelope().sender, delivery.message());
///         if (!file) return deferred("Cannot store the message now").because("{}", file.error().what);
///         return delivered();
///     });
///
/// The server makes a Delivery from a transaction when the message has passed all other hooks, while the client waits
/// for the reply. It can also make one from a file, long after the client has gone. A queue plugin does not notice the
/// difference. As the argument of a hook, a Delivery has a log, a deadline, a clock and the answers to questions
/// (smtpd/hook/context.h).
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/delivery/origin.h>
#include <smtpd/delivery/result.h>
#include <smtpd/envelope.h>
#include <smtpd/hook/context.h>
#include <smtpd/message.h>
#include <smtpd/recipient.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

class SMTPD_API Delivery : public HookContext {
public:
    /// The parts of a delivery. The objects referred to must outlive it and stay in place.
    struct Parts {
        std::string_view id;
        const Envelope& envelope;
        const std::vector<Recipient>& recipients;
        const Message& message;
        Origin origin{};
        bool replies_to_each = false;
        bool is_dry_run = false;
        std::string_view session{};  ///< id of the session, for the log; "" = the message comes from a queue
        const std::vector<Recipient>* refused_recipients = nullptr;
    };
    Delivery(Parts parts, const Clock& clock, LogSink& log)
        : HookContext(HookId::queue, clock, log), parts_(std::move(parts)), result_(not_mine()) {}
    virtual ~Delivery() = default;

    /// Names the message in the logs and in the Received field of this server. All attempts to deliver a message have
    /// the same id.
    std::string_view id() const noexcept { return parts_.id; }
    const Envelope& envelope() const noexcept { return parts_.envelope; }
    /// The recipients that the message is for. The plugin delivers to all of them and to no other address.
    const std::vector<Recipient>& recipients() const noexcept { return parts_.recipients; }
    /// write_to() gives the message with all edits of its header fields, with the server's Received field on top.
    const Message& message() const noexcept { return parts_.message; }
    /// Where the message came from.
    const Origin& origin() const noexcept { return parts_.origin; }
    /// Whether the client (LMTP, PRDR) or the queue that waits for the result learns the fate of each recipient. If
    /// not, the client gets one reply for all recipients, and if that reply is temporary, the client sends the message
    /// to all of them again. A plugin that could deliver to some of the recipients only should then deliver to none.
    bool replies_to_each() const noexcept { return parts_.replies_to_each; }
    /// The recipients that a plugin refused or deferred after DATA, each with its fate(). The plugin does not
    /// deliver to them.
    const std::vector<Recipient>& refused_recipients() const noexcept;
    /// See Connection::is_dry_run().
    bool is_dry_run() const noexcept { return parts_.is_dry_run; }

    /// Whether an address or a header field is UTF-8. If so, the next hop must support SMTPUTF8; otherwise the plugin
    /// rejects the message with 5.6.7 or 5.6.9 (RFC 6531 3.2). Always false without envelope().is_smtputf8: such
    /// messages are passed on as they came.
    bool needs_smtputf8() const;
    /// What XFORWARD may tell the next hop: what a trusted mail server told this server about the origin, otherwise
    /// what is known about the client.
    Forwarded to_forward() const;

protected:
    /// Takes the result of a plugin. Each recipient has a fate in it.
    virtual void conclude(DeliveryResult result) { result_ = std::move(result); }

private:
    friend struct ServerAccess;

    LogSubject log_subject() const noexcept final { return {parts_.session, parts_.id, parts_.origin.address}; }
    Connection* session() const noexcept override { return nullptr; }

    const Parts parts_;
    DeliveryResult result_;
};

}  // namespace smtpd
