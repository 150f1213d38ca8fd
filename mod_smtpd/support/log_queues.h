/// log_queues.h: all queues of log lines (smtpd/server/log_queue.h) that have a thread in this process.
#pragma once

#include <chrono>

namespace smtpd::support {

/// Lets all queues finish at the same time, and ends their threads. Call it at the end of a process, after its last
/// session.
void stop_log_queues() noexcept;

/// Waits until all lines added so far have been written. False if that takes longer than `limit`.
bool settle_log_queues(std::chrono::milliseconds limit);

}  // namespace smtpd::support
