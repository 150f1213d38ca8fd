/// server_access.h: what only the server may do with the objects that it shows to plugins. This header is not
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

    /// Who is called next with this argument, and until when it may take.
    static void enter(HookContext& context, const Caller& caller, MonotonicTime deadline) noexcept {
        context.caller_ = &caller;
        context.deadline_ = deadline;
        context.answers_.instance_ = caller.instance;
    }
    static void set_only_complains(SessionContext& context, bool value) noexcept { context.only_complains_ = value; }
    static void set_answers(HookContext& context, const Answers& answers) noexcept { context.answers_ = answers; }
    /// Instance name of the plugin whose handler is called.
    static std::string_view plugin(const HookContext& context) noexcept {
        return context.caller_ ? context.caller_->plugin : std::string_view();
    }
    /// The session, even if handlers do not see it; null if there is none.
    static Connection* session(const HookContext& context) noexcept { return context.session(); }
    /// Where the lines of the handler go, and the id of the session in them; "" if there is none.
    static LogSink& log(const HookContext& context) noexcept { return context.log_; }
    static std::string session_id(const HookContext& context) { return std::string(context.log_subject().session); }

    static void set_ended(BodyStream& stream) noexcept { stream.has_ended_.store(true, std::memory_order_release); }

    /// What has come of a task: of that instance, or of the one that is called.
    static const detail::TaskResult* task(const Answers& answers, const void* instance, std::string_view key) noexcept {
        return answers.tasks_ ? answers.tasks_->find(instance, key) : nullptr;
    }
    static const detail::TaskResult* task(const Answers& answers, std::string_view key) noexcept {
        return task(answers, answers.instance_, key);
    }

    // The history of a session
    static History& history(Connection& connection) noexcept { return connection.history_; }
    static void add(History& history, HistoryEntry entry) noexcept { history.add(std::move(entry)); }
    /// Adds an entry whose end is not known yet. close() gives it back, or null if another entry was added meanwhile.
    static void open(History& history, HistoryEntry entry) noexcept { history.open(std::move(entry)); }
    static bool is_open(const History& history) noexcept { return history.is_open(); }
    static HistoryEntry* close(History& history) noexcept { return history.close(); }
    static void set_transaction(History& history, std::uint32_t number) noexcept { history.set_transaction(number); }

    // Results of methods of authentication
    static AuthenticationResults& results(Connection& connection) noexcept {
        return connection.record_.authentication_results;
    }
    static AuthenticationResults& results(Transaction& transaction) noexcept {
        return transaction.authentication_results_;
    }

    // Recipients
    /// Which RCPT the recipient comes from, counted from 1 among those that were accepted.
    static void set_rcpt_number(Recipient& recipient, std::uint32_t number) noexcept {
        recipient.rcpt_number_ = number;
    }
    /// The first refusal is kept.
    static void set_fate(Recipient& recipient, Fate fate) {
        if (!recipient.fate_.is_refused()) recipient.fate_ = std::move(fate);
    }
    /// Moves the recipients that are refused from recipients() to refused_recipients(). Called after each handler that
    /// may refuse some.
    static void move_refused(Transaction& transaction);

    /// Takes the result of a queue plugin. Each recipient must have a fate.
    static void conclude(Delivery& delivery, DeliveryResult result) { delivery.conclude(std::move(result)); }
    /// The result so far: declined if no plugin has taken the message.
    static const DeliveryResult& result(const Delivery& delivery) noexcept { return delivery.result_; }
};

}  // namespace smtpd
