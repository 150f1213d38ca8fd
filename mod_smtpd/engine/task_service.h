/// task_service.h: how a session has tasks run. Its driver implements it, because only the driver can wake the session.
#pragma once

#include "engine/running_task.h"

#include <memory>

namespace smtpd::support {
class Lane;
}

namespace smtpd::engine {

class TaskService {
public:
    virtual ~TaskService() = default;

    /// A started task. If the session destroys this object before the task has begun, the task is cancelled.
    class Started {
    public:
        virtual ~Started() = default;
    };
    /// Calls task->run() in a thread that may block, when the lane has a free slot. When it has returned, the driver
    /// calls Session::resume().
    virtual std::unique_ptr<Started> start_task(support::Lane& lane, std::shared_ptr<RunningTask> task) = 0;
};

}  // namespace smtpd::engine
