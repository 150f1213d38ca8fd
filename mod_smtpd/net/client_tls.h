/// client_tls.h: the client side of TLS without a socket: octets of the connection go in and out, and the owner of the
/// connection waits for them.
///
/// TLS 1.2 or later, without renegotiation. Used by one thread at a time. OpenSSL's error queue, which the thread
/// shares with mod_ssl, is empty after every call.
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
        needs_input,  ///< call again after feed()
        ended,        ///< the peer has announced its end (close_notify)
        failed        ///< why() has the reason; only the output, which contains the alert, may still be taken
    };

    /// `name` is a host name or an address that the peer's certificate must be for; a host name is also sent as SNI.
    /// Nothing if `name` can be neither, or if memory runs out.
    static std::unique_ptr<ClientTls> make(SSL_CTX* context, const std::string& name);

    Step handshake();
    Step send(std::string_view octets);
    /// Receives `got` of at most `size` octets, at least one.
    Step receive(char* buffer, std::size_t size, std::size_t& got);
    /// Ends the sending direction: close_notify, if the handshake was completed.
    void finish_sending();

    /// Passes octets that came from the peer.
    void feed(std::string_view octets);
    /// The octets to send to the peer now.
    std::string take_output();

    /// Whether the failure is about the certificate.
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
