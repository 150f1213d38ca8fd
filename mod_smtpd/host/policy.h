/// policy.h: what becomes of a finding: reply, log line, karma, counters, naughty mark. The one place for all plugins.
#pragma once

#include "host/instance.h"

#include <smtpd/finding.h>
#include <smtpd/hooks.h>

namespace smtpd::host {

/// What a client is told when a plugin could not do its work.
Answer temporary_failure();

/// Whether policy plugins leave that client alone: it may relay, it or its sender is whitelisted, or its fate is sealed already.
bool is_immune(const HookContext& context) noexcept;

/// Logs and counts that the plugin was not asked because of is_immune().
void note_immunity(const HookContext& context, const Instance& instance);

/// Does everything that the finding asks for; gives what is left for the chain to know.
Answer settle(const Finding& finding, const HookContext& context, const Instance& instance);

}  // namespace smtpd::host
