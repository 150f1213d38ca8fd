/// directive_values.h: what the setters of directives share: reading values and reporting errors.
#pragma once

#include "httpd/server_config.h"

#include <smtpd/base/format.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::httpd {

/// The configuration of the server that a directive belongs to.
inline ServerConfig& config_of(cmd_parms* cmd) { return config_of(cmd->server); }

/// An error of a directive; httpd adds file and line.
inline const char* complaint(cmd_parms* cmd, const std::string& text) { return apr_pstrdup(cmd->pool, text.c_str()); }

/// "httpd.conf line 12"
std::string where_of(const cmd_parms* cmd);

// Each sets the value and returns "", or returns what is allowed.
std::string read_count(std::string_view text, unsigned& value, unsigned least = 0);
std::string read_size(std::string_view text, std::uint64_t& value);
std::string read_time(std::string_view text, std::chrono::seconds& value);

/// Adds the networks from the argument `first` on. Returns null, or the error of the directive.
const char* read_networks(cmd_parms* cmd, int first, int argc, char* const argv[], std::vector<IpNetwork>& networks);

/// A setter for a directive with one argument. `read` sets the value and returns "", or returns what is allowed.
template <class T, class Read>
const char* set(cmd_parms* cmd, const char* argument, std::optional<T>& target, Read read) {
    T value{};
    const std::string allowed = read(std::string_view(argument), value);
    if (!allowed.empty())
        return complaint(cmd, format_text("{} takes {}, not \"{}\"", cmd->cmd->name, allowed, argument));
    target = std::move(value);
    return nullptr;
}

}  // namespace smtpd::httpd
