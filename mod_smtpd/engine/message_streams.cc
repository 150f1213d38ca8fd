/// message_streams.cc: see message_streams.h.
#include "engine/message_streams.h"

#include <smtpd/body_stream.h>

#include <mutex>
#include <utility>

namespace smtpd::engine {

/// One stream. Where it waits, what it is to get is kept until a thread of its lane takes it; one such thread at a time. The
/// thread's work holds the feed, so that it ends well without the session.
class MessageStreams::Feed final : public std::enable_shared_from_this<Feed> {
public:
    Feed(std::unique_ptr<MessageObserver> observer, TaskService* tasks, const Clock& clock)
        : observer_(std::move(observer)), tasks_(observer_->lane() == nullptr ? nullptr : tasks), clock_(clock) {}

    void chunk(std::string_view octets) {
        if (tasks_ == nullptr) return observer_->chunk(octets);
        const std::lock_guard lock(mutex_);
        if (is_aborted_) return;
        pending_ += octets;
        call_thread();
    }

    void end() {
        if (tasks_ == nullptr) return observer_->end();
        const std::lock_guard lock(mutex_);
        if (is_aborted_) return;
        is_ended_ = true;
        call_thread();
    }

    void abort() noexcept {
        if (tasks_ == nullptr) return observer_->abort();
        const std::lock_guard lock(mutex_);
        if (std::exchange(is_aborted_, true)) return;
        pending_ = std::string();
        try {
            call_thread();
        } catch (...) {  // no memory: the observer goes without a last word
        }
    }

    /// The work of the thread that has what comes next; null if nobody has anything to do.
    std::shared_ptr<RunningTask> task() const {
        const std::lock_guard lock(mutex_);
        return is_aborted_ || !has_thread_ ? nullptr : task_.lock();
    }
    std::size_t lag() const {
        const std::lock_guard lock(mutex_);
        return is_aborted_ ? 0 : pending_.size() + in_hand_;
    }
    const MessageObserver& observer() const noexcept { return *observer_; }

private:
    /// Called under the lock.
    void call_thread() {
        if (has_thread_) return;
        smtpd::detail::TaskWork work{[self = shared_from_this()](const TaskContext&) {
                                         self->work_off();
                                         return smtpd::detail::task_result<void>({});
                                     },
                                     [](Error error) { return smtpd::detail::task_result<void>(std::move(error)); }};
        auto task = std::make_shared<RunningTask>(std::move(work), clock_.now() + observer_->limit(), clock_);
        task_ = task;
        started_ = tasks_->start_task(*observer_->lane(), std::move(task));
        has_thread_ = true;
    }

    /// By a thread of the lane: until there is nothing left to do.
    void work_off() {
        std::unique_lock lock(mutex_);
        for (;;) {
            std::string octets = std::exchange(pending_, {});
            in_hand_ = octets.size();
            if (is_aborted_ || (octets.empty() && !is_ended_)) break;
            const bool is_last = octets.empty();
            lock.unlock();
            is_last ? observer_->end() : observer_->chunk(octets);
            lock.lock();
            if (!is_last) continue;
            is_aborted_ = true;  // nothing is left to be said
            has_thread_ = false;
            return;
        }
        in_hand_ = 0;
        has_thread_ = false;
        const bool is_to_abort = is_aborted_;
        lock.unlock();
        if (is_to_abort) observer_->abort();
    }

    const std::unique_ptr<MessageObserver> observer_;
    TaskService* const tasks_;
    const Clock& clock_;
    mutable std::mutex mutex_;  ///< guards what follows
    std::string pending_;
    std::size_t in_hand_ = 0;  ///< octets that the thread has taken and is not through with
    bool is_ended_ = false;
    bool is_aborted_ = false;
    bool has_thread_ = false;           ///< one of the lane's works for it, or will
    std::weak_ptr<RunningTask> task_;  ///< what that does; it holds the feed
    std::unique_ptr<TaskService::Started> started_;
};

MessageStreams::MessageStreams(MessageObservers observers, const Services& services, const Clock& clock) {
    for (auto& observer : observers) streams_.push_back(std::make_shared<Feed>(std::move(observer), services.tasks, clock));
}

MessageStreams::~MessageStreams() {
    for (const auto& stream : streams_)
        if (!has_ended_ || stream->task()) stream->abort();
}

void MessageStreams::chunk(std::string_view octets) {
    for (const auto& stream : streams_) stream->chunk(octets);
}

void MessageStreams::end() {
    has_ended_ = true;
    for (const auto& stream : streams_) stream->end();
}

std::vector<MessageStreams::Awaited> MessageStreams::awaited() const {
    std::vector<Awaited> out;
    for (const auto& stream : streams_) {
        auto task = stream->task();
        if (!task || (!has_ended_ && stream->lag() <= BodyStream::max_lag)) continue;
        out.push_back({stream->observer().name(), std::move(task), stream->observer().limit()});
    }
    return out;
}

void MessageStreams::leave_behind() {
    for (const auto& one : streams_)
        if (one->task() && (has_ended_ || one->lag() > BodyStream::max_lag)) one->abort();
}

}  // namespace smtpd::engine
