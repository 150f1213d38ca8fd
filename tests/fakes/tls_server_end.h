/// tls_server_end.h: the server's side of TLS on a test's connection, for LocalDaemon.
#pragma once

#include "fakes/certificates.h"

#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace smtpd::fakes {

class TlsServerEnd {
public:
    /// `readable` waits until the socket is readable; false if the test is over.
    TlsServerEnd(const TlsServerIdentity& identity, int socket, std::function<bool(int)> readable)
        : socket_(socket), readable_(std::move(readable)) {
        // Neither a client that stops in the middle of a record nor one that is gone may hold up, or end, the test.
        const timeval soon{0, 10'000};
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);

        SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
        SSL_CTX_set_max_proto_version(context_.get(), identity.newest_version);
        if (identity.newest_version < TLS1_2_VERSION) SSL_CTX_set_security_level(context_.get(), 0);
        ssl_.reset(SSL_new(context_.get()));
        if (!ssl_ || SSL_set_fd(ssl_.get(), socket) != 1) throw std::runtime_error("no TLS");
    }

    bool handshake() {
        return step([this] { return SSL_accept(ssl_.get()); });
    }
    /// Reads more input; false at its end.
    bool receive(std::string& request) const {
        char buffer[4096];
        std::size_t got = 0;
        const bool is_made = step([&] { return SSL_read_ex(ssl_.get(), buffer, sizeof buffer, &got); });
        request.append(buffer, is_made ? got : 0);
        return is_made;
    }
    void send(const std::string& reply) const {
        std::size_t sent = 0;
        step([&] { return reply.empty() ? 1 : SSL_write_ex(ssl_.get(), reply.data(), reply.size(), &sent); });
    }
    void say_end() const { SSL_shutdown(ssl_.get()); }
    /// Whether the client has sent close_notify.
    bool is_ended() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
    void ask_for_new_keys() const {
        if (SSL_version(ssl_.get()) == TLS1_3_VERSION) SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
        else SSL_renegotiate(ssl_.get());
        step([this] { return SSL_do_handshake(ssl_.get()); });
    }
    /// The name that the client asked for; "" for none.
    std::string name() const {
        const char* const asked = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
        return asked != nullptr ? asked : "";
    }

private:
    template <class Operation>
    bool step(Operation operation) const {
        for (;;) {
            ERR_clear_error();
            const int result = operation();
            if (result == 1) return true;
            if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ || !readable_(socket_)) return false;
        }
    }

    const int socket_;
    const std::function<bool(int)> readable_;
    const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };
    std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace smtpd::fakes
