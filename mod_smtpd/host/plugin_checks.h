/// plugin_checks.h: settings that are allowed but probably unintended: useless, or dangerous. Each kind of mistake is
/// one function, listed in a table. The results are warnings that say what happens and what to write instead. An
/// intended setting can be written so that its check does not warn.
#pragma once

#include "engine/auth_mechanisms.h"
#include "host/plugin_set.h"
#include "host/problem.h"

#include <smtpd/base/ip.h>
#include <smtpd/control.h>

#include <string>

namespace smtpd::host {

/// What the checks know about the server besides its plugins.
struct ServerFacts {
    std::string where;                      ///< position of SmtpEngine: "httpd.conf line 12"
    std::string server_name;                ///< qpsmtpd's `me`
    std::string control_dir;                ///< the directory to write control files to
    bool is_for_this_machine_only = false;  ///< it listens on loopback addresses only
    bool can_encrypt = false;               ///< TLS from the first octet, or STARTTLS
    bool allows_auth_without_tls = false;
    bool believes_proxies = false;  ///< about whether a client has authenticated
    bool is_submission = false;
    engine::AuthMechanismSet auth_mechanisms;
};

/// Only for a set whose plugins could all be created.
void check_plugins(const PluginSet& plugins, DirectoryControlFiles& control, const ServerFacts& facts,
                   Problems& problems);

/// Whether a network contains more public addresses than one site can own: an IPv4 network of less than 8 bits, or an
/// IPv6 network of less than 16 bits that is not within fc00::/7 or fe80::/10.
bool is_too_wide(const IpNetwork& network);

}  // namespace smtpd::host
