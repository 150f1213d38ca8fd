/// mod_smtpd.cc: the module record and the module's hooks in httpd. Each hook is one guarded call.
#include "httpd/admission.h"
#include "httpd/child.h"
#include "httpd/connection_driver.h"
#include "httpd/descriptors.h"
#include "httpd/dry_run.h"
#include "httpd/listeners.h"
#include "httpd/mpm_event.h"
#include "httpd/server.h"
#include "httpd/server_config.h"
#include "httpd/session_table.h"
#include "httpd/ssl_object.h"
#include "httpd/status_page.h"
#include "httpd/stores.h"
#include "httpd/tls.h"
#include "httpd/tls_context.h"

#ifndef AP_MPMQ_CAN_WAITIO
#warning "This httpd cannot wait for a connection without a thread (before 2.4.63): sessions will block a thread each."
#endif

namespace smtpd::httpd {
namespace {

/// Rows of the table of sessions: more connections than any child can hold; unused rows cost nothing.
constexpr std::uint32_t table_rows = 65536;

/// Also runs for `apachectl configtest`, which never reaches post_config.
int check_config(apr_pool_t* pool, apr_pool_t*, apr_pool_t*, server_rec* main_server) {
    return guard(main_server, "configuration", HTTP_INTERNAL_SERVER_ERROR, [&] {
        if (!make_servers(pool, main_server)) return HTTP_INTERNAL_SERVER_ERROR;
        name_protocol_of_listeners(main_server);
        check_descriptors(main_server);
        return OK;
    });
}

/// Runs after check_config, and only if the configuration is being tested.
void test_config(apr_pool_t* pool, server_rec* main_server) { start_dry_run(pool, main_server); }

int post_config(apr_pool_t*, apr_pool_t*, apr_pool_t*, server_rec* main_server) {
    return guard(main_server, "post_config", HTTP_INTERNAL_SERVER_ERROR, [&] {
        if (!prepare_stores(main_server)) return HTTP_INTERNAL_SERVER_ERROR;
        if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) log_deferring_servers(main_server);
        if (SessionTable::get(main_server->process->pool, table_rows) != nullptr) return OK;
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main_server, "SMTPD0004: no shared memory for the table of sessions");
        return HTTP_INTERNAL_SERVER_ERROR;
    });
}

void child_init(apr_pool_t* pool, server_rec* main_server) {
    prepare_descriptors(pool, main_server);
    start_child(pool, main_server);
}

/// Runs in the parent: frees what a dead child held.
void child_status(server_rec* main_server, pid_t process, ap_generation_t, int, mpm_child_status state) {
    if (state != MPM_CHILD_EXITED && state != MPM_CHILD_LOST_SLOT) return;
    if (SessionTable* table = SessionTable::get(main_server->process->pool, table_rows)) table->forget_process(process);
}

void child_stopping(apr_pool_t*, int graceful) {
    if (Child* child = current_child()) child->begin_stop(graceful != 0);
}

/// Runs before all other modules: mod_reqtimeout's filter, which the same hook adds, would cut SMTP sessions, and no
/// other module should see the connection.
int process_connection(conn_rec* connection) {
    if (config_of(connection->base_server).runtime == nullptr) return DECLINED;
    return guard(connection->base_server, "process_connection", DONE, [&] {
        if (existing_driver_of(connection) == nullptr && lacks_descriptors(connection)) return OK;
        const auto [driver, is_awaited] = driver_of(connection);
        if (driver) return driver->process();
        if (is_awaited) return wait_for_input(connection);
        if (connection->cs != nullptr) connection->cs->state = CONN_STATE_LINGER;
        return DONE;
    });
}

int pre_close_connection(conn_rec* connection) {
    return guard(connection->base_server, "pre_close_connection", OK, [&] {
        if (const auto driver = existing_driver_of(connection)) driver->before_close();
        else if (config_of(connection->base_server).runtime != nullptr) forgo_handshake(connection);
        return OK;
    });
}

void register_hooks(apr_pool_t*) {
    ap_hook_check_config(check_config, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_test_config(test_config, nullptr, nullptr, APR_HOOK_LAST);
    ap_hook_post_config(post_config, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_child_status(child_status, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(child_stopping, nullptr, nullptr, APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, nullptr, nullptr, APR_HOOK_REALLY_FIRST);
    ap_hook_pre_close_connection(pre_close_connection, nullptr, nullptr, APR_HOOK_FIRST);
    register_status_page();
    register_ssl_objects();
    register_tls_contexts();
}

}  // namespace
}  // namespace smtpd::httpd

extern "C" {

/// STANDARD20_MODULE_STUFF with the name under which <IfModule> and httpd know modules: that of a C source file.
module AP_MODULE_DECLARE_DATA smtpd_module = {MODULE_MAGIC_NUMBER_MAJOR,
                                              MODULE_MAGIC_NUMBER_MINOR,
                                              -1,
                                              "mod_smtpd.c",
                                              nullptr,
                                              nullptr,
                                              MODULE_MAGIC_COOKIE,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              smtpd::httpd::create_server_config,
                                              smtpd::httpd::merge_server_config,
                                              smtpd::httpd::directives,
                                              smtpd::httpd::register_hooks,
                                              AP_MODULE_FLAG_NONE};
}
