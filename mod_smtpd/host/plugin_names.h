/// plugin_names.h: helps with names that no plugin has: former names, typing errors, and qpsmtpd plugins that do not
/// exist here.
#pragma once

#include "host/plugin_file.h"

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

/// Replaces a name that qpsmtpd gave up before 0.90 (`check_relay`, `denysoft_greylist`) by its current one, and its
/// options by theirs. Leaves other lines unchanged. True if it was a former name.
bool use_current_name(PluginLine& line);

/// ` (did you mean "queue/maildir"?)`, also for a name without its directory; "" if no name is similar.
std::string nearest_plugin(std::string_view name, const std::vector<std::string>& known);

/// "; " and the replacement for that qpsmtpd plugin; "" if it is not a qpsmtpd plugin.
std::string substitute_for(std::string_view name);

}  // namespace smtpd::host
