/// dnsbl: refuse clients on DNS block lists.
///
/// At the connect hook the plugin looks up the client's IPv4 or IPv6 address in all lists at once. If several lists
/// have the client, the first one in the order of the configuration decides. The reply is the text that the
/// configuration gives for that list, else the list's own text (TXT). If no list has the client and some list gave no
/// usable answer, the result is an error, and `onerror` decides; the client then counts neither as listed nor as not
/// listed.
///
/// ## The lists
///
/// The control file `dnsbl_zones` has one list a line. The option `zones` takes the same entries:
///
///     zen.example
///     zen.example=127.0.0.2-3,127.0.0.9      only these answers count; a number may be a range or *
///     zen.example=127.0.0.2 %IP% is listed, see https://zen.example/%IP%
///     bl.example:%IP% is listed              the same, as qpsmtpd writes it
///
/// These answers count as errors, never as listings: answers in 127.255.255.0/24 (you query too often, or through a
/// public resolver), answers outside of 127.0.0.0/8 (the list's domain has a new owner), and 127.0.0.1 unless the entry
/// names it.
///
/// The plugin tests every list before its first use, and again after the time in `self_test`. It switches a list off
/// and logs an error if the list has 127.0.0.1, does not have 127.0.0.2, or has not answered for ten minutes. It uses
/// the list again as soon as the list passes the test. An IPv6-only list needs `self_test=0`.
///
/// ## Exemptions
///
/// The control file `dnsbl_allow` lists addresses, networks and prefixes (`192.0.2.`) that the plugin does not look up.
/// With `reject=naughty`, a listed client may still write to postmaster, abuse, mailer-daemon and root, for example to
/// complain. Such a message must have no other recipients.
///
/// ## Replies
///
/// `550 5.7.1` with the list's text, or `<address> is listed by <zone>`; 450 4.7.1 with `reject_type=temp`. The zone
/// names of some lists contain a customer's key, which clients must not see. Therefore the reply shows only the end of
/// the zone's name: at most three labels, none of which looks like a key. The log shows the whole name.
///
/// ## Examples
///
///     SmtpPlugin dnsbl zones=zen.example zones=bl.example=127.0.0.2 reject=naughty
///     SmtpPlugin dnsbl disconnect
///
/// ## Differences from qpsmtpd
///
/// IPv6 works. The plugin interprets answers and tests lists. Texts for lists work. Only the message to postmaster (or
/// a similar recipient) is exempt; in qpsmtpd such a recipient exempts the whole connection. httpd connections have no
/// environment variables, so RBLSMTPD and `dnsbl_rejectmsg` do not exist.
#include <smtpd/base/text.h>
#include <smtpd/dns/lists.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class Dnsbl final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::deny, .karma_fail = -1};

    using Options = BlockListOptions;

    Dnsbl(Setup& setup, const Options& options)
        : instance_(setup.instance()),
          timeout_(options.timeout),
          allowed_(setup.control().networks("dnsbl_allow")),
          lists_(setup, DnsLists::Of::addresses, options.zones, "dnsbl_zones", {.every = options.self_test}) {
        if (options.type != Verdict::declined) setup.policy().reject_type = options.type;
        setup.hooks.connect
            .ask([this](const ConnectHook& hook, Questions& questions) {
                questions.timeout(timeout_);
                if (!is_allowed(hook)) lists_.ask(DnsListSubject::of(hook.connection.address()), hook, questions);
            })
            .decide([this](const ConnectHook& hook, const Answers& answers) { return judge(hook, answers); });
        setup.hooks.rcpt.observe(
            [this](const RcptHook& hook) { pardon(hook, takes_complaints(hook.recipient) && others(hook).empty()); });
        setup.hooks.data.observe([this](const DataHook& hook) { pardon(hook, others(hook).empty()); });
        setup.hooks.reset_transaction.observe([this](const MessageHook& hook) { pardon(hook, false); });
    }

private:
    bool is_allowed(const ConnectHook& hook) const { return allowed_->find(hook.connection.address()) != nullptr; }

    Finding judge(const ConnectHook& hook, const Answers& answers) const {
        const IpAddress& client = hook.connection.address();
        if (is_allowed(hook)) return skip("{} is in dnsbl_allow", client);
        const DnsListing listing = lists_.look_up(DnsListSubject::of(client), hook, answers);
        if (listing.is_listed())
            return fail("{} is listed by {} ({})", client, listing.zone, listing.answer)
                .reply(!listing.text.empty() ? listing.text : format_text("{} is listed by {}", client, listing.shown));
        if (!listing.errors.empty()) return error("{}", listing.errors).status(status::temp_resolver_failed);
        return pass();
    }

    static bool takes_complaints(const Recipient& recipient) {
        const std::string name = ascii_lower(recipient.address().local_part());
        return name == "postmaster" || name == "abuse" || name == "mailer-daemon" || name == "root";
    }

    /// The recipients so far that are not addresses for complaints (postmaster and others).
    static std::vector<const Recipient*> others(const TransactionContext& hook) {
        std::vector<const Recipient*> found;
        for (const auto& recipient : hook.transaction.recipients())
            if (!takes_complaints(recipient)) found.push_back(&recipient);
        return found;
    }

    /// Removes all complaints if the first one is this plugin's, or restores them. The other complaints go too, because
    /// without the first one their plugins would have refused by themselves.
    void pardon(const TransactionContext& hook, bool is_pardoned) const {
        Connection& connection = hook.connection;
        const auto is_own = [this](const std::vector<Complaint>& complaints) {
            return !complaints.empty() && complaints.front().plugin == instance_;
        };
        const auto* kept = connection.notes().find(pardoned_);
        if (is_pardoned && is_own(connection.complaints())) {
            connection.notes().set(pardoned_, connection.forgive());
        } else if (!is_pardoned && kept && is_own(*kept)) {
            if (!connection.is_relay_client())
                for (const auto& one : *kept) connection.complain(one);
            connection.notes().remove(pardoned_);
        }
    }

    inline static const NoteKey<std::vector<Complaint>> pardoned_{"dnsbl.pardoned"};

    const std::string instance_;
    const Duration timeout_;
    Watched<NetworkList> allowed_;
    const DnsLists lists_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("dnsbl", smtpd::plugins::Dnsbl);
