/// status_page.h: the SMTP part of mod_status's page.
#pragma once

namespace smtpd::httpd {

/// Adds a table of sessions to server-status; does nothing if mod_status is not loaded.
void register_status_page();

}  // namespace smtpd::httpd
