#include "support/work_pool.h"

#include <algorithm>
#include <csignal>
#include <system_error>
#include <utility>

namespace smtpd::support {

struct Lane::Job {
    Job(Lane& lane, WorkPool::Task task) : lane(lane), task(std::move(task)) {}
    Lane& lane;
    WorkPool::Task task;
};

WorkPool::WorkPool(unsigned max_threads, Report report, Duration idle_time)
    : max_threads_(std::max(max_threads, 1U)), report_(std::move(report)), idle_time_(idle_time) {}

unsigned WorkPool::places_of(const Lane& lane) const noexcept {
    if (lane.places_ == 0) return std::max(max_threads_ / 2, 1U);
    return std::min(lane.places_, max_threads_);
}

WorkPool::Ticket WorkPool::submit(Lane& lane, Task task) {
    auto job = std::make_shared<Lane::Job>(lane, std::move(task));
    Ticket ticket;
    ticket.job_ = job;
    ticket.lane_ = &lane;
    std::unique_lock lock(mutex_);
    if (stopping_) return {};
    if (!lane.is_known_) known_.push_back(&lane);
    lane.is_known_ = true;
    lane.jobs_.push_back(std::move(job));
    try {
        if (has_place(lane) && !lane.is_ready_) ready_.push_back(&lane), lane.is_ready_ = true;
    } catch (...) {
        lane.jobs_.pop_back();
        throw;
    }
    ++waiting_;
    call_thread();
    join_ended(lock);
    return ticket;
}

bool WorkPool::cancel(const Ticket& ticket) noexcept {
    if (ticket.lane_ == nullptr) return false;
    const std::lock_guard lock(mutex_);
    const auto job = ticket.job_.lock();
    if (!job) return false;
    auto& jobs = ticket.lane_->jobs_;
    const auto place = std::find(jobs.begin(), jobs.end(), job);
    if (place == jobs.end()) return false;
    jobs.erase(place);
    --waiting_;
    return true;  // a lane that is ready without work is skipped
}

bool WorkPool::try_enter(Lane& lane) noexcept {
    const std::lock_guard lock(mutex_);
    if (stopping_ || !lane.jobs_.empty() || !has_place(lane)) return false;
    ++lane.taken_;
    return true;
}

void WorkPool::leave(Lane& lane) noexcept {
    const std::lock_guard lock(mutex_);
    --lane.taken_;
    make_ready(lane);
}

/// If there is no memory for the list, the lane's next submit() or leave() tries again.
void WorkPool::make_ready(Lane& lane) noexcept {
    if (lane.is_ready_ || lane.jobs_.empty() || !has_place(lane)) return;
    try {
        ready_.push_back(&lane);
        lane.is_ready_ = true;
        call_thread();
    } catch (...) {}
}

/// Makes a thread check ready_. Called under the lock.
void WorkPool::call_thread() {
    if (ready_.empty()) return;
    if (idle_ >= ready_.size()) return has_work_.notify_one();
    if (threads_.size() >= max_threads_) return;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits that
    try {
        const auto self = threads_.emplace(threads_.end());
        try {
            *self = std::thread([this, self] { run(self); });
            ++idle_;  // until it first checks ready_
        } catch (...) {
            threads_.erase(self);
            throw;
        }
    } catch (const std::exception&) {
        // The existing threads will do the work. If there are none, the next submit() tries again.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// The next work in turn, with a slot of its lane; null if there is none. Called under the lock.
std::shared_ptr<Lane::Job> WorkPool::next_job() noexcept {
    while (!ready_.empty()) {
        Lane& lane = *ready_.front();
        ready_.pop_front();
        lane.is_ready_ = false;
        if (lane.jobs_.empty() || !has_place(lane)) continue;
        auto job = std::move(lane.jobs_.front());
        lane.jobs_.pop_front();
        --waiting_;
        ++lane.taken_;
        make_ready(lane);  // after the others
        return job;
    }
    return nullptr;
}

/// False if the thread must end.
bool WorkPool::wait_for_work(std::unique_lock<std::mutex>& lock) {
    if (stopping_) return false;
    if (!ready_.empty()) return true;
    ++idle_;
    const auto status = has_work_.wait_for(lock, idle_time_);
    --idle_;
    return !stopping_ && (status == std::cv_status::no_timeout || !ready_.empty());
}

void WorkPool::run(std::list<std::thread>::iterator self) {
    std::unique_lock lock(mutex_);
    --idle_;
    while (wait_for_work(lock)) {
        while (auto job = stopping_ ? nullptr : next_job()) {
            lock.unlock();
            try {
                job->task();
            } catch (...) { report_(std::current_exception()); }
            Lane& lane = job->lane;
            job.reset();  // its task may hold the last reference to a large object
            lock.lock();
            --lane.taken_;
            make_ready(lane);
        }
    }
    ended_.splice(ended_.end(), threads_, self);
    has_ended_.notify_all();
}

/// Joins threads that have ended. Called regularly, so that none stays unjoined for long.
void WorkPool::join_ended(std::unique_lock<std::mutex>& lock) {
    if (ended_.empty()) return;
    std::list<std::thread> ended = std::move(ended_);
    ended_.clear();
    lock.unlock();
    for (auto& thread : ended) thread.join();
}

void WorkPool::stop() {
    // Destroyed without the lock, because objects that a job owns may use the pool.
    std::vector<std::deque<std::shared_ptr<Lane::Job>>> dropped;
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (Lane* lane : known_) {
        lane->is_ready_ = lane->is_known_ = false;
        dropped.push_back(std::exchange(lane->jobs_, {}));
    }
    known_.clear();
    waiting_ = 0;
    ready_.clear();
    has_work_.notify_all();
    has_ended_.wait(lock, [this] { return threads_.empty(); });
    join_ended(lock);
}

WorkPool::Load WorkPool::load() const {
    const std::lock_guard lock(mutex_);
    const auto threads = static_cast<unsigned>(threads_.size());
    return {threads, threads - idle_, waiting_};
}

}  // namespace smtpd::support
