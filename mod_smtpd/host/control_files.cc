/// control_files.cc: a server's control files, read when they are asked for and again when they have changed.
#include "host/control_files.h"

#include "support/config_file.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace smtpd::host {

/// One name. The stamps say what the content was made from, or, before it was read, where the file might be.
class DirectoryControlFiles::Source final : public ControlSource {
public:
    Source(DirectoryControlFiles& owner, std::vector<std::string> directories, std::string_view name)
        : owner_(owner),
          directories_(std::move(directories)),
          name_(name),
          next_look_(owner.clock_.now() + owner.interval_) {
        for (const auto& directory : directories_)
            stamps_.push_back(support::FileStamp::of(format_text("{}/{}", directory, name_)));
    }

    std::uint64_t generation() override {
        const MonotonicTime now = owner_.clock_.now();
        if (now < next_look_.load(std::memory_order_relaxed)) return generation_.load(std::memory_order_acquire);
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (lock) check(now);  // else somebody looks or reads just now: what he finds is for the next call
        return generation_.load(std::memory_order_acquire);
    }

    Result<ControlText> text() override {
        generation();
        const std::lock_guard lock(mutex_);
        const std::uint64_t current = generation_.load(std::memory_order_relaxed);
        if (content_generation_ != current) {
            auto file = support::read_control_file(directories_, name_);
            content_ = std::move(file.text);
            stamps_ = std::move(file.files);
            content_generation_ = current;
        }
        return content_;
    }

    std::string path() const override {
        return support::find_control_file(directories_, name_).value_or(std::string());
    }

    void report(const std::string& problem) override {
        {
            const std::lock_guard lock(mutex_);
            const std::uint64_t current = generation_.load(std::memory_order_relaxed);
            if (std::exchange(reported_generation_, current) != current) reported_.clear();
            if (std::find(reported_.begin(), reported_.end(), problem) != reported_.end())
                return;  // several plugins read the same file
            reported_.push_back(problem);
        }
        owner_.report(problem.find(name_) == std::string::npos ? format_text("{}: {}", name_, problem) : problem);
    }

private:
    /// With the lock held. Stamps are taken anew, so that one change is one new generation.
    void check(MonotonicTime now) {
        if (now < next_look_.load(std::memory_order_relaxed)) return;
        next_look_.store(now + owner_.interval_, std::memory_order_relaxed);
        if (!support::any_changed(stamps_)) return;
        for (auto& stamp : stamps_) stamp = support::FileStamp::of(stamp.path);
        generation_.fetch_add(1, std::memory_order_release);
    }

    DirectoryControlFiles& owner_;
    const std::vector<std::string> directories_;
    const std::string name_;
    std::atomic<MonotonicTime> next_look_;
    std::atomic<std::uint64_t> generation_{1};

    std::mutex mutex_;  ///< guards what follows
    std::vector<support::FileStamp> stamps_;
    Result<ControlText> content_ = ControlText();
    std::uint64_t content_generation_ = 0;
    std::vector<std::string> reported_;
    std::uint64_t reported_generation_ = 0;
};

DirectoryControlFiles::DirectoryControlFiles(std::vector<std::string> directories, const Clock& clock, LogSink& log,
                                             Duration interval)
    : directories_(std::move(directories)), clock_(clock), log_(log), interval_(interval) {}

DirectoryControlFiles::~DirectoryControlFiles() = default;

std::shared_ptr<ControlSource> DirectoryControlFiles::source(std::string_view name) {
    return source(sources_, name, directories_, name);
}

std::shared_ptr<ControlSource> DirectoryControlFiles::source_at(std::string_view path) {
    const auto slash = path.rfind('/');
    return source(sources_elsewhere_, path, {std::string(path.substr(0, slash))}, path.substr(slash + 1));
}

std::shared_ptr<ControlSource> DirectoryControlFiles::source(Sources& known, std::string_view key,
                                                             std::vector<std::string> directories,
                                                             std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = known.find(key); found != known.end()) return found->second;
    return known.emplace(key, std::make_shared<Source>(*this, std::move(directories), name)).first->second;
}

std::vector<std::string> DirectoryControlFiles::take_problems() {
    const std::lock_guard lock(mutex_);
    return std::exchange(problems_, {});
}

void DirectoryControlFiles::started() {
    const std::lock_guard lock(mutex_);
    started_ = true;
}

void DirectoryControlFiles::report(const std::string& problem) {
    {
        const std::lock_guard lock(mutex_);
        if (!started_) {
            problems_.push_back(problem);
            return;
        }
    }
    if (!log_.enabled(LogLevel::warning)) return;
    const std::string text = format_text("{}; the content read before stays in use", problem);
    LogLine line;
    line.level = LogLevel::warning;
    line.text = text;
    log_.write(line);
}

}  // namespace smtpd::host
