/// rcpt_ok: accept recipients in our own domains, reject all others.
///
/// This plugin runs last at the rcpt hook, whatever the order of the configuration. If no other plugin has said `ok` to
/// a recipient or refused it, this plugin decides: it accepts recipients in our domains and rejects all others. A
/// client that may relay (see the relay plugin) may send to any address. Whitelisted clients and senders are exempt
/// from tests, but may not relay.
///
/// ## Our domains
///
/// Our recipients are those at
///
/// - the name of this server (`me`, else httpd's ServerName);
/// - the domains in the control file `rcpthosts`: `example.com`, or `.example.com` for all domains below it;
/// - the keys of `morercpthosts.cdb`, in the same two forms, in lower case;
/// - an address literal with the address at which the client reached us (`postmaster@[192.0.2.1]`);
/// - `postmaster` without a domain (RFC 5321 4.5.1).
///
/// Case does not matter. The two forms of a non-ASCII domain, `bücher.example` and `xn--bcher-kva.example`, are
/// equivalent. The plugin reads the files again when they change.
///
/// ## Replies
///
/// `550 5.7.1 Relaying denied`.
///
/// ## Differences from qpsmtpd
///
/// In qpsmtpd a whitelisted host or sender may relay, so every client that knows a listed sender may relay. qpsmtpd
/// accepts any recipient without a host; this plugin accepts only postmaster. `morercpthosts.cdb` works without a plain
/// file of that name beside it.
#include <smtpd/base/domain.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class RcptOk final : public Plugin {
public:
    explicit RcptOk(Setup& setup)
        : domains_(setup.control().domains("rcpthosts")), more_domains_(setup.control().cdb("morercpthosts")) {
        setup.uses({FileUse::Kind::own_domains, "rcpthosts"});
        setup.hooks.rcpt.add(Priority::last, [this](const RcptHook& hook) { return respond(hook); });
    }

private:
    Response respond(const RcptHook& hook) const {
        const Connection& connection = hook.connection;
        if (connection.is_relay_client() || is_ours(hook.recipient.address(), connection)) return ok();
        hook.log(LogLevel::info, "fail: relaying denied to {}", quoted(hook.recipient.address().to_string()));
        return Response(status::relaying_denied);
    }

    bool is_ours(const Address& recipient, const Connection& connection) const {
        if (!recipient.has_domain()) return recipient.key() == "postmaster";
        if (const auto ip = recipient.literal_ip()) return *ip == connection.local().address;
        const std::string domain = recipient.domain_key();
        return is_same_domain(domain, connection.server_name()) || domains_->contains(domain) || is_in_cdb(domain);
    }

    /// A cdb may have any spelling of a domain.
    bool is_in_cdb(const std::string& domain) const {
        const auto keys = more_domains_.get();
        return is_in(*keys, domain) || is_in(*keys, unicode_domain(domain));
    }

    /// The domain itself, then `.parent` for each of its parents.
    static bool is_in(const Cdb& keys, const std::string& domain) {
        if (keys.empty()) return false;
        if (keys.find(domain)) return true;
        for (auto dot = domain.find('.'); dot != std::string::npos; dot = domain.find('.', dot + 1))
            if (keys.find(std::string_view(domain).substr(dot))) return true;
        return false;
    }

    Watched<DomainList> domains_;
    Watched<Cdb> more_domains_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("rcpt_ok", smtpd::plugins::RcptOk);
