#include "httpd/status_page.h"

#include "httpd/server.h"
#include "httpd/session_table.h"

#include <mod_status.h>
#include <util_script.h>

#include <apr_optional_hooks.h>

namespace smtpd::httpd {
namespace {

const char* html(request_rec* request, std::string_view text) {
    return text.empty() ? "" : ap_escape_html(request->pool, apr_pstrmemdup(request->pool, text.data(), text.size()));
}

void print_short(request_rec* request, const std::vector<SessionRow>& rows) {
    ap_rprintf(request, "SmtpSessions: %d\n", static_cast<int>(rows.size()));
    for (const auto& row : rows)
        ap_rprintf(request, "SmtpSession: %s %s %s %.*s %.*s %ld %u\n", row.id.c_str(), row.server.c_str(),
                   row.client.c_str(), static_cast<int>(row.phase.size()), row.phase.data(),
                   row.verb.empty() ? 1 : static_cast<int>(row.verb.size()), row.verb.empty() ? "-" : row.verb.data(),
                   static_cast<long>(row.seconds), row.messages);
}

void print_table(request_rec* request, const std::vector<SessionRow>& rows) {
    ap_rprintf(request,
               "<hr />\n<h2>SMTP sessions (%d)</h2>\n<table "
               "border=\"0\"><tr><th>Session</th><th>Server</th><th>Client</th><th>PID</th>"
               "<th>State</th><th>Last command</th><th>Seconds</th><th>Messages</th></tr>\n",
               static_cast<int>(rows.size()));
    for (const auto& row : rows)
        ap_rprintf(
            request,
            "<tr><td>%s</td><td>%s</td><td>%s</td><td>%d</td><td>%s</td><td>%s</td><td>%ld</td><td>%u</td></tr>\n",
            html(request, row.id), html(request, row.server), html(request, row.client), static_cast<int>(row.process),
            html(request, row.phase), html(request, row.verb), static_cast<long>(row.seconds), row.messages);
    ap_rputs("</table>\n", request);
}

int print_sessions(request_rec* request, int flags) {
    return guard(request->server, "server-status", DECLINED, [&] {
        SessionTable* table = SessionTable::get(request->server->process->pool, 0);
        if (table == nullptr) return DECLINED;
        const auto rows = table->rows();
        if ((flags & AP_STATUS_SHORT) != 0) print_short(request, rows);
        else print_table(request, rows);
        return OK;
    });
}

}  // namespace

void register_status_page() { APR_OPTIONAL_HOOK(ap, status_hook, print_sessions, nullptr, nullptr, APR_HOOK_MIDDLE); }

}  // namespace smtpd::httpd
