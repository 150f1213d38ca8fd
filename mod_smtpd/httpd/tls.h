/// tls.h: TLS by mod_ssl, which may not be loaded: handshakes without waiting, STARTTLS with the certificate of another
/// virtual host, and the properties of an encrypted connection.
///
/// mod_ssl encrypts the connections of virtual hosts with `SSLEngine on`. For STARTTLS, its pre_connection hook is
/// called in the middle of a connection, as if the connection belonged to such a virtual host: that host lends its
/// certificate and all its other settings. In either case the settings are those of one server, whatever name the
/// client asks for (tls_context.h).
#pragma once

#include "httpd/apache.h"

#include <smtpd/auth/tls.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::httpd {

bool is_mod_ssl_loaded();

/// Whether mod_ssl encrypts this connection (`SSLEngine on`).
bool is_for_tls(conn_rec* connection);

/// For a connection that ends before it has a session: if its handshake would come next, nothing more is written to it.
/// Otherwise mod_ssl would make the handshake first, for as long as the client likes, before a reply is written or
/// httpd closes.
void forgo_handshake(conn_rec* connection);

/// A virtual host that lends its certificate to another one. mod_ssl's messages about it go to the borrower's log.
class TlsLender {
public:
    TlsLender(const server_rec& lender, const server_rec& borrower);

    std::string name() const { return host_->server_hostname != nullptr ? host_->server_hostname : ""; }
    const server_rec* host() const noexcept { return host_; }
    /// The lender as mod_ssl sees it: with settings of its own (tls_context.h), and the borrower's log.
    server_rec* face() const noexcept { return &face_; }
    /// The address at which a client would have reached the lender; built in `storage`.
    apr_sockaddr_t* address_for(const conn_rec* connection, apr_sockaddr_t& storage) const noexcept;

private:
    const server_rec* host_;
    mutable server_rec face_;
};

/// One handshake, step by step.
class TlsHandshake {
public:
    /// For a connection that mod_ssl has prepared itself.
    explicit TlsHandshake(conn_rec* connection);
    /// Prepares mod_ssl; null if it refuses. From then on the connection's filters expect the handshake.
    static std::unique_ptr<TlsHandshake> prepare(conn_rec* connection, const TlsLender& lender);

    enum class State { done, again, failed };
    /// Continues with what the client has sent; does not wait for more.
    State advance();
    /// After `done`: the negotiated properties.
    Tls facts() const;
    /// After `failed`: the reason.
    std::string_view why() const noexcept;

private:
    class AtLender;
    bool has_own_settings() const;
    std::string variable(apr_pool_t* pool, const char* name) const;

    conn_rec* const connection_;
    const TlsLender* lender_ = nullptr;
    apr_bucket_brigade* const nothing_;  ///< the handshake returns nothing in it; one for all steps, because the pool
                                         ///< lives as long as the connection
    bool is_hijacked_ = false;           ///< mod_ssl used the settings of another server
    int first_octet_ = -1;               ///< the client's first octet; -1 = none yet
    apr_status_t status_ = APR_SUCCESS;
};

}  // namespace smtpd::httpd
