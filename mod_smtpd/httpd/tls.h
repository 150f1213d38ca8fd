/// tls.h: TLS by mod_ssl, which need not be loaded: handshakes without waiting, STARTTLS with the certificate of
/// another virtual host, and what is known afterwards.
///
/// mod_ssl encrypts the connections of virtual hosts with `SSLEngine on`. For STARTTLS its pre_connection hook is
/// called in the middle of a connection, as if that belonged to such a virtual host, which so lends its certificate,
/// and with it all its other settings. In either case these are the settings of one server, whatever name the client
/// asks for (tls_context.h).
#pragma once

#include "httpd/apache.h"

#include <smtpd/auth/tls.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::httpd {

bool is_mod_ssl_loaded();

/// Whether mod_ssl is to encrypt this connection (`SSLEngine on`).
bool is_for_tls(conn_rec* connection);

/// Of a connection that ends before it has a session: if its handshake would come next, nothing is written to it any
/// more. mod_ssl would make the handshake first, for as long as the client likes, whether a reply is to be written or
/// httpd closes.
void forgo_handshake(conn_rec* connection);

/// A virtual host that lends its certificate to another one, in whose log goes what mod_ssl says about it.
class TlsLender {
public:
    TlsLender(const server_rec& lender, const server_rec& borrower);

    std::string name() const { return host_->server_hostname != nullptr ? host_->server_hostname : ""; }
    const server_rec* host() const noexcept { return host_; }
    /// The lender, as mod_ssl gets to see it: with settings of its own (tls_context.h), and the borrower's log.
    server_rec* face() const noexcept { return &face_; }
    /// The address at which a client would have spoken to the lender; `storage` is where it is put together.
    apr_sockaddr_t* address_for(const conn_rec* connection, apr_sockaddr_t& storage) const noexcept;

private:
    const server_rec* host_;
    mutable server_rec face_;
};

/// One handshake, step by step.
class TlsHandshake {
public:
    /// Of a connection for which mod_ssl has got ready itself.
    explicit TlsHandshake(conn_rec* connection);
    /// Gets mod_ssl ready for it; null when it refuses. From then on the connection's filters expect the handshake.
    static std::unique_ptr<TlsHandshake> prepare(conn_rec* connection, const TlsLender& lender);

    enum class State { done, again, failed };
    /// Goes on with what the client has sent, and does not wait for more.
    State advance();
    /// When done: what has been agreed upon.
    Tls facts() const;
    /// When failed.
    std::string_view why() const noexcept;

private:
    class AtLender;
    bool has_own_settings() const;
    std::string variable(apr_pool_t* pool, const char* name) const;

    conn_rec* const connection_;
    const TlsLender* lender_ = nullptr;
    apr_bucket_brigade* const nothing_;  ///< that the handshake gives us; one for all its steps, since the pool lives
                                         ///< as long as the connection
    bool is_hijacked_ = false;           ///< mod_ssl went by the settings of another server than ours
    int first_octet_ = -1;               ///< that the client sent; -1 = none yet
    apr_status_t status_ = APR_SUCCESS;
};

}  // namespace smtpd::httpd
