/// server_access.h: operations on the objects shown to plugins that are reserved for the server. This header is not
/// installed.
#pragma once

#include <smtpd/body_stream.h>
#include <smtpd/delivery/delivery.h>
#include <smtpd/history.h>
#include <smtpd/hook/context.h>
#include <smtpd/hook/session_context.h>

#include <string>
#include <string_view>
#include <utility>

namespace smtpd {

struct ServerAccess {
    using Caller = HookContext::Caller;

    /// Sets the plugin that is called next with this argument, and its deadline.
    static void enter(HookContext& context, const Caller& caller, MonotonicTime deadline) noexcept {
        context.caller_ = &caller;
        context.deadline_ = deadline;
        context.answers_.instance_ = caller.instance;
    }
    static void set_only_complains(SessionContext& context, bool value) noexcept { context.only_complains_ = value; }
    static void set_answers(HookContext& context, const Answers& answers) noexcept { context.answers_ = answers; }
    /// Instance name of the plugin whose handler is running.
    static std::string_view plugin(const HookContext& context) noexcept {
        return context.caller_ ? context.caller_->plugin : std::string_view();
    }
    /// The session, even if handlers do not see it; null if there is none.
    static Connection* session(const HookContext& context) noexcept { return context.session(); }
    /// The log for the handler's lines, and the id of the session in them; "" if there is none.
    static LogSink& log(const HookContext& context) noexcept { return context.log_; }
    static std::string session_id(const HookContext& context) { return std::string(context.log_subject().session); }

    static void set_ended(BodyStream& stream) noexcept { stream.has_ended_.store(true, std::memory_order_release); }

    /// The result of a task: of that instance, or of the running one.
    static const detail::TaskResult* task(const Answers& answers, const void* instance, std::string_view key) noexcept {
        return answers.tasks_ ? answers.tasks_->find(instance, key) : nullptr;
    }
    static const detail::TaskResult* task(const Answers& answers, std::string_view key) noexcept {
        return task(answers, answers.instance_, key);
    }

    // The history of a session
    static History& history(Connection& connection) noexcept { return connection.history_; }
    static void add(History& history, HistoryEntry entry) noexcept { history.add(std::move(entry)); }
    /// Adds an entry whose result is not known yet. close() returns it, or null if another entry was added meanwhile.
    static void open(History& history, HistoryEntry entry) noexcept { history.open(std::move(entry)); }
    static bool is_open(const History& history) noexcept { return history.is_open(); }
    static HistoryEntry* close(History& history) noexcept { return history.close(); }
    static void set_transaction(History& history, std::uint32_t number) noexcept { history.set_transaction(number); }

    // Authentication results
    static AuthenticationResults& results(Connection& connection) noexcept {
        return connection.record_.authentication_results;
    }
    static AuthenticationResults& results(Transaction& transaction) noexcept {
        return transaction.authentication_results_;
    }

    // Recipients
    /// The number of the recipient's RCPT command, counted from 1 among the accepted ones.
    static void set_rcpt_number(Recipient& recipient, std::uint32_t number) noexcept {
        recipient.rcpt_number_ = number;
    }
    /// Sets the fate unless the recipient was refused before.
    static void set_fate(Recipient& recipient, Fate fate) {
        if (!recipient.fate_.is_refused()) recipient.fate_ = std::move(fate);
    }
    /// Moves refused recipients from recipients() to refused_recipients(). Called after each handler that may refuse
    /// some.
    static void move_refused(Transaction& transaction);

    /// Sets the result of a queue plugin. Each recipient must have a fate.
    static void conclude(Delivery& delivery, DeliveryResult result) { delivery.conclude(std::move(result)); }
    /// The result so far: declined if no plugin has taken the message.
    static const DeliveryResult& result(const Delivery& delivery) noexcept { return delivery.result_; }
};

}  // namespace smtpd
