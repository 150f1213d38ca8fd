/// log_queue.cc: see smtpd/server/log_queue.h and support/log_queues.h.
#include <smtpd/server/log_queue.h>

#include "support/log_queues.h"

#include "support/thrown.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <exception>
#include <iterator>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace smtpd {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

/// How long the reader may take nothing when the process must end.
constexpr std::chrono::seconds last_wait{2};
/// How often a wait checks whether the process must end.
constexpr milliseconds slice{100};

/// A signal that ends the process (mpm_prefork) runs the end of the process in the thread that receives it: it must not
/// come while that thread holds the lock.
class SignalsHeld {
public:
    SignalsHeld() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

private:
    sigset_t before_{};
};

/// A copy of a LogLine and its target. One with a number reports how many lines were dropped before it.
class HeldLine {
public:
    HeldLine(LogQueue::WallTime when, const LogLine& line, std::string_view target, std::uint64_t dropped = 0)
        : when_(when), level_(line.level), dropped_(dropped), target_(target) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < std::size(fields); ++i) size += sizes_[i] = (line.*fields[i]).size();
        octets_.reserve(size);
        for (const auto field : fields) octets_ += line.*field;
    }

    LogQueue::WallTime when() const noexcept { return when_; }
    const std::string& target() const noexcept { return target_; }
    std::uint64_t dropped() const noexcept { return dropped_; }
    std::size_t memory() const noexcept { return sizeof *this + octets_.capacity() + target_.capacity(); }
    LogLine line() const noexcept {
        LogLine line;
        line.level = level_;
        std::string_view rest = octets_;
        for (std::size_t i = 0; i < std::size(fields); ++i) {
            line.*fields[i] = rest.substr(0, sizes_[i]);
            rest.remove_prefix(sizes_[i]);
        }
        return line;
    }

private:
    LogQueue::WallTime when_;
    LogLevel level_;
    std::uint64_t dropped_;
    std::string octets_;
    std::string target_;
    static constexpr std::string_view LogLine::*fields[] = {&LogLine::session, &LogLine::transaction, &LogLine::hook,
                                                            &LogLine::plugin,  &LogLine::text,        &LogLine::client,
                                                            &LogLine::peer};
    std::size_t sizes_[std::size(fields)] = {};
};

/// "1 line was dropped", "4711 lines were dropped".
std::string lines_were(std::uint64_t number, std::string_view what) {
    return format_text("{} {} {}", number, number == 1 ? "line was" : "lines were", what);
}

/// The queues that have a thread.
struct Running {
    std::mutex mutex;
    std::vector<LogQueue::State*> queues;
};

/// Never destroyed: queues may be destroyed after the statics, when the process ends.
Running& running() {
    alignas(Running) static unsigned char memory[sizeof(Running)];
    static Running& the_running = *new (memory) Running();
    return the_running;
}

}  // namespace

LogQueue::Wait::~Wait() = default;
LogQueue::Writer::~Writer() = default;

Result<void> LogQueue::Wait::write(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t written = ::write(descriptor, octets.data(), octets.size());
        if (written >= 0) octets.remove_prefix(static_cast<std::size_t>(written));
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!until_writable(descriptor)) return Error{ErrorCode::timeout, "the reader takes no data", 0};
        } else if (errno != EINTR) {
            return os_error("cannot write", errno);
        }
    }
    return {};
}

class LogQueue::State final : public Wait {
public:
    State(std::string instance, Writer& writer, LogSink& server_log, std::size_t limit)
        : instance_(std::move(instance)), writer_(writer), server_log_(server_log), limit_(limit) {}

    void start();
    void add(WallTime when, const LogLine& line, std::string_view target) noexcept;
    void begin_stop() noexcept;
    void finish_stop() noexcept;
    bool settle(SteadyTime limit);

    bool until_writable(int descriptor) override;
    bool pause(milliseconds time) override;

private:
    enum class Added { waits, wakes, dropped, dropped_first, too_late };

    Added add_locked(HeldLine line);
    void push_count_locked();
    void run();
    bool next_locked(std::unique_lock<std::mutex>& lock);
    void write_first(const HeldLine& held);
    bool try_to_write(const HeldLine& held, const LogLine& line) noexcept;
    void give_up_locked(std::unique_lock<std::mutex>& lock);
    bool is_over() noexcept;
    void report(LogLevel level, std::string_view text) noexcept;

