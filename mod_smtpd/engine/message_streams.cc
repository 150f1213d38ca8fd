/// message_streams.cc: see message_streams.h.
#include "engine/message_streams.h"

#include <smtpd/body_stream.h>

#include <mutex>
#include <utility>

namespace smtpd::engine {

/// One stream. If it blocks, its input is kept until a thread of its lane takes it; one such thread at a time. The
/// thread's work owns the feed, so that the feed can end without the session.
class MessageStreams::Feed final : public std::enable_shared_from_this<Feed> {
public:
    Feed(std::unique_ptr<MessageObserver> observer, TaskService* tasks, const Clock& clock)
        : observer_(std::move(observer)), tasks_(observer_->lane() == nullptr ? nullptr : tasks), clock_(clock) {}

    void chunk(std::string_view octets) {
        if (tasks_ == nullptr) return observer_->chunk(octets);
        const std::lock_guard lock(mutex_);
        if (state_ != State::open) return;
        pending_ += octets;
        call_thread();
    }

    void end() {
        if (tasks_ == nullptr) return observer_->end();
        const std::lock_guard lock(mutex_);
        if (state_ != State::open) return;
        state_ = State::complete;
        call_thread();
    }

    void abort() noexcept {
        if (tasks_ == nullptr) return observer_->abort();
        const std::lock_guard lock(mutex_);
        if (is_over()) return;
        state_ = State::aborted;
        pending_ = std::string();
        try {
            call_thread();
        } catch (...) {  // no memory: the observer is destroyed without a last call
        }
    }

    /// The thread's work on the pending input; null if there is none.
    std::shared_ptr<RunningTask> task() const {
        const std::lock_guard lock(mutex_);
        return is_over() || !has_thread_ ? nullptr : task_.lock();
    }
    std::size_t lag() const {
        const std::lock_guard lock(mutex_);
        return is_over() ? 0 : pending_.size() + in_hand_;
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

    /// Called by a thread of the lane: works until nothing is left to do.
    void work_off() {
        std::unique_lock lock(mutex_);
        bool is_at_end = false;
        while (state_ != State::aborted && !is_at_end) {
            const std::string octets = std::exchange(pending_, {});
            in_hand_ = octets.size();
            is_at_end = octets.empty();
            if (is_at_end && state_ == State::open) break;
            lock.unlock();
            is_at_end ? observer_->end() : observer_->chunk(octets);
            lock.lock();
        }
        in_hand_ = 0;
        has_thread_ = false;
        if (state_ == State::open) return;
        state_ = State::over;
        lock.unlock();
        if (!is_at_end) observer_->abort();
    }

    enum class State {
        open,      ///< more may come
        complete,  ///< the end must be reported after the pending input
        aborted,   ///< that must be reported as soon as the observer returns
        over       ///< it has been reported
    };
    bool is_over() const noexcept { return state_ == State::aborted || state_ == State::over; }

    const std::unique_ptr<MessageObserver> observer_;
    TaskService* const tasks_;
    const Clock& clock_;
    mutable std::mutex mutex_;  ///< guards the members below
    std::string pending_;
    std::size_t in_hand_ = 0;  ///< octets that the thread is processing
    State state_ = State::open;
    bool has_thread_ = false;          ///< a thread of the lane works for the stream, or will
    std::weak_ptr<RunningTask> task_;  ///< that thread's work; it owns the feed
    std::unique_ptr<TaskService::Started> started_;
};

MessageStreams::MessageStreams(MessageObservers observers, const Services& services, const Clock& clock) {
    for (auto& observer : observers)
        streams_.push_back(std::make_shared<Feed>(std::move(observer), services.tasks, clock));
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
