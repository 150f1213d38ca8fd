/// environment.h: what a server provides to its plugins. Everything pointed to must outlive the PluginSet.
#pragma once

#include "host/control_files.h"
#include "host/counters.h"
#include "support/heartbeat.h"

#include <smtpd/base/clock.h>
#include <smtpd/base/log.h>
#include <smtpd/plugin.h>
#include <smtpd/store/store.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

struct Environment {
    std::vector<std::string> plugin_dirs;           ///< searched in order
    std::vector<const PluginDescriptor*> built_in;  ///< plugins linked into the program; searched first
    DirectoryControlFiles* control = nullptr;
    std::string server_name;  ///< qpsmtpd's `me`
    const Clock* clock = nullptr;
    const support::Heartbeat* heartbeat = nullptr;  ///< avoids reading the clock; may be null
    LogSink* log = nullptr;                         ///< the server's own log, used by the LogRouter
    bool is_dry_run = false;                        ///< no client will connect; logging plugins get no lines
    /// Implement Setup::password_check() and sql_query(); empty: there are none.
    std::function<Result<const PasswordCheck*>(std::string_view name)> password_check;
    std::function<Result<const SqlQuery*>(std::string_view statement)> sql_query;
    StoreSpaces* stores = nullptr;  ///< implements Setup::store(); null: the server has no store
    std::function<std::string(std::string_view)> resolve_path;  ///< implements Setup::path(); empty: paths stay as they
                                                                ///< are
    /// The counters of an instance. If empty, or if it returns null for an instance, the counters live on the heap.
    std::function<PluginCounters*(const std::string& instance)> counters;
};

}  // namespace smtpd::host
