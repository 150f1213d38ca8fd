/// control_files.cc: a server's control files, read when they are requested and again when they have changed.
#include "host/control_files.h"

#include "support/config_file.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <unordered_set>
#include <utility>

namespace smtpd::host {

namespace {

using support::FileStamp;

bool exists(const FileStamp& stamp) noexcept { return stamp.exists; }

std::vector<FileStamp> stamps_now(const std::vector<FileStamp>& stamps) {
    std::vector<FileStamp> out;
    for (const auto& stamp : stamps) out.push_back(FileStamp::of(stamp.path));
    return out;
}

/// Whether one of these files was modified in place, or is missing.
bool is_written_in_place(const std::vector<FileStamp>& before, const std::vector<FileStamp>& now) {
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (!before[i].exists || before[i] == now[i]) continue;
        if (!now[i].exists || (before[i].inode == now[i].inode && before[i].device == now[i].device)) return true;
    }
    return false;
}

bool lacks_lines(const ControlText& before, const ControlText& now) {
    std::unordered_set<std::string_view> lines;
    for (const auto& line : now) lines.insert(line.text);
    return std::any_of(before.begin(), before.end(),
                       [&](const ControlLine& line) { return !lines.contains(line.text); });
}

/// When the last of these states came about, as far as the file system tells; for a missing file, when its directory
/// last changed.
std::chrono::nanoseconds time_of_state(const std::vector<FileStamp>& stamps) {
    std::int64_t latest = 0;
    for (const auto& stamp : stamps) {
        const FileStamp told = stamp.exists ? stamp : FileStamp::of(stamp.path.substr(0, stamp.path.rfind('/')));
        latest = std::max({latest, told.modified, told.changed});
    }
    return std::chrono::nanoseconds(latest);
}

}  // namespace

/// One name. The stamps describe the files that the content came from or, before it was read, where the file might be.
class DirectoryControlFiles::Source final : public ControlSource {
public:
    Source(DirectoryControlFiles& owner, std::string key, std::vector<std::string> directories, std::string_view name)
        : owner_(owner),
          key_(std::move(key)),
          directories_(std::move(directories)),
          name_(name),
          next_look_(owner.clock_.now() + owner.interval_) {
        for (const auto& directory : directories_)
            stamps_.push_back(FileStamp::of(format_text("{}/{}", directory, name_)));
    }

    std::uint64_t generation() override {
        const MonotonicTime now = owner_.clock_.now();
        if (now < next_look_.load(std::memory_order_relaxed)) return generation_.load(std::memory_order_acquire);
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (lock) check(now);  // otherwise another thread is checking; the next call gets its result
        return generation_.load(std::memory_order_acquire);
    }

    Result<ControlText> text() override {
        generation();
        const std::lock_guard lock(mutex_);
        if (!std::exchange(is_read_as_text_, true)) {
            doubt_.reset();
            take(support::read_control_file(directories_, name_));
            doubt_first_content();
        }
        return content_;
    }

    std::string path() const override {
        return support::find_control_file(directories_, name_).value_or(std::string());
    }

    void report(const std::string& problem) override {
        bool is_kept = false;
        {
            const std::lock_guard lock(mutex_);
            const std::uint64_t current = generation_.load(std::memory_order_relaxed);
            if (std::exchange(reported_generation_, current) != current) reported_.clear();
            if (std::find(reported_.begin(), reported_.end(), problem) != reported_.end())
                return;  // several plugins read the same file
            reported_.push_back(problem);
            is_kept = kept() != nullptr;
        }
        const std::string text = problem.find(name_) == std::string::npos ? format_text("{}: {}", name_, problem)
                                                                          : problem;
        is_kept ? owner_.warn(format_text("{}; the previous content stays in use", text)) : owner_.report(text);
    }

    bool fall_back() override {
        const std::lock_guard lock(mutex_);
        const ControlText* const older = kept();
        if (older == nullptr) return false;
        content_ = *older;
        return true;
    }

    /// Stores valid content so that it survives a restart.
    void keep() {
        const std::lock_guard lock(mutex_);
        if (owner_.kept_ != nullptr && is_read_as_text_ && content_ && !content_->empty()) {
            const bool is_reported = reported_generation_ == generation_.load(std::memory_order_relaxed);
            if (!is_reported || kept() != nullptr) owner_.kept_->keep(key_, *content_);
        }
    }

    void append_existing(std::vector<std::string>& paths) {
        const std::lock_guard lock(mutex_);
        for (const auto& stamp : stamps_)
            if (stamp.exists) paths.push_back(stamp.path);
    }

private:
    /// A state that has not taken effect yet.
    struct Doubt {
        std::vector<FileStamp> state;
        MonotonicTime since;
        std::string what;
    };

    const ControlText* kept() const {
        return owner_.started_ || owner_.kept_ == nullptr ? nullptr : owner_.kept_->find(key_);
    }

    /// Called with the lock held. Takes new stamps, so that one change makes one new generation.
    void check(MonotonicTime now) {
        if (now < next_look_.load(std::memory_order_relaxed)) return;
        next_look_.store(now + owner_.interval_, std::memory_order_relaxed);
        if (!support::any_changed(doubt_ ? doubt_->state : stamps_)) {
            if (!doubt_ || !has_settled(now)) return;
            owner_.warn(format_text("{}, and this has not changed for {} seconds: it takes effect now", doubt_->what,
                                    std::chrono::seconds(settling_time / std::chrono::seconds(1)).count()));
        } else if (doubt_ && !support::any_changed(stamps_)) {  // as before: nothing changed
            doubt_.reset();
            return;
        }
        support::ConfigFile file;
        if (is_read_as_text_) file = support::read_control_file(directories_, name_);
        else file.files = stamps_now(stamps_);
        std::string what = what_is_doubtful(file);
        if (!what.empty() && !(doubt_ && doubt_->state == file.files) && !is_old(file.files))
            return begin_doubt(std::move(what), std::move(file.files), now);
        doubt_.reset();
        if (reported_generation_ != generation_.load(std::memory_order_relaxed) && content_) good_ = *content_;
        generation_.fetch_add(1, std::memory_order_release);
        take(std::move(file));
    }

