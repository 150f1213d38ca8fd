/// policy.h: turns a finding into a reply, a log line, karma, counters and complaints, for all plugins.
#pragma once

#include "host/instance.h"

#include <smtpd/finding.h>
#include <smtpd/hooks.h>

namespace smtpd::host {

/// The response for the client if a plugin failed.
Response temporary_failure();

/// Logs and counts that the plugin was skipped because of SessionContext::exemption(), and begins an entry of the
/// history.
void record_exemption(const SessionContext& context, const Instance& instance);

/// Does everything that the finding requires, and begins an entry of the history; returns the response for the chain.
Response settle(const Finding& finding, const SessionContext& context, const Instance& instance);

/// Completes the entry that settle() or record_exemption() began in the session's history, if there is a session: adds
/// the response and the times.
void complete_history(const HookContext& context, const Instance& instance, const Response& response,
                      MonotonicTime began, MonotonicTime ended) noexcept;
void record_fault(const HookContext& context, const Instance& instance, std::string text) noexcept;

}  // namespace smtpd::host
