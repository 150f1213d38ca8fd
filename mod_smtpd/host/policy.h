/// policy.h: what becomes of a finding: reply, log line, karma, counters, complaint. The one place for all plugins.
#pragma once

#include "host/instance.h"

#include <smtpd/finding.h>
#include <smtpd/hooks.h>

namespace smtpd::host {

/// What a client is told when a plugin could not do its work.
Response temporary_failure();

/// Logs and counts that the plugin was not asked because of SessionContext::exemption(), and begins an entry of the
/// history.
void record_exemption(const SessionContext& context, const Instance& instance);

/// Does everything that the finding asks for, and begins an entry of the history; gives what is left for the chain to
/// know.
Response settle(const Finding& finding, const SessionContext& context, const Instance& instance);

/// What the history of the session, if there is one, says about a handler that had something to say: adds the response
/// and the times to what settle() or record_exemption() began.
void complete_history(const HookContext& context, const Instance& instance, const Response& response,
                      MonotonicTime began, MonotonicTime ended) noexcept;
void record_fault(const HookContext& context, const Instance& instance, std::string text) noexcept;

}  // namespace smtpd::host
