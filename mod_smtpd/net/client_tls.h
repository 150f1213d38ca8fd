/// client_tls.h: the client's side of TLS without a socket: octets of the connection go in and come out, and who has
/// the connection waits for them.
///
/// TLS 1.2 or later, without renegotiation. One thread at a time. OpenSSL's queue of errors, which the thread shares
/// with mod_ssl, is empty behind every call.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace smtpd {

class ClientTls {
public:
    enum class Step {
        done,
        needs_input,  ///< call again when more has been fed
        ended,        ///< the peer has said that nothing more comes (close_notify)
        failed        ///< why() says why; nothing more can be done but to take the output, which has the alert
    };

    /// `name` is a host name or an address: what the peer's certificate has to be for, and in the former case what it
    /// is asked for (SNI). Nothing where it can be neither, or there is no memory.
    static std::unique_ptr<ClientTls> make(SSL_CTX* context, const std::string& name);

    Step handshake();
    Step send(std::string_view octets);
    /// `got` of at most `size` octets, at least one.
    Step receive(char* buffer, std::size_t size, std::size_t& got);
    /// Nothing more will be sent: close_notify, if TLS stands.
    void finish_sending();

    /// What has come from the peer.
    void feed(std::string_view octets);
    /// What has to go to the peer now.
    std::string take_output();

    /// Whether it is the certificate that was not good.
    bool is_about_certificate() const noexcept { return is_about_certificate_; }
    const std::string& why() const noexcept { return why_; }

private:
    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };

    explicit ClientTls(SSL* ssl) : ssl_(ssl) {}
    template <class Operation>
    Step step(Operation operation);
    void note_failure();

    const std::unique_ptr<SSL, Free> ssl_;
    std::string why_;
    bool is_about_certificate_ = false;
};

}  // namespace smtpd
