/// complaint.h: what is held against a client while the refusal waits for its moment (`reject=naughty`).
///
/// A failure of a plugin with `reject=naughty` becomes a complaint instead of a reply. From then on the client is
/// naughty: other policy plugins are asked as before, but whatever they have against it becomes a complaint too. The
/// plugin naughty, or another one, reads the list (Connection::complaints()) and decides.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/reply.h>
#include <smtpd/hook/traits.h>
#include <smtpd/verdict.h>

#include <cstdint>
#include <string>

namespace smtpd {

struct Complaint {
    std::string plugin;                         ///< the instance, as it is called in the log
    HookId hook{};                              ///< where it was made
    HookSubject subject = HookSubject::client;  ///< see HookTraits::about
    /// The refusal that the plugin would have given; `declined` where neither the finding nor its reject_type says
    /// anything: the plugin that refuses decides.
    Verdict verdict = Verdict::declined;
    EnhancedCode enhanced{};
    std::string text{};       ///< what the client is to be told
    std::string reason{};     ///< for the log
    std::string recipient{};  ///< "<user@example.com>", if the subject is a recipient
    /// Whether it is part of what the plugin naughty tells the client: the first complaint is, and those of plugins
    /// that exempt nobody (PolicyDefaults::exempts_immune). The others are known to plugins only.
    bool is_told = true;
};

/// "client", "hello", "sender", "recipient", "message"
SMTPD_API const char* subject_name(HookSubject subject) noexcept;

}  // namespace smtpd
