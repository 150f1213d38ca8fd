/// apache.h: httpd's headers, for this directory only, and helpers that let C++ objects live in its pools.
#pragma once

#include <httpd.h>

#include <ap_mpm.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mpm_common.h>
#include <scoreboard.h>
#include <util_filter.h>

#include <apr_strings.h>

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

extern "C" {
__attribute__((visibility("default"))) extern module AP_MODULE_DECLARE_DATA smtpd_module;
}

APLOG_USE_MODULE(smtpd);

namespace smtpd::httpd {

/// Creates a C++ object that lives as long as the pool. Its destructor runs after those of the pool's sub-pools.
template <class T, class... Arguments>
T& make_in_pool(apr_pool_t* pool, Arguments&&... arguments) {
    auto object = std::make_unique<T>(std::forward<Arguments>(arguments)...);
    apr_pool_cleanup_register(
        pool, object.get(),
        [](void* memory) noexcept -> apr_status_t {
            delete static_cast<T*>(memory);
            return APR_SUCCESS;
        },
        apr_pool_cleanup_null);
    return *object.release();
}

/// Runs `body` at the boundary to httpd: no exception escapes. An exception is logged, and `on_throw` returned.
template <class F, class R = std::invoke_result_t<F>>
R guard(const server_rec* server, const char* where, R on_throw, F&& body) noexcept {
    try {
        return body();
    } catch (const std::exception& failure) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "SMTPD0001: %s: %s", where, failure.what());
    } catch (...) { ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "SMTPD0001: %s: unknown exception", where); }
    return on_throw;
}

}  // namespace smtpd::httpd
