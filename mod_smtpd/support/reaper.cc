#include "support/reaper.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::support {
namespace {

constexpr std::chrono::milliseconds first_pause{1};  // a killed process has usually ended by then
constexpr std::chrono::seconds longest_pause{1};

}  // namespace

Reaper::Reaper() : Reaper([](pid_t process) { ::kill(process, SIGKILL); }) {}

Reaper::Reaper(Kill kill) : kill_(std::move(kill)) {}

/// Must not throw. If there is no memory for a process, it is killed nevertheless, and remains a zombie until this
/// process ends.
void Reaper::add(pid_t process, bool is_to_end) noexcept {
    const Entry entry{process, is_to_end, first_pause, Clock::now() + first_pause};
    const std::lock_guard lock(mutex_);
    forget_parent_locked();
    if (has_ended(entry)) return;  // its number may belong to another process by now
    if (is_to_end) kill_(process);
    if (stopping_) return;
    try {
        entries_.push_back(entry);
    } catch (const std::bad_alloc&) { return; }
    start_locked();
    look_locked(Clock::now());  // in case the thread could not be started
    changed_.notify_one();
}

/// Whether the process needs no more attention; one that is not a child of this process counts as ended.
bool Reaper::has_ended(const Entry& entry) const noexcept {
    const pid_t ended = ::waitpid(entry.process, nullptr, WNOHANG);
    return ended == entry.process || (ended < 0 && errno == ECHILD);
}

void Reaper::look_locked(Clock::time_point now) noexcept {
    std::erase_if(entries_, [&](Entry& entry) {
        if (now < entry.next) return false;
        if (has_ended(entry)) return true;
        if (entry.is_to_end) kill_(entry.process);
        entry.pause = std::min<Clock::duration>(entry.pause * 2, longest_pause);
        entry.next = now + entry.pause;
        return false;
    });
}

/// Blocks all signals, so that the thread inherits that: signals belong to httpd.
void Reaper::start_locked() noexcept {
    if (owner_ != 0) return;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] { run(); });
        owner_ = ::getpid();
    } catch (const std::system_error&) {
        // the next add() watches this one and tries again
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// After a fork(), neither the thread nor the processes belong to this process.
void Reaper::forget_parent_locked() noexcept {
    if (owner_ == 0 || owner_ == ::getpid()) return;
    new (&thread_) std::thread();  // there is nothing to join
    owner_ = 0;
    entries_.clear();
}

void Reaper::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (entries_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto next = std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
                              return a.next < b.next;
                          })->next;
        changed_.wait_until(lock, next);
        look_locked(Clock::now());
    }
}

std::size_t Reaper::unkilled() noexcept {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.is_to_end; }));
}

std::size_t Reaper::size() noexcept {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

void Reaper::stop() noexcept {
    std::thread thread;
    {
        const std::lock_guard lock(mutex_);
        forget_parent_locked();
        stopping_ = true;
        std::vector<Entry>().swap(entries_);
        thread.swap(thread_);
        changed_.notify_one();
    }
    if (thread.joinable()) thread.join();
}

/// It is stopped with the other statics, but stays usable: objects that are destroyed later still hand over their
/// processes.
Reaper& reaper() noexcept {
    alignas(Reaper) static unsigned char memory[sizeof(Reaper)];
    static Reaper& the_reaper = *new (memory) Reaper();
    struct Stop {
        ~Stop() { the_reaper.stop(); }
    };
    static const Stop stop_at_end;
    return the_reaper;
}

}  // namespace smtpd::support
