/// control_files.h: a server's control files: the first of some directories that has a file of that name holds it.
///
/// Each look decides anew which directory that is, so a file may appear, move or vanish. Content is kept until one of
/// the files it came from (also through `$include`) changes; their state is looked at once an interval. Thread-safe;
/// must outlive the sources it has given out.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/base/log.h>
#include <smtpd/control.h>
#include <smtpd/waiting.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

class DirectoryControlFiles final : public ControlFiles {
public:
    static constexpr Duration default_interval = std::chrono::seconds(1);

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

private:
    class Source;
    using Sources = std::map<std::string, std::shared_ptr<Source>, std::less<>>;

    /// The file `name` of these directories, which the map knows as `key`.
    std::shared_ptr<ControlSource> source(Sources& known, std::string_view key, std::vector<std::string> directories,
                                          std::string_view name);
    void report(const std::string& problem);

    const std::vector<std::string> directories_;
    const Clock& clock_;
    LogSink& log_;
    const Duration interval_;

    std::mutex mutex_;  ///< guards what follows
    Sources sources_;
    Sources sources_elsewhere_;  ///< by path
    std::vector<std::string> problems_;
    bool started_ = false;
};

}  // namespace smtpd::host
