#include "httpd/server_config.h"

namespace smtpd::httpd {
namespace {

template <class T>
std::optional<T> either(const std::optional<T>& added, const std::optional<T>& base) {
    return added ? added : base;
}

}  // namespace

ServerConfig& config_of(const server_rec* server) {
    return *static_cast<ServerConfig*>(ap_get_module_config(server->module_config, &smtpd_module));
}

ServerConfig ServerConfig::merged_onto(const ServerConfig& base) const {
    ServerConfig out;
    out.engine = either(engine, base.engine);
    out.inherit_plugins = inherit_plugins;
    if (inherit_plugins.value_or(true)) out.plugins = base.plugins;
    out.plugins.insert(out.plugins.end(), plugins.begin(), plugins.end());
    out.plugin_dirs = plugin_dirs.empty() ? base.plugin_dirs : plugin_dirs;
    out.control_dir = either(control_dir, base.control_dir);
    out.qmail_control_dir = either(qmail_control_dir, base.qmail_control_dir);
    out.greeting = either(greeting, base.greeting);
    out.max_message_size = either(max_message_size, base.max_message_size);
    out.spool_dir = either(spool_dir, base.spool_dir);
    out.spool_threshold = either(spool_threshold, base.spool_threshold);
    out.extensions = extensions.merged_onto(base.extensions);
    out.max_recipients = either(max_recipients, base.max_recipients);
    out.max_transactions = either(max_transactions, base.max_transactions);
    out.max_recipient_domains = either(max_recipient_domains, base.max_recipient_domains);
    out.max_errors = either(max_errors, base.max_errors);
    out.max_connections = either(max_connections, base.max_connections);
    out.client_limit = either(client_limit, base.client_limit);
    out.session_timeout = either(session_timeout, base.session_timeout);
    out.min_data_rate = either(min_data_rate, base.min_data_rate);
    out.max_text_line = either(max_text_line, base.max_text_line);
    out.bare_newline = either(bare_newline, base.bare_newline);
    out.bare_newline_exempt = bare_newline ? bare_newline_exempt : base.bare_newline_exempt;
    out.trusted_proxies = either(trusted_proxies, base.trusted_proxies);
    out.proxy_protocol = either(proxy_protocol, base.proxy_protocol);
    out.proxy_protocol_where = proxy_protocol ? proxy_protocol_where : base.proxy_protocol_where;
    out.ignore_unknown_parameters = either(ignore_unknown_parameters, base.ignore_unknown_parameters);
    out.strict_addresses = either(strict_addresses, base.strict_addresses);
    out.local_part_case = either(local_part_case, base.local_part_case);
    out.protocol = either(protocol, base.protocol);
    out.mixed_results = either(mixed_results, base.mixed_results);
    out.auth_without_tls = either(auth_without_tls, base.auth_without_tls);
    out.start_tls = either(start_tls, base.start_tls);
    out.handshake_timeout = either(handshake_timeout, base.handshake_timeout);
    out.submission = either(submission, base.submission);
    out.auth_mechanisms = either(auth_mechanisms, base.auth_mechanisms);
    out.passwords = base.passwords;
    out.passwords.insert(out.passwords.end(), passwords.begin(), passwords.end());
    out.stores = base.stores;
    out.stores.insert(out.stores.end(), stores.begin(), stores.end());
    out.resolver = either(resolver, base.resolver);
    out.where = where.empty() ? base.where : where;
    return out;
}

void* create_server_config(apr_pool_t* pool, server_rec*) { return &make_in_pool<ServerConfig>(pool); }

void* merge_server_config(apr_pool_t* pool, void* base, void* added) {
    return &make_in_pool<ServerConfig>(
        pool, static_cast<ServerConfig*>(added)->merged_onto(*static_cast<ServerConfig*>(base)));
}

}  // namespace smtpd::httpd
