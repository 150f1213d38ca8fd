/// waiting.h: what a plugin wants to wait for before it decides, and what came of it.
///
/// Before the chain of a stage runs, every plugin that has an `ask` handler there names what it needs. All questions
/// leave at once, and the session is parked, without a thread under the event MPM, until the last answer is there or
/// the deadlines of those who asked have passed; after that the chain runs without waiting.
///
///     setup.hooks.mail.ask([](const MailHook& hook, Questions& questions) {
///         const std::string& domain = hook.sender().domain();
///         for (const auto& exchanger : questions.mx(domain).exchangers()) questions.addresses(exchanger.name);
///     }).decide([](const MailHook& hook, const Answers& answers) {
///         const DnsAnswer& mx = answers.mx(hook.sender().domain());
///         if (mx.failed()) return error("MX: {}", mx.error());
///         …
///     });
///
/// A handler that has put questions to the DNS is called again when its answers have come, whatever others still wait
/// for, and may then ask what depends on them, until it asks nothing new: above, the addresses of the exchangers. It is
/// called afresh each time, with all answers so far at hand, and simply names all that it wants to know. What was asked
/// before, by whomever, costs nothing. There are at most 20 such rounds, and 400 questions, in a stage; what is asked
/// beyond stays `not_asked`, and is logged and counted as an overrun.
///
/// What takes a thread (a scanner, a database) is a task, see task.h. The handler is called again when its tasks have
/// ended, too.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/dns/dns.h>
#include <smtpd/task.h>

#include <chrono>
#include <concepts>
#include <memory>
#include <string_view>
#include <vector>

namespace smtpd {

/// The addresses of a host in both families, as far as they are known: what its A and AAAA records say. A host that is
/// called by its address has that one.
class SMTPD_API HostAddresses {
public:
    HostAddresses(const DnsAnswer& a, const DnsAnswer& aaaa);
    explicit HostAddresses(const IpAddress& literal);

    /// IPv4 first.
    const std::vector<IpAddress>& all() const noexcept { return all_; }
    bool found() const noexcept { return !all_.empty(); }
    /// Nobody knows one of the two, or both: time-outs and the like, and what was not asked. There may be addresses all
    /// the same.
    bool failed() const noexcept { return problem_.failed(); }
    /// Neither found nor failed: there is no address, for certain.
    bool is_absent() const noexcept { return !found() && !failed(); }
    /// Why it failed, or why there is none: "no such name".
    std::string_view error() const noexcept { return problem_.error(); }

private:
    std::vector<IpAddress> all_;
    DnsAnswer problem_;  ///< of the two, the one that failed; otherwise the one for A
};

/// Collects wishes. Times are counted from the beginning of the stage, so asking for the same twice changes nothing.
class SMTPD_API Questions {
public:
    virtual ~Questions() = default;
    /// Not before that long after the stage began.
    virtual void delay(Duration duration) = 0;
    /// That long, or until the client sends something (or already did), whichever is first.
    virtual void silence(Duration duration) = 0;

    /// A question to the DNS. Gives the answer as far as it is known already: `not_asked` the first time, what came of
    /// it when the handler is called again. The reference is valid during the call of the handler.
    virtual const DnsAnswer& dns(DnsType type, std::string_view name) = 0;
    /// Answers to this handler's questions that have not come by then are not worth waiting for; without it, the
    /// plugin's deadline holds. To be said before the questions are put.
    virtual void timeout(Duration duration) = 0;
    const DnsAnswer& a(std::string_view name) { return dns(DnsType::a, name); }
    const DnsAnswer& aaaa(std::string_view name) { return dns(DnsType::aaaa, name); }
    /// Both at once. A host that is called by its address needs no question.
    HostAddresses addresses(std::string_view host);
    const DnsAnswer& mx(std::string_view name) { return dns(DnsType::mx, name); }
    const DnsAnswer& txt(std::string_view name) { return dns(DnsType::txt, name); }
    const DnsAnswer& cname(std::string_view name) { return dns(DnsType::cname, name); }
    const DnsAnswer& ns(std::string_view name) { return dns(DnsType::ns, name); }
    const DnsAnswer& ptr(const IpAddress& address) { return dns(DnsType::ptr, reverse_dns_name(address)); }

    /// Work that waits: `function` takes a const TaskContext& and gives a T, a Result<T> or nothing. It is called once,
    /// in another thread, and answers.task<T>(key) has what it gave; an Error (unavailable) if it threw, or (timeout)
    /// if it has not ended within the time that timeout() left it, or the deadline. Null until then; when the handler
    /// is called again, the result. The key is the plugin instance's own.
    template <std::invocable<const TaskContext&> F>
    const auto* task(std::string_view key, F function) {
        using T = typename detail::TaskValue<std::invoke_result_t<F&, const TaskContext&>>::Type;
        if (const auto* known = find_task(key)) return &detail::result_of<T>(known);
        start_task(key, detail::erase_task(std::move(function)));
        return static_cast<const Result<T>*>(nullptr);
    }

protected:
    virtual const detail::TaskResult* find_task(std::string_view key) const noexcept = 0;
    /// Starts it, unless one of that key is on its way.
    virtual void start_task(std::string_view key, detail::TaskWork work) = 0;
};

/// What came of it.
class SMTPD_API Answers {
public:
    /// The client sent something while it was its turn to wait.
    bool client_spoke() const noexcept { return client_spoke_; }
    /// How long the session was parked.
    Duration waited() const noexcept { return waited_; }

    /// The answer to a question that was asked in this stage, by whomever; otherwise `not_asked`. Valid during the call
    /// of the handler; a copy may be kept.
    const DnsAnswer& dns(DnsType type, std::string_view name) const noexcept;
    const DnsAnswer& a(std::string_view name) const noexcept { return dns(DnsType::a, name); }
    const DnsAnswer& aaaa(std::string_view name) const noexcept { return dns(DnsType::aaaa, name); }
    /// Both at once; for a host that is called by its address, that one.
    HostAddresses addresses(std::string_view host) const;
    const DnsAnswer& mx(std::string_view name) const noexcept { return dns(DnsType::mx, name); }
    const DnsAnswer& txt(std::string_view name) const noexcept { return dns(DnsType::txt, name); }
    const DnsAnswer& cname(std::string_view name) const noexcept { return dns(DnsType::cname, name); }
    const DnsAnswer& ns(std::string_view name) const noexcept { return dns(DnsType::ns, name); }
    const DnsAnswer& ptr(const IpAddress& address) const { return dns(DnsType::ptr, reverse_dns_name(address)); }
    /// What this plugin instance's task of that key gave, or why it gave nothing (not_found: there was no such task).
    /// Valid during the call of the handler.
    template <class T>
    const Result<T>& task(std::string_view key) const {
        return detail::result_of<T>(tasks_ ? tasks_->find(instance_, key) : nullptr);
    }

    Answers() = default;
    Answers(bool client_spoke, Duration waited, std::shared_ptr<const DnsAnswers> dns = {},
            std::shared_ptr<const TaskResults> tasks = {})
        : client_spoke_(client_spoke), waited_(waited), dns_(std::move(dns)), tasks_(std::move(tasks)) {}

private:
    friend struct ServerAccess;

    bool client_spoke_ = false;
    Duration waited_{0};
    std::shared_ptr<const DnsAnswers> dns_;
    std::shared_ptr<const TaskResults> tasks_;
    const void* instance_ = nullptr;  ///< whose tasks are meant
};

}  // namespace smtpd
