/// complaint.h: failures of a client whose refusal is postponed (`reject=naughty`).
///
/// A failure of a plugin with `reject=naughty` becomes a complaint instead of a reply. From then on the client is
/// naughty: other policy plugins still run, but their failures become complaints too. The plugin naughty, or another
/// one, reads the list (Connection::complaints()) and decides.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/reply.h>
#include <smtpd/hook/traits.h>
#include <smtpd/verdict.h>

#include <cstdint>
#include <string>

namespace smtpd {

struct Complaint {
    std::string plugin;                         ///< the instance, by its name in the log
    HookId hook{};                              ///< the hook at which the complaint was made
    HookSubject subject = HookSubject::client;  ///< see HookTraits::about
    /// The refusal that the plugin would have given. `declined` if neither the finding nor reject_type specifies one:
    /// then the plugin that refuses decides.
    Verdict verdict = Verdict::declined;
    EnhancedCode enhanced{};
    std::string text{};       ///< the text for the client
    std::string reason{};     ///< for the log
    std::string recipient{};  ///< "<user@example.com>", if the subject is a recipient
    /// Whether the plugin naughty tells the client about it: true for the first complaint, and for those of plugins
    /// that judge exempt clients too (PolicyDefaults::exempts_immune is false). Only plugins see the others.
    bool is_told = true;
};

/// "client", "hello", "sender", "recipient", "message"
SMTPD_API const char* subject_name(HookSubject subject) noexcept;

}  // namespace smtpd
