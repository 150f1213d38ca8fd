/// tls_config.h: the configuration of TLS: mod_ssl's directives, and qpsmtpd's equivalents.
#pragma once

#include "httpd/apache.h"

#include "engine/settings.h"
#include "host/control_files.h"
#include "host/plugin_file.h"
#include "host/problem.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

/// The virtual hosts with `SSLEngine on`, in the order of the configuration; while it is checked, or later.
std::vector<server_rec*> servers_with_tls(server_rec* main_server);
/// Whether `name` is the server's ServerName or one of its ServerAliases.
bool is_called(const server_rec* server, const char* name);
/// The first of these servers with that name; a ServerName takes precedence over a ServerAlias. Null if there is none.
/// "mx.example.com:465" also requires that port.
server_rec* find_by_name(const std::vector<server_rec*>& servers, const char* name);
/// The ambiguity of `chosen`, which find_by_name() found, if there is any: other servers have the same name but other
/// mod_ssl directives. Says how to choose; "" if the choice is unambiguous.
std::string doubt_about(const server_rec& chosen, const std::vector<server_rec*>& servers, const char* name);

/// Removes qpsmtpd's plugin tls from the list: SmtpStartTLS and mod_ssl replace it. Unless STARTTLS is configured, its
/// line is an error that says what to write.
void take_tls_plugin(std::vector<host::PluginLine>& lines, bool is_decided, host::Problems& problems);

/// qpsmtpd's control files tls_ciphers and tls_protocols are not used; the warning names the directives to use.
void warn_of_tls_files(host::DirectoryControlFiles& control, host::Problems& problems);

/// qpsmtpd's control file tls_before_auth: what it forbids stays forbidden; what it allows requires SmtpAuthWithoutTLS
/// (`allowed`, if set). Returns whether AUTH is allowed without encryption.
bool auth_without_tls(host::DirectoryControlFiles& control, const std::optional<bool>& allowed, engine::StartTls mode,
                      host::Problems& problems);

}  // namespace smtpd::httpd
