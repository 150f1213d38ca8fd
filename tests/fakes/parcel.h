/// parcel.h: a message to deliver that no session has brought, as if from a queue: made from a file, an envelope and
/// recipients.
///
///     Parcel parcel(Parcel::file("mail.eml"));
///     parcel.envelope.sender = Parcel::address("sender@example.net");
///     parcel.to("a@example.com").to("b@example.com");
///     const DeliveryResult result = plugin.deliver(parcel);                     // a PluginUnderTest
///     CPPUNIT_ASSERT_EQUAL(std::string("a@example.com: delivered, b@example.com: deferred 451 Later"),
///                          parcel.fates(result));
#pragma once

#include "message/stored_message.h"

#include <smtpd/base/clock.h>
#include <smtpd/base/files.h>
#include <smtpd/base/log.h>
#include <smtpd/delivery/delivery.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::fakes {

class Parcel {
public:
    /// The whole message, lines ended by CRLF.
    explicit Parcel(std::string_view message) : message_(spool_) {
        spool_.threshold = ~std::uint64_t(0);
        if (!message_.append(message) || !message_.finish()) throw std::runtime_error("the message cannot be kept");
    }
    Parcel(const Parcel&) = delete;
    Parcel& operator=(const Parcel&) = delete;

    /// The content of a file.
    static std::string file(const std::string& path) {
        auto content = read_file(path, 1 << 24);
        if (!content) throw std::runtime_error(content.error().what);
        return *content;
    }
    /// "" is the null address; "postmaster" needs no domain.
    static Address address(std::string_view mailbox) {
        if (mailbox.empty()) return {};
        if (mailbox.find('@') == std::string_view::npos) return Address::from_parts(std::string(mailbox), {});
        auto parsed = Address::parse(mailbox, {.smtputf8 = true});
        if (!parsed) throw std::runtime_error("no address: " + std::string(mailbox));
        return *parsed;
    }

    std::string id = "parcel-1";
    Envelope envelope;
    std::vector<Recipient> recipients;
    std::vector<Recipient> refused_recipients;
    Origin origin;
    bool replies_to_each = true;
    bool is_dry_run = false;

    /// Adds a recipient.
    Parcel& to(std::string_view mailbox) {
        recipients.emplace_back(address(mailbox), Parameters());
        return *this;
    }
    Message& message() noexcept { return message_; }

    /// The argument for a queue plugin. The parcel must outlive it, and must not change meanwhile.
    Delivery delivery(const Clock& clock, LogSink& log) const {
        return Delivery({.id = id,
                         .envelope = envelope,
                         .recipients = recipients,
                         .message = message_,
                         .origin = origin,
                         .replies_to_each = replies_to_each,
                         .is_dry_run = is_dry_run,
                         .refused_recipients = &refused_recipients},
                        clock, log);
    }
    /// "a@example.com: delivered, b@example.com: deferred 452 4.2.2 Mailbox full"; "not mine" if no plugin has taken
    /// it.
    std::string fates(const DeliveryResult& result) const {
        if (result.is_declined()) return "not mine";
        std::string out;
        for (const auto& recipient : recipients)
            out += (out.empty() ? "" : ", ") + recipient.address().to_string() + ": " +
                   result.of(recipient).to_string();
        return out;
    }

private:
    message::SpoolSettings spool_;
    message::StoredMessage message_;
};

}  // namespace smtpd::fakes