    const std::string instance_;
    Writer& writer_;
    LogSink& server_log_;
    const std::size_t limit_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::condition_variable settled_;
    std::deque<HeldLine> lines_;  ///< the first one is being written
    std::size_t memory_ = 0;      ///< of lines_
    std::uint64_t dropped_ = 0;   ///< since a line was last taken
    WallTime last_drop_{};        ///< when the last dropped line was added
    std::string last_target_;     ///< ... and its target
    bool is_idle_ = false;        ///< the thread waits for lines
    bool has_stopped_ = false;

    SteadyTime stop_began_{};  ///< set before stopping_ is
    std::atomic<bool> stopping_{false};
    std::thread thread_;
    // Used by the thread only:
    bool has_told_idle_ = true;
    bool has_failed_ = false;
    bool has_given_up_ = false;
    SteadyTime last_progress_{};
};

void LogQueue::State::start() {
    const SignalsHeld held;  // the thread inherits that: signals belong to httpd
    auto& all = running();
    const std::lock_guard lock(all.mutex);
    all.queues.push_back(this);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (...) {
        all.queues.pop_back();
        throw;
    }
}

// ---- the threads that add lines

void LogQueue::State::add(WallTime when, const LogLine& line, std::string_view target) noexcept {
    Added added = Added::dropped;
    try {
        HeldLine copy(when, line, target);
        const SignalsHeld held;
        const std::lock_guard lock(mutex_);
        added = add_locked(std::move(copy));
    } catch (const std::bad_alloc&) {
        const SignalsHeld held;
        const std::lock_guard lock(mutex_);
        ++dropped_;
        last_drop_ = when;
    }
    if (added == Added::wakes) changed_.notify_one();
    if (added == Added::dropped_first)
        report(LogLevel::warning,
               "SMTPD0070: the reader of this log takes no more lines; further lines are dropped until it does");
    if (added == Added::too_late && line.level > LogLevel::warning) server_log_.write(line);
}

/// After lines were dropped, no line is accepted until half of the room is free, so that a slow reader gets pieces
/// without gaps, and few counts.
LogQueue::State::Added LogQueue::State::add_locked(HeldLine line) {
    if (has_stopped_) return Added::too_late;
    const std::size_t room = dropped_ > 0 ? limit_ / 2 : limit_;
    if (!lines_.empty() && memory_ + line.memory() > room) {
        last_drop_ = line.when();
        last_target_ = line.target();
        return dropped_++ == 0 ? Added::dropped_first : Added::dropped;
    }
    if (dropped_ > 0) push_count_locked();
    memory_ += line.memory();
    lines_.push_back(std::move(line));
    return is_idle_ ? Added::wakes : Added::waits;
}

/// Adds the count to the log itself, in place of the missing lines.
void LogQueue::State::push_count_locked() {
    const std::string text = lines_were(dropped_, "dropped");
    LogLine line;
    line.level = LogLevel::warning;
    line.hook = "logging";
    line.plugin = instance_;
    line.text = text;
    HeldLine held(last_drop_, line, last_target_, dropped_);
    memory_ += held.memory();
    lines_.push_back(std::move(held));
    dropped_ = 0;
}

// ---- the thread that writes

void LogQueue::State::run() {
    last_progress_ = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (next_locked(lock)) {
        const HeldLine& first = lines_.front();
        lock.unlock();
        write_first(first);
        lock.lock();
        if (has_given_up_) return give_up_locked(lock);
        memory_ -= lines_.front().memory();
        lines_.pop_front();
    }
}

/// Waits for a line. False if there will be none.
bool LogQueue::State::next_locked(std::unique_lock<std::mutex>& lock) {
    while (lines_.empty()) {
        if (dropped_ > 0) {
            push_count_locked();
        } else if (!std::exchange(has_told_idle_, true)) {
            lock.unlock();
            try {
                writer_.idle();
            } catch (...) {
                // files that should be closed stay open
            }
            lock.lock();
        } else {
            settled_.notify_all();
            if (stopping_) {
                has_stopped_ = true;
                return false;
            }
            is_idle_ = true;
            changed_.wait(lock);
            is_idle_ = false;
        }
    }
    has_told_idle_ = false;
    return true;
}

