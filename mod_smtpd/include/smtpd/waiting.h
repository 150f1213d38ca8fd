/// waiting.h: what a plugin waits for before it decides, and the results.
///
/// Before the chain of a stage runs, every plugin with an `ask` handler there asks its questions. All questions are
/// sent at once, and the session is parked, without a thread under the event MPM, until the last answer has come or the
/// deadlines of the plugins that asked have passed. Then the chain runs without waiting.
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
/// A handler that has asked DNS questions is called again as soon as its own answers have come, and may then ask
/// questions that depend on them (above, the addresses of the exchangers), until it asks nothing new. Each call starts
/// afresh, with all answers so far available, and names every question again; a question that any plugin has asked
/// before costs nothing. A stage is limited to 20 such rounds and 400 questions; further questions stay `not_asked`,
/// and the server logs and counts an overrun.
///
/// Work that occupies a thread (a scanner, a database) is a task, see task.h. The handler is also called again when its
/// tasks have ended.
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

/// The known addresses of a host in both families, from its A and AAAA records. A host given as an IP address has that
/// address.
class SMTPD_API HostAddresses {
public:
    HostAddresses(const DnsAnswer& a, const DnsAnswer& aaaa);
    explicit HostAddresses(const IpAddress& literal);

    /// IPv4 first.
    const std::vector<IpAddress>& all() const noexcept { return all_; }
    bool found() const noexcept { return !all_.empty(); }
    /// One or both look-ups failed (a time-out, for example) or were not asked. There may be addresses all the same.
    bool failed() const noexcept { return problem_.failed(); }
    /// There is certainly no address: neither found nor failed.
    bool is_absent() const noexcept { return !found() && !failed(); }
    /// Why a look-up failed, or why there is no address: "no such name".
    std::string_view error() const noexcept { return problem_.error(); }

private:
    std::vector<IpAddress> all_;
    DnsAnswer problem_;  ///< the answer that failed; otherwise the A answer
};

/// Collects what a handler waits for. Times count from the beginning of the stage, so asking twice changes nothing.
class SMTPD_API Questions {
public:
    virtual ~Questions() = default;
    /// Waits until that time after the start of the stage.
    virtual void delay(Duration duration) = 0;
    /// Waits that long, or until the client sends something (or already did), whichever comes first.
    virtual void silence(Duration duration) = 0;

    /// Asks a DNS question and returns its current answer: `not_asked` the first time, the actual answer when the
    /// handler is called again. The reference is valid during the call of the handler.
    virtual const DnsAnswer& dns(DnsType type, std::string_view name) = 0;
    /// Limits the wait for this handler's answers; otherwise the plugin's deadline applies. Call it before asking the
    /// questions.
    virtual void timeout(Duration duration) = 0;
    const DnsAnswer& a(std::string_view name) { return dns(DnsType::a, name); }
    const DnsAnswer& aaaa(std::string_view name) { return dns(DnsType::aaaa, name); }
    /// Both records. A host given as an IP address needs no question.
    HostAddresses addresses(std::string_view host);
    const DnsAnswer& mx(std::string_view name) { return dns(DnsType::mx, name); }
    const DnsAnswer& txt(std::string_view name) { return dns(DnsType::txt, name); }
    const DnsAnswer& cname(std::string_view name) { return dns(DnsType::cname, name); }
    const DnsAnswer& ns(std::string_view name) { return dns(DnsType::ns, name); }
    const DnsAnswer& ptr(const IpAddress& address) { return dns(DnsType::ptr, reverse_dns_name(address)); }

    /// Starts work that blocks: `function` takes a const TaskContext& and returns a T, a Result<T> or nothing. It is
    /// called once, in another thread, and answers.task<T>(key) then has its result: an Error with `unavailable` if it
    /// threw, or with `timeout` if it did not end within the time set by timeout() or the deadline. Returns null until
    /// then, and the result when the handler is called again. The key belongs to the plugin instance.
    template <std::invocable<const TaskContext&> F>
    const auto* task(std::string_view key, F function) {
        using T = typename detail::TaskValue<std::invoke_result_t<F&, const TaskContext&>>::Type;
        if (const auto* known = find_task(key)) return &detail::result_of<T>(known);
        start_task(key, detail::erase_task(std::move(function)));
        return static_cast<const Result<T>*>(nullptr);
    }

protected:
    virtual const detail::TaskResult* find_task(std::string_view key) const noexcept = 0;
    /// Starts the task unless one with that key was started before.
    virtual void start_task(std::string_view key, detail::TaskWork work) = 0;
};

/// The results of the waiting.
class SMTPD_API Answers {
public:
    /// The client sent something when it should have been silent.
    bool client_spoke() const noexcept { return client_spoke_; }
    /// How long the session was parked.
    Duration waited() const noexcept { return waited_; }

    /// The answer to a question that any plugin asked in this stage; otherwise `not_asked`. Valid during the call of
    /// the handler; a copy may be kept.
    const DnsAnswer& dns(DnsType type, std::string_view name) const noexcept;
    const DnsAnswer& a(std::string_view name) const noexcept { return dns(DnsType::a, name); }
    const DnsAnswer& aaaa(std::string_view name) const noexcept { return dns(DnsType::aaaa, name); }
    /// Both records; a host given as an IP address has that address.
    HostAddresses addresses(std::string_view host) const;
    const DnsAnswer& mx(std::string_view name) const noexcept { return dns(DnsType::mx, name); }
    const DnsAnswer& txt(std::string_view name) const noexcept { return dns(DnsType::txt, name); }
    const DnsAnswer& cname(std::string_view name) const noexcept { return dns(DnsType::cname, name); }
    const DnsAnswer& ns(std::string_view name) const noexcept { return dns(DnsType::ns, name); }
    const DnsAnswer& ptr(const IpAddress& address) const { return dns(DnsType::ptr, reverse_dns_name(address)); }
    /// The result of this plugin instance's task with that key, or why there is none (not_found: there was no such
    /// task). Valid during the call of the handler.
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
    const void* instance_ = nullptr;  ///< the instance whose tasks are meant
};

}  // namespace smtpd
