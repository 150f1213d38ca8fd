/// dns_whitelist_soft: exempt clients on DNS allow lists.
///
/// At the connect hook the plugin looks up the client's IPv4 or IPv6 address in all lists at once, in parallel with the
/// DNS queries of other plugins. It decides before the other plugins do. A client on a list is whitelisted: from then
/// on no policy plugin tests it. A whitelisted client still may not relay.
///
/// ## The lists
///
/// The control file `whitelist_zones` has one list a line. The option `zones` takes the same entries:
///
///     wl.example
///     wl.example=127.0.*.2-3         only these answers count: here, those with some trust
///
/// These answers never whitelist: answers in 127.255.255.0/24, answers outside of 127.0.0.0/8, and 127.0.0.1 unless the
/// entry names it. If the DNS does not answer, the client is not whitelisted.
///
/// The plugin tests every list before its first use, and again after the time in `self_test`. A list that has 127.0.0.1
/// lists every address: the plugin switches it off and logs an error. When a policy plugin skips a whitelisted client,
/// the log shows the list's text (TXT), or the text after the zone if the entry has one.
///
/// ## Example
///
///     SmtpPlugin dns_whitelist_soft zones=wl.example=127.0.*.2-3
///
/// ## Differences from qpsmtpd
///
/// In qpsmtpd the plugin takes effect only after the first RCPT, works for IPv4 only, and treats any text in the list
/// as an entry. Here an entry is an address (A), as RFC 5782 says.
#include <smtpd/dns/lists.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class DnsWhitelistSoft final : public Plugin {
public:
    struct Options {
        std::vector<std::string> zones;
        Duration timeout = std::chrono::seconds(4);
        Duration self_test = std::chrono::hours(1);

        static OptionTable table() {
            return {
                option("zones", &Options::zones, "a list to query before those in the control file"),
                option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min"),
                option("self_test", &Options::self_test, "how often to test the lists; 0 = never").range("0s", "30d")};
        }
    };

    DnsWhitelistSoft(Setup& setup, const Options& options)
        : timeout_(options.timeout),
          lists_(setup, DnsLists::Of::addresses, options.zones, "whitelist_zones",
                 {.every = options.self_test, .wants_entry = false}) {
        setup.hooks.connect
            .ask([this](const ConnectHook& hook, Questions& questions) {
                questions.timeout(timeout_);
                if (!hook.exemption()) lists_.ask(DnsListSubject::of(hook.connection.address()), hook, questions);
            })
            .add([this](const ConnectHook& hook, const Answers& answers) { return look_up(hook, answers); },
                 Priority::early);
    }

private:
    Response look_up(const ConnectHook& hook, const Answers& answers) const {
        if (hook.exemption()) return declined();
        const DnsListing listing = lists_.look_up(DnsListSubject::of(hook.connection.address()), hook, answers);
        if (listing.is_listed()) {
            hook.connection.set_whitelisted(
                format_text("{} ({}) {}", listing.zone, listing.answer, quoted(listing.text)));
            hook.log(LogLevel::info, "pass: {} is on {} ({})", hook.connection.address(), listing.zone, listing.answer);
        } else if (!listing.errors.empty()) {
            hook.log(LogLevel::info, "error: {}", listing.errors);
        }
        return declined();
    }

    const Duration timeout_;
    const DnsLists lists_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("dns_whitelist_soft", smtpd::plugins::DnsWhitelistSoft);
