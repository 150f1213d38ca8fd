#include "httpd/passwords.h"

#include "httpd/database.h"
#include "httpd/error_log.h"

#include <smtpd/base/format.h>

#include <ap_provider.h>
#include <http_request.h>
#include <mod_auth.h>

#include <utility>

namespace smtpd::httpd {
namespace {

const authn_provider* find_provider(const std::string& name) {
    return static_cast<const authn_provider*>(
        ap_lookup_provider(AUTHN_PROVIDER_GROUP, name.c_str(), AUTHN_PROVIDER_VERSION));
}

using Pool = std::unique_ptr<apr_pool_t, void (*)(apr_pool_t*)>;
Pool make_pool(apr_pool_t* parent) {
    apr_pool_t* pool = nullptr;
    if (apr_pool_create(&pool, parent) != APR_SUCCESS) throw std::bad_alloc();
    apr_pool_tag(pool, "smtpd_auth");
    return {pool, [](apr_pool_t* used) { apr_pool_destroy(used); }};
}

/// The parts of a request that providers read: the client, and the section's configuration. `place` stands for a path
/// and must differ from that of every other section: mod_authn_socache stores valid passwords under host and path
/// (AuthnCacheContext directory).
request_rec* make_request(conn_rec* connection, ap_conf_vector_t* section, const std::string& place, apr_pool_t* pool) {
    auto* const request = static_cast<request_rec*>(apr_pcalloc(pool, sizeof(request_rec)));
    request->pool = pool;
    request->connection = connection;
    request->server = connection->base_server;
    request->per_dir_config = ap_merge_per_dir_configs(pool, request->server->lookup_defaults, section);
    request->request_config = ap_create_request_config(pool);
    request->useragent_addr = connection->client_addr;
    request->useragent_ip = connection->client_ip;
    for (apr_table_t** table :
         {&request->headers_in, &request->headers_out, &request->err_headers_out, &request->subprocess_env,
          &request->notes, &request->trailers_in, &request->trailers_out})
        *table = apr_table_make(pool, 1);
    request->request_time = apr_time_now();
    request->method = request->protocol = const_cast<char*>("SMTP");
    request->method_number = M_INVALID;
    request->the_request = request->filename = const_cast<char*>("");
    request->uri = request->unparsed_uri = apr_pstrcat(pool, "/", place.c_str(), "/", nullptr);
    request->ap_auth_type = const_cast<char*>("Basic");
    request->status = HTTP_OK;
    request->input_filters = request->proto_input_filters = connection->input_filters;
    request->output_filters = request->proto_output_filters = connection->output_filters;
    return request;
}

}  // namespace

Passwords::Passwords(std::string name, std::vector<std::string> providers, ap_conf_vector_t* section, std::string where)
    : name_(std::move(name)), providers_(std::move(providers)), section_(section), where_(std::move(where)) {}

std::string Passwords::check_providers() const {
    for (const auto& name : providers_) {
        const authn_provider* const provider = find_provider(name);
        if (provider == nullptr)
            return format_text("<SmtpAuth>: there is no provider \"{}\"; is mod_authn_{} loaded?", name, name);
        if (provider->check_password == nullptr)
            return format_text("<SmtpAuth>: the provider \"{}\" does not check passwords", name);
    }
    return {};
}

Result<PasswordVerdict> Passwords::check(const std::string& user, const Secret& password) const {
    conn_rec* const connection = connection_at_work();
    if (connection == nullptr)
        return Error{ErrorCode::unavailable, "passwords can only be checked within a session", 0};
    const Pool pool = make_pool(connection->pool);
    request_rec* const request = make_request(connection, section_, where_, pool.get());
    for (const auto& name : providers_) {
        const authn_provider* const provider = find_provider(name);
        if (provider == nullptr) return Error{ErrorCode::unavailable, format_text("the provider {} is gone", name), 0};
        request->user = apr_pstrdup(pool.get(), user.c_str());
        apr_table_setn(request->notes, AUTHN_PROVIDER_NAME_NOTE, name.c_str());
        switch (provider->check_password(request, user.c_str(), password.reveal().c_str())) {
            case AUTH_GRANTED: return PasswordVerdict::right;
            case AUTH_DENIED: return PasswordVerdict::wrong;
            case AUTH_USER_NOT_FOUND:
                if (!has_lost_answer(request)) break;
                return Error{
                    ErrorCode::unavailable,
                    format_text("the provider {} lost the database's answer; DBDPersist off avoids that", name), 0};
            default:
                return Error{ErrorCode::unavailable, format_text("the provider {} could not check the password", name),
                             0};
        }
    }
    return PasswordVerdict::unknown_user;
}

}  // namespace smtpd::httpd
