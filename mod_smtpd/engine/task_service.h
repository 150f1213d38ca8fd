/// task_service.h: through what a session has tasks done. Its driver implements it, because only the driver can wake
/// the session.
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

    /// A task on its way. The session that lets go of it takes the task back if it has not begun.
    class Started {
    public:
        virtual ~Started() = default;
    };
    /// Calls task->run() in a thread that may wait, when the lane has a place for it. When it has returned, the
    /// driver calls Session::resume().
    virtual std::unique_ptr<Started> start_task(support::Lane& lane, std::shared_ptr<RunningTask> task) = 0;
};

}  // namespace smtpd::engine
