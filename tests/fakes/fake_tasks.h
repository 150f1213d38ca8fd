/// fake_tasks.h: the threads of a session under test that may wait: tasks end when the test says so.
#pragma once

#include "engine/task_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace smtpd::fakes {

class FakeTasks final : public engine::TaskService {
public:
    /// Drops tasks that have not begun, as a stopping pool does.
    ~FakeTasks() override { const auto dropped = std::exchange(waiting, {}); }

    std::unique_ptr<Started> start_task(support::Lane&, std::shared_ptr<engine::RunningTask> task) override {
        waiting.push_back(task);
        return std::make_unique<Entry>(*this, task);
    }

    /// Runs the first waiting task; false if there is none.
    bool run_one() {
        if (waiting.empty()) return false;
        const auto task = waiting.front();
        waiting.erase(waiting.begin());
        task->run();
        return true;
    }

    std::vector<std::shared_ptr<engine::RunningTask>> waiting;  ///< have not begun, and were not taken back

private:
    class Entry final : public Started {
    public:
        Entry(FakeTasks& tasks, std::weak_ptr<engine::RunningTask> task) : tasks_(tasks), task_(std::move(task)) {}
        ~Entry() override {
            if (const auto task = task_.lock()) std::erase(tasks_.waiting, task);
        }

    private:
        FakeTasks& tasks_;
        const std::weak_ptr<engine::RunningTask> task_;  ///< whose work may hold this
    };
};

}  // namespace smtpd::fakes
