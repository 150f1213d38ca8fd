/// delivery_api.cc: the functions of Delivery and its result that are not inline.
#include "engine/transaction_delivery.h"

#include <smtpd/delivery/delivery.h>

#include <iterator>

namespace smtpd {

const std::vector<Recipient>& Delivery::refused_recipients() const noexcept {
    static const std::vector<Recipient> nobody;
    return parts_.refused_recipients ? *parts_.refused_recipients : nobody;
}

bool Delivery::needs_smtputf8() const { return engine::needs_smtputf8(envelope(), recipients(), message()); }

Forwarded Delivery::to_forward() const {
    const Origin& from = origin();
    if (from.forwarded) return *from.forwarded;
    Forwarded out;
    out.name = from.host;
    out.address = from.address;
    out.port = from.port;
    out.protocol = from.protocol == "SMTP" ? "SMTP" : "ESMTP";
    out.helo = from.hello_host;
    out.ident = id();
    return out;
}

std::string Fate::why() const {
    return said_by.empty() || reason.empty() ? said_by + reason : format_text("{}: {}", said_by, reason);
}

std::string Fate::to_string() const {
    static constexpr std::string_view words[] = {"unknown", "delivered", "deferred", "rejected"};
    const auto index = static_cast<std::size_t>(kind);
    std::string out(index < std::size(words) ? words[index] : "impossible");
    if (reply.code != 0) out += format_text(" {}", reply.code);
    if (!reply.enhanced.empty()) out += format_text(" {}", reply.enhanced);
    if (!reply.text.empty()) out += format_text(" {}", reply.text);
    if (!said_by.empty()) out += format_text(" ({})", said_by);
    return out;
}

Fate replied(Reply reply, std::string server) {
    Fate fate;
    const int code_class = reply.code / 100;
    fate.kind = code_class == 2 ? Fate::Kind::delivered : code_class == 5 ? Fate::Kind::rejected : Fate::Kind::deferred;
    fate.reply = std::move(reply);
    if (fate.kind == Fate::Kind::deferred && code_class != 4) fate.reply.code = 0;
    fate.said_by = std::move(server);
    return fate;
}

}  // namespace smtpd
