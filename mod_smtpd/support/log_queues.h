/// log_queues.h: all queues of log lines (smtpd/server/log_queue.h) that have a thread in this process.
#pragma once

#include <chrono>

namespace smtpd::support {

/// Lets all of them finish at the same time, and ends their threads. At the end of a process, behind its last session.
void stop_log_queues() noexcept;

/// Waits until all lines that were added so far have been written. False when that takes longer.
bool settle_log_queues(std::chrono::milliseconds limit);

}  // namespace smtpd::support
