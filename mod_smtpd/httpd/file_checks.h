/// file_checks.h: checks whether the serving user may use the files of a server's plugins and its control files, and
/// whether others can read what they should not. The results are warnings that name the command to correct the problem.
#pragma once

#include "host/control_files.h"
#include "host/plugin_set.h"
#include "host/problem.h"

#include <optional>
#include <string>

namespace smtpd::httpd {

/// `control_dir` is SmtpControlDir, if it is set; `where` is the position of SmtpEngine.
void check_files(const host::PluginSet& plugins, host::DirectoryControlFiles& control,
                 const std::optional<std::string>& control_dir, const std::string& where, host::Problems& problems);

}  // namespace smtpd::httpd
