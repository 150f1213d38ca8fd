/// exemption.cc: why policy plugins skip a client.
#include <smtpd/exemption.h>
#include <smtpd/hooks.h>

namespace smtpd {

std::string Exemption::to_string() const {
    switch (kind) {
        case Kind::relay_client: return "relay client";
        case Kind::host: return "whitelisted host: " + std::string(why);
        case Kind::sender: return "whitelisted sender: " + std::string(why);
        case Kind::recipient: return "whitelisted recipient: " + std::string(why);
    }
    return {};
}

std::optional<Exemption> SessionContext::exemption() const noexcept {
    if (connection.is_relay_client()) return Exemption{Exemption::Kind::relay_client, {}};
    return whitelisting();
}

std::optional<Exemption> SessionContext::whitelisting() const noexcept {
    using Kind = Exemption::Kind;
    if (!connection.whitelisted().empty()) return Exemption{Kind::host, connection.whitelisted()};
    const Recipient* const recipient = recipient_or_null();
    if (recipient && !recipient->whitelisted().empty()) return Exemption{Kind::recipient, recipient->whitelisted()};
    const Transaction* const transaction = transaction_or_null();
    if (transaction && !transaction->whitelisted().empty()) return Exemption{Kind::sender, transaction->whitelisted()};
    return std::nullopt;
}

}  // namespace smtpd
