/// tls_config.h: what the configuration says about TLS: mod_ssl's directives, and qpsmtpd's words for the same.
#pragma once

#include "httpd/apache.h"

#include "engine/settings.h"
#include "host/control_files.h"
#include "host/plugin_file.h"
#include "host/problem.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

/// The virtual hosts with `SSLEngine on`, in the order of the configuration; once that is being checked, or later.
std::vector<server_rec*> servers_with_tls(server_rec* main_server);
/// Whether that is its ServerName or one of its ServerAliases.
bool is_called(const server_rec* server, const char* name);
/// The first of these that goes by that name, by its ServerName rather than by a ServerAlias; null when there is none.
/// "mx.example.com:465" is one with that port.
server_rec* find_by_name(const std::vector<server_rec*>& servers, const char* name);
/// What is to be said of `chosen`, which find_by_name() has found: that others go by the same name with other
/// directives of mod_ssl, and how to choose. "" if there is no doubt.
std::string doubt_about(const server_rec& chosen, const std::vector<server_rec*>& servers, const char* name);

/// qpsmtpd's plugin tls is taken off the list: SmtpStartTLS and mod_ssl do its work. Where nothing was said about
/// STARTTLS, its line is an error that says what to write.
void take_tls_plugin(std::vector<host::PluginLine>& lines, bool is_decided, host::Problems& problems);

/// Its control files tls_ciphers and tls_protocols are not used; the warning says what is.
void warn_of_tls_files(host::DirectoryControlFiles& control, host::Problems& problems);

/// Its control file tls_before_auth: what it forbids stays forbidden; what it allows has to be said by
/// SmtpAuthWithoutTLS (`allowed`, where that was said). Gives whether AUTH may be in the clear.
bool auth_without_tls(host::DirectoryControlFiles& control, const std::optional<bool>& allowed, engine::StartTls mode,
                      host::Problems& problems);

}  // namespace smtpd::httpd
