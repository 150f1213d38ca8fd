/// server_access.h: what only the server may do with the objects that it shows to plugins. This header is not
/// installed.
#pragma once

#include <smtpd/body_stream.h>
#include <smtpd/delivery/delivery.h>
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

    /// Takes the result of a queue plugin. Each recipient must have a fate.
    static void conclude(Delivery& delivery, DeliveryResult result) { delivery.conclude(std::move(result)); }
    /// The result so far: declined if no plugin has taken the message.
    static const DeliveryResult& result(const Delivery& delivery) noexcept { return delivery.result_; }
};

}  // namespace smtpd
