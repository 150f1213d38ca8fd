/// rhsbl: refuse senders whose domain is on a DNS block list.
///
/// At the mail hook the plugin looks up the sender's domain in all lists at once. It does not look up the null sender
/// or address literals. If several lists have the domain, the first one in the order of the configuration decides. If
/// no list has it and some list gave no usable answer, `onerror` decides.
///
/// ## The lists
///
/// The control file `rhsbl_zones` has one list a line. The option `zones` takes the same entries. Without a text after
/// the zone, the reply is the list's own text (TXT):
///
///     dbl.example
///     dbl.example=127.0.1.2-99           only these answers count; a number may be a range or *
///     uri.example=127.0.0.2  is listed, see https://uri.example/?%DOMAIN%
///
/// These answers count as errors, never as listings: answers in 127.255.255.0/24, answers outside of 127.0.0.0/8, and
/// 127.0.0.1 unless the entry names it.
///
/// The plugin tests every list before its first use, and again after the time in `self_test`. It switches a list off
/// and logs an error if the list has INVALID, does not have TEST, or has not answered for ten minutes. It uses the list
/// again as soon as the list passes the test (RFC 5782 5).
///
/// ## Replies
///
/// `550 5.7.1 Mail from <domain>: <text>`, or `<domain> is listed by <zone>`; 450 4.7.1 with `reject_type=temp`.
/// Replies show a shortened zone, as those of dnsbl do.
///
/// ## Examples
///
///     SmtpPlugin rhsbl zones=dbl.example
///     SmtpPlugin rhsbl disconnect
///
/// ## Differences from qpsmtpd
///
/// Texts for lists work. The plugin interprets answers and tests lists. A listed domain costs a point of karma.
#include <smtpd/dns/lists.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class Rhsbl final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::deny, .karma_fail = -1};

    using Options = BlockListOptions;

    Rhsbl(Setup& setup, const Options& options)
        : timeout_(options.timeout),
          lists_(setup, DnsLists::Of::domains, options.zones, "rhsbl_zones", {.every = options.self_test}) {
        if (options.type != Verdict::declined) setup.policy().reject_type = options.type;
        setup.hooks.mail
            .ask([this](const MailHook& hook, Questions& questions) {
                questions.timeout(timeout_);
                if (has_domain(hook.sender()))
                    lists_.ask(DnsListSubject::of(hook.sender().domain_key()), hook, questions);
            })
            .decide([this](const MailHook& hook, const Answers& answers) { return judge(hook, answers); });
    }

private:
    static bool has_domain(const Address& sender) { return sender.has_domain() && !sender.is_address_literal(); }

    Finding judge(const MailHook& hook, const Answers& answers) const {
        const Address& sender = hook.sender();
        if (!has_domain(sender)) return skip(sender.is_null() ? "null sender" : "no domain");
        const std::string domain = sender.domain_key();
        const DnsListing listing = lists_.look_up(DnsListSubject::of(domain), hook, answers);
        if (listing.is_listed()) {
            const std::string reply = listing.text.empty() ? format_text("{} is listed by {}", domain, listing.shown)
                                                           : format_text("Mail from {}: {}", domain, listing.text);
            return fail("{} is listed by {} ({})", quoted(domain), listing.zone, listing.answer).reply(reply);
        }
        if (!listing.errors.empty()) return error("{}", listing.errors).status(status::temp_resolver_failed);
        return pass();
    }

    const Duration timeout_;
    const DnsLists lists_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("rhsbl", smtpd::plugins::Rhsbl);
