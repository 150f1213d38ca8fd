/// plugin_names.h: names of plugins that people write and that none has: former ones, mistyped ones, and those of
/// qpsmtpd's plugins that do not exist here.
#pragma once

#include "host/plugin_file.h"

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

/// A name that qpsmtpd gave up (`check_relay`, `denysoft_greylist`, before 0.90) becomes the present one, and the
/// options what they are today. Other lines stay as they are. True if it was a former name.
bool use_current_name(PluginLine& line);

/// ` (did you mean "queue/maildir"?)`, also for a name without its folder; "" if nothing is near.
std::string nearest_plugin(std::string_view name, const std::vector<std::string>& known);

/// "; " and what does the work of that qpsmtpd plugin here; "" if it is none.
std::string substitute_for(std::string_view name);

}  // namespace smtpd::host
