/// rhsbl: refuse senders whose domain is listed in block lists of the DNS.
///
/// At the mail hook the sender's domain is looked up in all lists at once; the null sender and address literals are
/// not. The first list, in the order of the configuration, that has it decides. Where no list has it but some list
/// could not tell, `onerror` decides.
///
/// ## The lists
///
/// In the control file `rhsbl_zones`, one a line, or with the option `zones`; without a text, the list's own (TXT) is
/// the reply:
///
///     dbl.example
///     dbl.example=127.0.1.2-99           only these answers count; a number may be a range or *
///     uri.example=127.0.0.2  is listed, see https://uri.example/?%DOMAIN%
///
/// Answers in 127.255.255.0/24, outside of 127.0.0.0/8, and 127.0.0.1 unless it is named count as errors, never as
/// listings.
///
/// Every list is tested when it is first needed, and again after the time in `self_test`: a list that has INVALID, has
/// not TEST, or has not answered for ten minutes is switched off, with an error in the log, until it passes again (RFC
/// 5782 5).
///
/// ## Replies
///
/// `550 5.7.1 Mail from <domain>: <text>`, or `<domain> is listed by <zone>`; 450 4.7.1 with `reject_type=temp`. The
/// zone of a reply is shortened as dnsbl does it.
///
/// ## Examples
///
///     SmtpPlugin rhsbl zones=dbl.example
///     SmtpPlugin rhsbl disconnect
///
/// ## Differences from qpsmtpd
///
/// Texts for lists work, answers are interpreted, lists are tested, and a listed domain costs a point of karma.
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
