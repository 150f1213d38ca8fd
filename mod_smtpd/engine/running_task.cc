/// running_task.cc: see running_task.h; and the results of tasks, by name.
#include "engine/running_task.h"

#include "support/thrown.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace smtpd {

void TaskResults::add(const void* instance, std::string key, detail::TaskResult result) {
    entries_.push_back({instance, std::move(key), std::move(result)});
}

const detail::TaskResult* TaskResults::find(const void* instance, std::string_view key) const noexcept {
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& one) { return one.instance == instance && one.key == key; });
    return entry == entries_.end() ? nullptr : &entry->result;
}

}  // namespace smtpd

namespace smtpd::engine {

void RunningTask::run() noexcept {
    detail::TaskWork work;
    {
        const std::lock_guard lock(mutex_);
        if (is_given_up_.load(std::memory_order_relaxed)) return;
        work = std::exchange(work_, {});
    }
    result_ = call(work);
    work = {};  // release its resources before the task counts as done
    is_done_.store(true, std::memory_order_release);
}

detail::TaskResult RunningTask::call(const detail::TaskWork& work) const noexcept {
    const TaskContext context(deadline_, clock_, is_given_up_);
    try {
        try {
            return work.run(context);
        } catch (...) { return fail_({ErrorCode::unavailable, support::thrown_text(), 0}); }
    } catch (...) {  // no memory for the error: result() makes another
        return {};
    }
}

void RunningTask::give_up() noexcept {
    detail::TaskWork work;
    const std::lock_guard lock(mutex_);
    is_given_up_.store(true, std::memory_order_relaxed);
    std::swap(work, work_);
}

detail::TaskResult RunningTask::result() const {
    if (!is_done()) return fail_({ErrorCode::timeout, "it did not end in time", 0});
    return result_.value ? result_ : fail_({ErrorCode::unavailable, "out of memory", 0});
}

}  // namespace smtpd::engine
