#include "httpd/waker.h"

#include <csignal>
#include <system_error>

namespace smtpd::httpd {

void Waker::at(Time time, Task task) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    const bool is_first = entries_.empty() || time < entries_.top().time;
    entries_.push({time, order_++, std::make_shared<Task>(std::move(task))});
    if (idle_ == 0) add_thread_locked();
    if (is_first) changed_.notify_one();
}

void Waker::every_second(Task task) {
    at(std::chrono::steady_clock::now() + std::chrono::seconds(1), [this, task]() {
        task();
        every_second(task);
    });
}

/// With all signals blocked, so that the new thread inherits that.
void Waker::add_thread_locked() {
    if (threads_.size() >= max_threads_) return;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
        // the threads that there are will get to it
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Waker::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        ++idle_;
        if (entries_.empty())
            changed_.wait(lock);
        else if (const Time next = entries_.top().time; std::chrono::steady_clock::now() < next)
            changed_.wait_until(lock, next);  // a copy: the queue changes meanwhile
        --idle_;
        if (stopping_ || entries_.empty() || std::chrono::steady_clock::now() < entries_.top().time) continue;
        const auto task = entries_.top().task;
        entries_.pop();
        if (!entries_.empty()) {  // somebody has to watch the next one while this thread works
            if (idle_ == 0) add_thread_locked();
            changed_.notify_one();
        }
        lock.unlock();
        (*task)();
        lock.lock();
    }
}

void Waker::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        stopping_ = true;
        changed_.notify_all();
    }
    for (auto& thread : threads_) thread.join();
    const std::lock_guard lock(mutex_);
    threads_.clear();
    entries_ = {};
}

}  // namespace smtpd::httpd
