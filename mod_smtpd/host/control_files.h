/// control_files.h: a server's control files. A file is read from the first of several directories that contains it.
///
/// Each check looks for that directory again, so a file may appear, move or disappear. Content is kept until one of the
/// files that it came from (also through `$include`) changes; their state is checked once an interval. Thread-safe;
/// must outlive the sources that it hands out.
///
/// A file that is being replaced may be missing, empty or half written for a moment. Such a state takes effect only
/// after it has lasted 15 seconds (settling_time). Until then the previous content stays in use, and the log says so. A
/// state is in doubt if a file with content
///
/// - is missing, or has no lines left;
/// - was written in place, and lacks lines that it had, or ends in the middle of a line.
///
/// Any other change takes effect at once, such as a complete file that is renamed over the old one.
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

/// Valid contents of control files, kept across a restart of the server.
class KeptContents {
public:
    virtual ~KeptContents() = default;
    /// Null if nothing is kept under that name.
    virtual const ControlText* find(const std::string& name) const = 0;
    virtual void keep(const std::string& name, const ControlText& text) = 0;
};

class DirectoryControlFiles final : public ControlFiles {
public:
    static constexpr Duration default_interval = std::chrono::seconds(1);
    static constexpr Duration settling_time = std::chrono::seconds(15);

    /// `directories` in the order of the search: the server's own, then qmail's. `log` gets the problems that occur
    /// after startup.
    DirectoryControlFiles(std::vector<std::string> directories, const Clock& clock, LogSink& log,
                          Duration interval = default_interval);
    ~DirectoryControlFiles() override;

    std::shared_ptr<ControlSource> source(std::string_view name) override;
    std::shared_ptr<ControlSource> source_at(std::string_view path) override;
    const std::vector<std::string>& directories() const noexcept { return directories_; }

    /// The configuration errors reported during startup since the last call.
    std::vector<std::string> take_problems();
    /// From now on, problems are warnings in the log, and the previous content stays in use.
    void started();
    /// Sets where contents are kept across a restart; call it before the first file is read. The kept content is used
    /// if a file has become wrong, or is in doubt. `kept` must stay valid until started() is called.
    void keep_contents(KeptContents& kept) noexcept { kept_ = &kept; }
    /// The existing files that were requested, and those that they include.
    std::vector<std::string> existing_files() const;

private:
    class Source;
    using Sources = std::map<std::string, std::shared_ptr<Source>, std::less<>>;

    /// The file `name` in these directories; `key` is its key in the map.
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
    mutable std::mutex mutex_;  ///< guards the members below
    Sources sources_;
    Sources sources_elsewhere_;  ///< by path
    std::vector<std::string> problems_;
};

}  // namespace smtpd::host
