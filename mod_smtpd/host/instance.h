/// instance.h: the running form of one `SmtpPlugin` line: the plugin's object, its options, and what the host knows
/// about it.
///
/// Created while the configuration is read; from then on immutable except for the counters, and used by many threads.
#pragma once

#include "engine/server_access.h"
#include "host/counters.h"
#include "host/environment.h"
#include "host/log_router.h"
#include "host/options.h"
#include "host/plugin_file.h"
#include "host/problem.h"
#include "support/work_pool.h"

#include <smtpd/plugin.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::host {

/// A plugin's code: its descriptor, and the handle that keeps it in memory.
struct PluginCode {
    const PluginDescriptor* descriptor = nullptr;
    std::shared_ptr<const void> keep;
};

class Instance {
public:
    /// Creates the instance of that line. Null if there is an error; `problems` then contains all errors that could be
    /// found.
    static std::unique_ptr<Instance> make(const PluginLine& line, PluginCode code, const Environment& environment,
                                          LogRouter& log, Problems& problems);
    /// Checks the options of a line for which no instance is created.
    static void check(const PluginLine& line, PluginCode code, const Environment& environment, Problems& problems);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    const std::string& name() const noexcept { return name_; }          ///< "queue/maildir:archive"
    const std::string& position() const noexcept { return position_; }  ///< "httpd.conf line 12"
    /// The options that differ from their defaults, as they would be written.
    struct Setting {
        std::string name;
        std::string value;
    };
    std::vector<Setting> settings() const;
    bool is_policy() const noexcept { return is_policy_; }
    /// Whether its handlers look at the body of messages.
    bool reads_body() const noexcept { return code_.descriptor->reads_body; }
    /// Whether recipients of the same message may have different fates with this plugin.
    bool judges_recipients() const noexcept {
        return code_.descriptor->judges_recipients(options_.get()) ||
               code_.descriptor->delivers_to_each(options_.get());
    }
    bool sends_bounces() const noexcept { return code_.descriptor->sends_bounces; }
    // Facts for the checks of configtest (plugin_checks.h).
    bool accepts_recipients() const noexcept { return code_.descriptor->accepts_recipients(options_.get()); }
    bool takes_every_message() const noexcept { return code_.descriptor->takes_every_message(options_.get()); }
    bool settles_complaints() const noexcept { return code_.descriptor->settles_complaints(options_.get()); }
    const std::vector<FileUse>& files() const noexcept { return files_; }
    const std::string& subject() const noexcept { return subject_; }  ///< "SmtpPlugin queue/maildir"
    /// The lane in which calls of its handlers at that hook queue, because they wait for something other than the DNS;
    /// null if they do not wait.
    support::Lane* lane(HookId hook) const noexcept;
    /// The lane in which its tasks queue; null if it has none.
    support::Lane* task_lane() const noexcept { return code_.descriptor->runs_tasks ? own_lane_.get() : nullptr; }
    const PolicyDefaults& policy() const noexcept { return common_.policy; }
    Duration deadline() const noexcept { return common_.deadline; }
    PluginCounters& counters() const noexcept { return *counters_; }
    Plugin& plugin() const noexcept { return *plugin_; }

    /// For the plugin's own lines, and for the host's lines about the plugin, whose level `loglevel` does not change.
    const ServerAccess::Caller& caller() const noexcept { return caller_; }
    const ServerAccess::Caller& host_caller() const noexcept { return host_caller_; }

    using LogOutlets = std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>;
    /// The registered handlers; can be taken once.
    std::vector<std::pair<HookId, Handler>> take_handlers();
    LogOutlets take_log_outlets();

private:
    class InstanceSetup;

    Instance(const PluginLine& line, PluginCode code, const Environment& environment);
    bool read_options(const PluginLine& line, Problems& problems);
    void use_store(support::Lane* lane);
    bool create(const Environment& environment, LogRouter& log, Problems& problems);

    PluginCode code_;  ///< first, and so released last: the destructors of all members below may run its code
    std::string name_;
    std::string plugin_name_;
    std::string position_;
    std::string subject_;  ///< the beginning of messages about it: "SmtpPlugin queue/maildir"
    bool is_in_plugins_file_;
    bool is_policy_;
    std::vector<FileUse> files_;
    CommonOptions common_;
    ServerAccess::Caller caller_;
    ServerAccess::Caller host_caller_;
    HookSet waits_at_;
    std::unique_ptr<support::Lane> own_lane_;    ///< if it waits by itself at any hook, or has tasks
    support::Lane* store_lane_ = nullptr;        ///< of the store that it uses, if that may block
    std::unique_ptr<support::Lane> mixed_lane_;  ///< if it uses several lanes, so that it cannot hold one of them for
                                                 ///< all
    std::unique_ptr<PluginCounters> own_counters_;
    PluginCounters* counters_ = nullptr;
    std::unique_ptr<void, void (*)(void*)> options_;
    std::unique_ptr<InstanceSetup> setup_;
    std::unique_ptr<Plugin, void (*)(Plugin*)> plugin_;
};

/// The beginning of messages about a line: "SmtpPlugin queue/maildir" for a directive, "queue/maildir" for a line of a
/// plugins file.
std::string subject_of(const PluginLine& line);

}  // namespace smtpd::host
