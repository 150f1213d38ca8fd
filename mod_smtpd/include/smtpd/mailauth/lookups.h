/// lookups.h: the source of DNS answers for an evaluation of mail authentication (SPF, DKIM, ARC, DMARC).
///
/// An evaluation never waits. It is a function that takes its answers from a Lookups object. If an answer is missing,
/// it continues as far as it can, so that independent questions are sent together, and returns no result. The caller
/// gets the answers and calls the function again until it returns a result:
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
/// So an evaluation does not block a thread, and the same code runs in a plugin, in a command, in a fuzz target, and in
/// a test with a zone. An answer is found, absent or failed (dns.h). A failure is a temporary error; it never means "no
/// record".
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/dns/dns.h>
#include <smtpd/waiting.h>

#include <string_view>

namespace smtpd::mailauth {

/// The answers that are known so far. Only one evaluation, in one thread, may use an object at a time.
class SMTPD_API Lookups {
public:
    virtual ~Lookups() = default;
    /// Returns the answer to a question. The status `not_asked` means that the question was sent; the evaluation is
    /// called again when the answer is there. A name that cannot exist gives `bad_name` at once. The reference is valid
    /// until the evaluation returns.
    virtual const DnsAnswer& dns(DnsType type, std::string_view name) = 0;

    const DnsAnswer& txt(std::string_view name) { return dns(DnsType::txt, name); }
    const DnsAnswer& mx(std::string_view name) { return dns(DnsType::mx, name); }
    /// The host names of an address (PTR).
    const DnsAnswer& ptr(const IpAddress& address) { return dns(DnsType::ptr, reverse_dns_name(address)); }
    /// The A or AAAA records of the host, in the address family of `like`.
    const DnsAnswer& addresses(std::string_view host, const IpAddress& like) {
        return dns(like.is_v4() ? DnsType::a : DnsType::aaaa, host);
    }
};

/// For an `ask` handler: sends a question for each answer that is not known yet.
class SMTPD_API QuestionLookups final : public Lookups {
public:
    explicit QuestionLookups(Questions& questions) noexcept : questions_(questions) {}
    const DnsAnswer& dns(DnsType type, std::string_view name) override { return questions_.dns(type, name); }

private:
    Questions& questions_;
};

/// For the handler after the `ask` handler. It can send no more questions: an answer that is missing because of the
/// deadline or the limit on rounds has the status `timed_out`. So every evaluation returns a result.
class SMTPD_API AnswerLookups final : public Lookups {
public:
    explicit AnswerLookups(const Answers& answers) noexcept : answers_(answers) {}
    const DnsAnswer& dns(DnsType type, std::string_view name) override;

private:
    const Answers& answers_;
};

}  // namespace smtpd::mailauth
