/// task.h: work that waits for something other than the DNS, in parallel with a stage's questions.
///
///     setup.hooks.data_post.ask([this](const DataPostHook& hook, Questions& questions) {
///         questions.task("scan",
///                        [this, message = hook.message().snapshot()](const TaskContext& task) -> Result<Scan> {
///                            return scan(*message, task.time_left());
///                        });
///     }).decide([](const DataPostHook&, const Answers& answers) -> Finding {
///         const Result<Scan>& scan = answers.task<Scan>("scan");
///         if (!scan) return error("{}", scan.error().what);
///         …
///     });
///
/// All tasks of a stage run at the same time as its DNS questions, each in a thread of its own under the event MPM.
/// (Under worker and prefork, a task runs at once, in the session's own thread.) The session is parked until the tasks
/// have ended or their time has passed. A plugin with tasks declares `static constexpr bool runs_tasks = true;` and
/// gets the option `concurrency`, which limits how many of its tasks run at the same time.
///
/// A task must not access the session, which may end before it: the function passed to task() must own everything that
/// it needs.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/result.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace smtpd {

using Duration = std::chrono::milliseconds;

/// What a running task can query. Thread-safe.
class TaskContext {
public:
    TaskContext(MonotonicTime deadline, const Clock& clock, const std::atomic<bool>& is_given_up) noexcept
        : deadline_(deadline), clock_(clock), is_given_up_(is_given_up) {}

    /// When the session stops waiting for the result.
    MonotonicTime deadline() const noexcept { return deadline_; }
    /// The time until then, at least 0.
    Duration time_left() const noexcept {
        return std::max(Duration(0), std::chrono::floor<Duration>(deadline_ - clock_.now()));
    }
    /// The result is no longer needed: the session has ended, or the time has passed.
    bool is_given_up() const noexcept { return is_given_up_.load(std::memory_order_relaxed); }
    const Clock& clock() const noexcept { return clock_; }

private:
    const MonotonicTime deadline_;
    const Clock& clock_;
    const std::atomic<bool>& is_given_up_;
};

namespace detail {

/// The value type T of a task function that returns T or Result<T>.
template <class T>
struct TaskValue {
    using Type = T;
};
template <class T>
struct TaskValue<Result<T>> {
    using Type = T;
};

/// A Result<T> with its type erased.
struct TaskResult {
    std::shared_ptr<const void> value;
    const std::type_info* type = nullptr;
};

/// A task with its types erased.
struct TaskWork {
    std::function<TaskResult(const TaskContext&)> run;  ///< may throw
    TaskResult (*fail)(Error error) = nullptr;
};

template <class T>
TaskResult task_result(Result<T> result) {
    return {std::make_shared<const Result<T>>(std::move(result)), &typeid(T)};
}

template <class F>
TaskWork erase_task(F function) {
    using Value = std::invoke_result_t<F&, const TaskContext&>;
    using T = typename TaskValue<Value>::Type;
    return {[function = std::make_shared<F>(std::move(function))](const TaskContext& context) -> TaskResult {
                if constexpr (std::is_void_v<Value>) {
                    (*function)(context);
                    return task_result<void>({});
                } else {
                    return task_result<T>((*function)(context));
                }
            },
            [](Error error) { return task_result<T>(std::move(error)); }};
}

}  // namespace detail

/// The results of a stage's tasks. Each plugin instance has its own keys. Used by one thread at a time.
class SMTPD_API TaskResults {
public:
    void add(const void* instance, std::string key, detail::TaskResult result);
    /// Null if no task has that key, or if the task has not ended.
    const detail::TaskResult* find(const void* instance, std::string_view key) const noexcept;

private:
    struct Entry {
        const void* instance;
        std::string key;
        detail::TaskResult result;
    };
    std::vector<Entry> entries_;
};

namespace detail {
/// The result with the expected type. An Error if there is none, or if it has another type.
template <class T>
const Result<T>& result_of(const TaskResult* result) {
    static const Result<T> none(Error{ErrorCode::not_found, "there was no such task", 0});
    static const Result<T> other(Error{ErrorCode::not_found, "the task's result has another type", 0});
    if (result == nullptr) return none;
    return *result->type == typeid(T) ? *static_cast<const Result<T>*>(result->value.get()) : other;
}
}  // namespace detail

}  // namespace smtpd
