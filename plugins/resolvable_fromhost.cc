/// resolvable_fromhost: refuse senders whose domain cannot receive mail.
///
/// A message whose sender cannot get a reply need not be accepted. At the mail hook the plugin tests the sender's
/// domain. The domain must have a mail exchanger (MX) with an address, or, without exchangers, an address of its own
/// (RFC 5321 5.1). Addresses may be IPv4 or IPv6. A domain whose null MX says that it accepts no mail (RFC 7505) fails.
/// The null sender and address literals pass. An address literal costs a point of karma, and so does a domain without
/// MX.
///
/// If the DNS gives no answer, the plugin does not refuse the sender, unless `onerror=tempfail` is set: then it defers
/// the sender.
///
/// ## Control file
///
/// `invalid_resolvable_fromhost` lists addresses and networks to which this server cannot deliver mail, one a line. A
/// domain fails if all of its exchangers have such addresses.
///
///     127.0.0.0/8
///     10.0.0.0/8
///     ::1
///     fc00::/7
///
/// ## Replies
///
/// `450 4.1.8 <domain> does not resolve: it needs an MX with an address, or an address` (550 5.1.8 with
/// `reject_type=perm`). The status is `4.7.27` if the domain accepts no mail. With `onerror=tempfail`, `451 4.4.3` if
/// the DNS does not answer.
///
/// ## Notes
///
/// The plugin sets the transaction's note `resolvable_fromhost` to the domain and to what the domain has: `mx`, `a`,
/// `ip`, `null`, or nothing.
///
/// ## Differences from qpsmtpd
///
/// A DNS failure does not count against the sender. The plugin looks at all addresses of the first ten exchangers;
/// qpsmtpd looks at the first address of each. An invalid address does not pass if the domain itself has it, or if the
/// sender is an address literal with it. The list of invalid addresses may have IPv6 addresses. `reject=naughty` works.
/// Every kind of failure costs one point of karma.
#include <smtpd/base/domain.h>
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class ResolvableFromHost final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::denysoft, .karma_fail = -1};

    explicit ResolvableFromHost(Setup& setup) : invalid_(setup.control().networks("invalid_resolvable_fromhost")) {
        setup.hooks.mail.ask([](const MailHook& hook, Questions& questions) { ask(hook.sender(), questions); })
            .decide([this](const MailHook& hook, const Answers& answers) { return judge(hook, answers); });
    }

private:
    static constexpr std::size_t most_exchangers = 10;

    /// The result of the search for an address.
    enum class Found { valid, invalid, none, unknown };
    struct Search {
        Found found = Found::none;
        std::string error;

        void add(Found more) {
            const auto rank = [](Found f) {
                return f == Found::valid ? 3 : f == Found::unknown ? 2 : f == Found::invalid ? 1 : 0;
            };
            if (rank(more) > rank(found)) found = more;
        }
    };

    static void ask(const Address& sender, Questions& questions) {
        if (!sender.has_domain() || sender.is_address_literal()) return;
        const DnsAnswer& mx = questions.mx(sender.domain());
        if (mx.status() == DnsStatus::no_data) questions.addresses(sender.domain());
        for (const auto& exchanger : first_of(mx)) questions.addresses(exchanger.name);
    }

    static std::vector<DnsExchanger> first_of(const DnsAnswer& mx) {
        const auto& all = mx.exchangers();
        return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), most_exchangers))};
    }

    Finding judge(const MailHook& hook, const Answers& answers) const {
        const Address& sender = hook.sender();
        SenderNote note(hook);
        if (sender.is_null()) {
            note.set("null");
            return skip("null sender");
        }
        if (sender.is_address_literal()) return judge_literal(sender, note);
        const DnsAnswer& mx = answers.mx(sender.domain());
        if (mx.failed()) return unknown("MX of {}: {}", sender.domain(), mx.error());
        if (mx.found()) return judge_exchangers(sender.domain(), mx, answers, note);

        Search search;
        if (mx.status() == DnsStatus::no_data) look_at(sender.domain(), answers, search);
        if (search.found == Found::unknown) return unknown("{}: {}", sender.domain(), search.error);
        note.set(search.found == Found::valid ? "a" : "");
        if (search.found == Found::valid) return pass("{} has no MX, but an address", sender.domain()).karma(-1);
        if (search.found == Found::invalid) return refused(sender.domain(), "has no MX and no valid address");
        return refused(sender.domain(), "has neither an MX nor an address");
    }

    /// The transaction's note, which exists as soon as there is a result.
    struct SenderNote {
        explicit SenderNote(const MailHook& hook) : hook(hook) {
            hook.transaction.notes().remove(notes::resolvable_fromhost);
        }
        void set(const char* found) const {
            hook.transaction.notes().set(notes::resolvable_fromhost, {hook.sender().domain(), found});
        }
        const MailHook& hook;
    };

    Finding judge_literal(const Address& sender, const SenderNote& note) const {
        const auto ip = sender.literal_ip();
        const bool is_valid = ip && !invalid_->find(*ip);
        note.set(is_valid ? "ip" : "");
        return is_valid ? pass("address literal").karma(-1) : refused(sender.domain(), "is an invalid address");
    }

    Finding judge_exchangers(const std::string& domain, const DnsAnswer& mx, const Answers& answers,
                             const SenderNote& note) const {
        const auto exchangers = first_of(mx);
        if (exchangers.size() == 1 && exchangers.front().name.empty()) {
            note.set("");
            return fail("{} accepts no mail", domain)
                .status(EnhancedCode{5, 7, 27})
                .reply(format_text("{} accepts no mail, so mail from it is not accepted either",
                                   printable_domain(domain)));
        }
        Search search;
        for (const auto& exchanger : exchangers) look_at(exchanger.name, answers, search);
        if (search.found == Found::unknown) return unknown("MX of {}: {}", domain, search.error);
        note.set(search.found == Found::valid ? "mx" : "");
        if (search.found == Found::valid) return pass("{} has an MX", domain);
        return refused(domain,
                       search.found == Found::invalid ? "has no MX with a valid address" : "has no MX with an address");
    }

    void look_at(const std::string& name, const Answers& answers, Search& search) const {
        const auto invalid = invalid_.get();
        const HostAddresses addresses = answers.addresses(name);
        for (const auto& address : addresses.all()) search.add(invalid->find(address) ? Found::invalid : Found::valid);
        if (!addresses.failed()) return;
        search.add(Found::unknown);
        search.error = format_text("{}: {}", name, addresses.error());
    }

    static Finding refused(const std::string& domain, const char* why) {
        return fail("{} {}", domain, why)
            .status(EnhancedCode{5, 1, 8})
            .reply(format_text("{} does not resolve: it needs an MX with an address, or an address",
                               printable_domain(domain)));
    }

    template <class... Arguments>
    static Finding unknown(PatternFor<Arguments...> reason, const Arguments&... arguments) {
        return error(format_text<Arguments...>(reason, arguments...)).status(status::temp_resolver_failed);
    }

    Watched<NetworkList> invalid_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("resolvable_fromhost", smtpd::plugins::ResolvableFromHost);
