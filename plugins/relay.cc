/// relay: let listed clients send mail to any address.
///
/// The plugin looks up the client's address when the server accepts the connection, before all other plugins run. A
/// client that may relay is therefore exempt from every policy plugin at once, and does not wait for earlytalker.
/// rcpt_ok uses the decision. Only listed clients may relay. Even this machine must be listed.
///
/// ## Control files
///
/// The plugin reads `norelayclients` first: a match forbids relaying. A match in `relayclients` or
/// `morerelayclients.cdb` permits it. Each line has one entry:
///
///     192.0.2.1              one address
///     192.0.2.0/24           a network; 2001:db8::/32
///     192.0.2.               a prefix as qmail writes it, at whole parts; 2001:db8:
///     127.0.0.1              this machine, if it may relay
///     ::1
///
/// The keys of `morerelayclients.cdb` are addresses, and prefixes as qmail writes them. An IPv6 key is an address in
/// its short form, or a prefix of the long form (`2001:0db8:0000:`) in lower case. The plugin reads the files again
/// when they change.
///
/// ## Only relaying
///
/// With `only`, the server accepts mail from listed clients only: at the rcpt hook the plugin accepts every recipient
/// of a listed client, and rejects every recipient of any other client with `550 5.7.1 Relaying denied`. Use it for a
/// submission service inside a network.
///
/// ## Differences from qpsmtpd
///
/// A network includes its first and last address, so `/32` and `/128` work. Host bits that are set in a network are
/// ignored. IPv6 addresses are compared as numbers, not as text. The loopback address is not exempt unless it is
/// listed. httpd connections have no environment variables, so the plugin does not look at RELAYCLIENT: list the
/// address, or use a separate virtual host with `relayclients`.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class Relay final : public Plugin {
public:
    struct Options {
        bool only = false;

        static OptionTable table() {
            return {option("only", &Options::only, "reject all recipients of clients that may not relay").flag()};
        }
    };

    Relay(Setup& setup, const Options& options)
        : forbidden_(setup.control().networks("norelayclients")),
          permitted_(setup.control().networks("relayclients")),
          more_permitted_(setup.control().cdb("morerelayclients")) {
        setup.uses({FileUse::Kind::relay_networks, "relayclients"});
        setup.hooks.pre_connection.observe(Priority::first, [this](const PreConnectionHook& hook) { look_up(hook); });
        if (options.only)
            setup.hooks.rcpt.add([](const RcptHook& hook) {
                return hook.connection.is_relay_client() ? ok() : Response(status::relaying_denied);
            });
    }

private:
    void look_up(const PreConnectionHook& hook) const {
        const IpAddress& client = hook.connection.address();
        if (const auto list = forbidden_.get(); const auto* entry = list->find(client)) {
            hook.connection.set_relay_client(false);
            hook.log(LogLevel::info, "skip, {} must not relay: {}", client, quoted(entry->pattern));
        } else if (may_relay(client)) {
            hook.connection.set_relay_client(true);
            hook.log(LogLevel::info, "pass, {} may relay", client);
        }
    }

    bool may_relay(const IpAddress& client) const {
        return permitted_->find(client) != nullptr || is_key(*more_permitted_.get(), client);
    }

    static bool is_key(const Cdb& keys, const IpAddress& client) {
        if (keys.empty()) return false;
        if (keys.find(client.to_string())) return true;
        const std::string text = client.is_v4() ? client.to_string() : long_form(client);
        const char separator = client.is_v4() ? '.' : ':';
        if (keys.find(text)) return true;
        for (auto end = text.rfind(separator); end != std::string::npos && end > 0;
             end = text.rfind(separator, end - 1))
            if (keys.find(std::string_view(text).substr(0, end + 1))) return true;
        return false;
    }

    /// "2001:0db8:0000:…": eight groups of four digits.
    static std::string long_form(const IpAddress& address) {
        constexpr char digits[] = "0123456789abcdef";
        std::string text;
        for (std::size_t i = 0; i < 16; ++i) {
            if (i > 0 && i % 2 == 0) text += ':';
            text += digits[address.bytes()[i] >> 4];
            text += digits[address.bytes()[i] & 15];
        }
        return text;
    }

    Watched<NetworkList> forbidden_;
    Watched<NetworkList> permitted_;
    Watched<Cdb> more_permitted_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("relay", smtpd::plugins::Relay);