    void take(support::ConfigFile file) {
        content_ = std::move(file.text);
        stamps_ = std::move(file.files);
    }

    void begin_doubt(std::string what, std::vector<FileStamp> state, MonotonicTime now) {
        if (!doubt_ || doubt_->what != what)
            owner_.warn(format_text("{}; the previous content stays in use until this state has lasted {} seconds",
                                    what, std::chrono::seconds(settling_time / std::chrono::seconds(1)).count()));
        doubt_ = Doubt{std::move(state), now, std::move(what)};
    }

    bool has_settled(MonotonicTime now) const { return now - doubt_->since >= settling_time || is_old(doubt_->state); }

    static bool is_old(const std::vector<FileStamp>& state) {
        return std::chrono::system_clock::now().time_since_epoch() - time_of_state(state) >= settling_time;
    }

    /// "" if there is no reason to doubt the file's new state.
    std::string what_is_doubtful(const support::ConfigFile& file) const {
        const bool had_content = is_read_as_text_ ? !last_good().empty()
                                                  : std::any_of(stamps_.begin(), stamps_.end(), exists);
        if (!had_content) return {};
        const auto first = std::find_if(stamps_.begin(), stamps_.end(), exists);
        const std::string subject = first != stamps_.end() ? first->path : key_;
        const auto now = stamps_now(stamps_);
        if (std::none_of(now.begin(), now.end(), exists) && std::none_of(file.files.begin(), file.files.end(), exists))
            return subject + " is missing";
        if (!is_read_as_text_) {
            const bool is_empty = std::any_of(now.begin(), now.end(),
                                              [](const FileStamp& stamp) { return stamp.exists && stamp.size == 0; });
            return is_empty                            ? subject + " is empty"
                   : is_written_in_place(stamps_, now) ? subject + " is being written in place"
                                                       : std::string();
        }
        if (!file.text) return {};  // an error, which leaves the content as it is
        if (file.text->empty()) return subject + " is empty";
        if (!doubt_ && !is_written_in_place(stamps_, now)) return {};
        if (lacks_lines(last_good(), *file.text)) return subject + " has lost lines while it was written in place";
        return file.ends_in_mid_line ? subject + " ends in the middle of a line" : std::string();
    }

    ControlText last_good() const {
        const bool is_wrong = reported_generation_ == generation_.load(std::memory_order_relaxed) || !content_;
        return is_wrong ? good_ : *content_;
    }

    /// After a restart: if the file is in doubt now, starts with the content that was valid before.
    void doubt_first_content() {
        const ControlText* const older = kept();
        if (older == nullptr || !content_ || !content_->empty() || is_old(stamps_)) return;
        content_ = *older;
        const bool is_there = std::any_of(stamps_.begin(), stamps_.end(), exists);
        begin_doubt(format_text("{} is {}", key_, is_there ? "empty" : "missing"), stamps_, owner_.clock_.now());
    }

    DirectoryControlFiles& owner_;
    const std::string key_;
    const std::vector<std::string> directories_;
    const std::string name_;
    std::atomic<MonotonicTime> next_look_;
    std::atomic<std::uint64_t> generation_{1};

    std::mutex mutex_;  ///< guards the members below
    std::vector<FileStamp> stamps_;
    bool is_read_as_text_ = false;  ///< false for a cdb
    Result<ControlText> content_ = ControlText();
    ControlText good_;  ///< the content before `content_`, which turned out to be wrong
    std::optional<Doubt> doubt_;
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
    std::string full_key = format_text("{}/{}", directories.empty() ? "" : directories.front(), name);
    return known.emplace(key, std::make_shared<Source>(*this, std::move(full_key), std::move(directories), name))
        .first->second;
}

std::vector<std::string> DirectoryControlFiles::take_problems() {
    const std::lock_guard lock(mutex_);
    return std::exchange(problems_, {});
}

void DirectoryControlFiles::started() {
    if (started_) return;
    for (const auto& source : all_sources()) source->keep();
    started_ = true;
}

std::vector<std::string> DirectoryControlFiles::existing_files() const {
    std::vector<std::string> paths;
    for (const auto& source : all_sources()) source->append_existing(paths);
    return paths;
}

std::vector<std::shared_ptr<DirectoryControlFiles::Source>> DirectoryControlFiles::all_sources() const {
    std::vector<std::shared_ptr<Source>> out;
    const std::lock_guard lock(mutex_);
    for (const Sources* sources : {&sources_, &sources_elsewhere_})
        for (const auto& [name, source] : *sources) out.push_back(source);
    return out;
}

void DirectoryControlFiles::report(const std::string& problem) {
    if (!started_) {
        const std::lock_guard lock(mutex_);
        problems_.push_back(problem);
        return;
    }
    warn(format_text("{}; the previous content stays in use", problem));
}

void DirectoryControlFiles::warn(const std::string& text) {
    if (!log_.enabled(LogLevel::warning)) return;
    LogLine line;
    line.level = LogLevel::warning;
    line.text = text;
    log_.write(line);
}

}  // namespace smtpd::host
