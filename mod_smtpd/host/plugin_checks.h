/// plugin_checks.h: settings that are allowed but hardly intended: useless, or dangerous. Each kind of mistake is one
/// function, and a table has them all. What they find are warnings: they say what follows, and what to write instead.
/// A setting that is meant can be written so that its check is content.
#pragma once

#include "engine/auth_mechanisms.h"
#include "host/plugin_set.h"
#include "host/problem.h"

#include <smtpd/base/ip.h>
#include <smtpd/control.h>

#include <string>

namespace smtpd::host {

/// What the checks know of the server besides its plugins.
struct ServerFacts {
    std::string where;                      ///< where SmtpEngine stands: "httpd.conf line 12"
    std::string server_name;                ///< qpsmtpd's `me`
    std::string control_dir;                ///< where control files are to be written
    bool is_for_this_machine_only = false;  ///< it listens on loopback addresses only
    bool can_encrypt = false;               ///< TLS from the first octet, or STARTTLS
    bool allows_auth_without_tls = false;
    bool believes_proxies = false;  ///< that say who has logged in
    bool is_submission = false;
    engine::AuthMechanismSet auth_mechanisms;
};

/// Only for a set whose plugins could all be made.
void check_plugins(const PluginSet& plugins, DirectoryControlFiles& control, const ServerFacts& facts,
                   Problems& problems);

/// Whether a network holds so many public addresses that nobody has them all: an IPv4 network of less than 8 bits, or
/// an IPv6 network of less than 16 bits that is not within fc00::/7 or fe80::/10.
bool is_too_wide(const IpNetwork& network);

}  // namespace smtpd::host
