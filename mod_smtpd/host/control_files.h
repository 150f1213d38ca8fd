/// control_files.h: a server's control files: the first of some directories that has a file of that name holds it.
///
/// Each look decides anew which directory that is, so a file may appear, move or vanish. Content is kept until one of
/// the files it came from (also through `$include`) changes; their state is looked at once an interval. Thread-safe;
/// must outlive the sources it has given out.
///
/// A file that is being replaced may be missing, empty or half written for a moment. Such a state counts only after it
/// has been the same for 15 seconds (settling_time). Until then the content read before stays in use, and the log says
/// so. A state is in doubt if a file with content
///
/// - is gone, or has no lines left;
/// - was written in place, and lacks lines that it had, or ends in the middle of a line.
///
/// Whatever else changes counts at once. In particular, a complete file that is renamed over the old one does.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/base/log.h>
#include <smtpd/control.h>
#include <smtpd/waiting.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

/// Content of control files that was good, kept over a restart of the server.
class KeptContents {
public:
    virtual ~KeptContents() = default;
    /// Null: nothing is kept under that name.
    virtual const ControlText* find(const std::string& name) const = 0;
    virtual void keep(const std::string& name, const ControlText& text) = 0;
};

class DirectoryControlFiles final : public ControlFiles {
public:
    static constexpr Duration default_interval = std::chrono::seconds(1);
    static constexpr Duration settling_time = std::chrono::seconds(15);

    /// `directories` in the order in which they are asked: the server's own, then qmail's. `log` gets the problems that
    /// come up after the start.
    DirectoryControlFiles(std::vector<std::string> directories, const Clock& clock, LogSink& log,
                          Duration interval = default_interval);
    ~DirectoryControlFiles() override;

    std::shared_ptr<ControlSource> source(std::string_view name) override;
    std::shared_ptr<ControlSource> source_at(std::string_view path) override;
    const std::vector<std::string>& directories() const noexcept { return directories_; }

    /// What was reported since the last call, while the server starts: configuration errors.
    std::vector<std::string> take_problems();
    /// From now on problems are warnings in the log, and the old content stays in use.
    void started();
    /// To be called before the first file is read: where content outlives a restart. It is used where a file has become
    /// wrong, or is in doubt. `kept` must outlive this object until started() was called.
    void keep_contents(KeptContents& kept) noexcept { kept_ = &kept; }
    /// The files that have been asked for and exist, with what they include.
    std::vector<std::string> existing_files() const;

private:
    class Source;
    using Sources = std::map<std::string, std::shared_ptr<Source>, std::less<>>;

    /// The file `name` of these directories, which the map knows as `key`.
    std::shared_ptr<ControlSource> source(Sources& known, std::string_view key, std::vector<std::string> directories,
                                          std::string_view name);
    std::vector<std::shared_ptr<Source>> all_sources() const;
    void report(const std::string& problem);
    void warn(const std::string& text);

    const std::vector<std::string> directories_;
    const Clock& clock_;
    LogSink& log_;
    const Duration interval_;

    KeptContents* kept_ = nullptr;
    std::atomic<bool> started_{false};
    mutable std::mutex mutex_;  ///< guards what follows
    Sources sources_;
    Sources sources_elsewhere_;  ///< by path
    std::vector<std::string> problems_;
};

}  // namespace smtpd::host
