/// lookups.h: where an evaluation of mail authentication (SPF, DKIM, ARC, DMARC) takes its DNS answers from.
///
/// An evaluation waits for nothing. It is a function that is given Lookups and takes each answer from there. If one is
/// missing, it goes on as far as it can, so that independent questions leave together, and gives no result. The caller
/// gets the answers and calls it again, until there is a result:
///
///     setup.hooks.mail.ask([this](const MailHook& hook, Questions& questions) {
///         mailauth::QuestionLookups lookups(questions);
///         evaluate(hook, lookups);
///     }).decide([this](const MailHook& hook, const Answers& answers) {
///         mailauth::AnswerLookups lookups(answers);
///         const auto result = evaluate(hook, lookups);
///         …
///     });
///
/// So an evaluation never costs a thread, and the same code runs in a plugin, in a command, in a fuzz target, and in
/// a test with a zone. An answer is found, absent or failed (dns.h); a failure is a temporary error, never "no record".
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/dns/dns.h>
#include <smtpd/waiting.h>

#include <string_view>

namespace smtpd::mailauth {

/// The answers that are known. An object is used by one evaluation at a time, and by one thread.
class SMTPD_API Lookups {
public:
    virtual ~Lookups() = default;
    /// The answer to that question. Its status is `not_asked` if the answer is still to come: then the question is on
    /// its way, and the evaluation is called again later. A name that cannot exist gives `bad_name` at once. The
    /// reference is valid until the evaluation returns.
    virtual const DnsAnswer& dns(DnsType type, std::string_view name) = 0;

    const DnsAnswer& txt(std::string_view name) { return dns(DnsType::txt, name); }
    const DnsAnswer& mx(std::string_view name) { return dns(DnsType::mx, name); }
    /// The names of an address.
    const DnsAnswer& ptr(const IpAddress& address) { return dns(DnsType::ptr, reverse_dns_name(address)); }
    /// The A records, or the AAAA records, whichever family `like` has.
    const DnsAnswer& addresses(std::string_view host, const IpAddress& like) {
        return dns(like.is_v4() ? DnsType::a : DnsType::aaaa, host);
    }
};

/// For an `ask` handler: what is not known yet is asked.
class SMTPD_API QuestionLookups final : public Lookups {
public:
    explicit QuestionLookups(Questions& questions) noexcept : questions_(questions) {}
    const DnsAnswer& dns(DnsType type, std::string_view name) override { return questions_.dns(type, name); }

private:
    Questions& questions_;
};

/// For the handler behind it, where nothing is asked any more: an answer that did not come, because of the deadline or
/// of the limit of rounds, has `timed_out`. So every evaluation gives a result.
class SMTPD_API AnswerLookups final : public Lookups {
public:
    explicit AnswerLookups(const Answers& answers) noexcept : answers_(answers) {}
    const DnsAnswer& dns(DnsType type, std::string_view name) override;

private:
    const Answers& answers_;
};

}  // namespace smtpd::mailauth
