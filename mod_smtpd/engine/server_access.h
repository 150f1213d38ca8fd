/// server_access.h: what only the server may do with the objects that it shows to plugins. This header is not installed.
#pragma once

#include <smtpd/hook_context.h>

namespace smtpd {

struct ServerAccess {
    using Caller = HookContext::Caller;

    /// Who is called next with this argument, and until when it may take.
    static void enter(HookContext& context, const Caller& caller, MonotonicTime deadline) noexcept {
        context.caller_ = &caller;
        context.deadline_ = deadline;
    }
    static void set_answers(HookContext& context, const Answers& answers) noexcept { context.answers_ = answers; }
};

}  // namespace smtpd