void LogQueue::State::write_first(const HeldLine& held) {
    const LogLine line = held.line();
    if (try_to_write(held, line)) last_progress_ = std::chrono::steady_clock::now();
    else if (!has_given_up_ && line.level > LogLevel::warning) server_log_.write(line);
    if (held.dropped() > 0 && !has_given_up_)
        report(LogLevel::warning, format_text("SMTPD0071: {} before the reader of this log took lines again",
                                              lines_were(held.dropped(), "dropped")));
}

bool LogQueue::State::try_to_write(const HeldLine& held, const LogLine& line) noexcept {
    try {
        return writer_.write({held.when(), line, held.target()}, *this);
    } catch (...) {
        if (!std::exchange(has_failed_, true))
            report(LogLevel::crit, format_text("plugin fault: {} (reported once)", support::thrown_text()));
        return false;
    }
}

bool LogQueue::State::until_writable(int descriptor) {
    while (!is_over()) {
        pollfd wanted{descriptor, POLLOUT, 0};
        const int ready = ::poll(&wanted, 1, static_cast<int>(slice.count()));
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        last_progress_ = std::chrono::steady_clock::now();
        return true;
    }
    return false;
}

bool LogQueue::State::pause(milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!is_over()) {
        const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) return true;
        std::this_thread::sleep_for(std::min(left, slice));
    }
    return false;
}

/// Whether the process must end and the reader has had its time.
bool LogQueue::State::is_over() noexcept {
    const auto now = std::chrono::steady_clock::now();
    if (!stopping_) last_progress_ = now;
    else if (now - std::max(last_progress_, stop_began_) >= last_wait) has_given_up_ = true;
    return has_given_up_;
}

void LogQueue::State::give_up_locked(std::unique_lock<std::mutex>& lock) {
    std::uint64_t lost = std::exchange(dropped_, 0);
    for (const auto& held : lines_) lost += std::max<std::uint64_t>(held.dropped(), 1);
    lines_.clear();
    memory_ = 0;
    has_stopped_ = true;
    settled_.notify_all();
    lock.unlock();
    report(LogLevel::warning, format_text("SMTPD0072: {}: the process ends, and the reader of this log takes none",
                                          lines_were(lost, "lost")));
    lock.lock();
}

// ---- the end

void LogQueue::State::begin_stop() noexcept {
    const SignalsHeld held;
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stop_began_ = std::chrono::steady_clock::now();
    stopping_ = true;
    changed_.notify_one();
}

/// Without a thread (if it was never started), the caller writes.
void LogQueue::State::finish_stop() noexcept {
    {
        auto& all = running();
        const std::lock_guard lock(all.mutex);
        std::erase(all.queues, this);
    }
    if (thread_.joinable()) thread_.join();
    else if (!has_stopped_) run();
    const SignalsHeld held;
    const std::lock_guard lock(mutex_);
    has_stopped_ = true;
}

bool LogQueue::State::settle(SteadyTime limit) {
    std::unique_lock lock(mutex_);
    return settled_.wait_until(lock, limit, [this] { return (lines_.empty() && is_idle_) || has_stopped_; });
}

void LogQueue::State::report(LogLevel level, std::string_view text) noexcept {
    LogLine line;
    line.level = level;
    line.hook = "logging";
    line.plugin = instance_;
    line.text = text;
    server_log_.write(line);
}

LogQueue::LogQueue(std::string instance, Writer& writer, LogSink& server_log, ByteCount limit)
    : state_(std::make_unique<State>(std::move(instance), writer, server_log, limit.value)) {}

LogQueue::~LogQueue() { stop(); }

void LogQueue::start() { state_->start(); }

void LogQueue::add(WallTime when, const LogLine& line, std::string_view target) noexcept {
    state_->add(when, line, target);
}

void LogQueue::stop() noexcept {
    state_->begin_stop();
    state_->finish_stop();
}

namespace support {

void stop_log_queues() noexcept {
    std::vector<LogQueue::State*> queues;
    {
        const std::lock_guard lock(running().mutex);
        queues.swap(running().queues);
    }
    for (auto* const queue : queues) queue->begin_stop();
    for (auto* const queue : queues) queue->finish_stop();
}

bool settle_log_queues(milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    const std::lock_guard lock(running().mutex);
    return std::all_of(running().queues.begin(), running().queues.end(),
                       [end](auto* queue) { return queue->settle(end); });
}

}  // namespace support
}  // namespace smtpd
