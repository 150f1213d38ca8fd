/// TLS 1.3 for a client that loads a server: no verification, no waiting, sessions resumed or not.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace bench {

/// The state of one connection.
class TlsConnection {
public:
    enum class Step { done, wants_to_read, wants_to_write, ended };

    TlsConnection(SSL_CTX* context, int descriptor, SSL_SESSION* resumed) : ssl_(SSL_new(context)) {
        if (!ssl_ || SSL_set_fd(ssl_.get(), descriptor) != 1 || (resumed && SSL_set_session(ssl_.get(), resumed) != 1))
            fail();
        SSL_set_connect_state(ssl_.get());
    }

    Step handshake() {
        return step([&] { return SSL_do_handshake(ssl_.get()); });
    }
    bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

    /// Sends as many of these octets as possible; `count` is their number.
    Step write(std::string_view octets, std::size_t& count) {
        count = 0;
        return step([&] { return SSL_write_ex(ssl_.get(), octets.data(), octets.size(), &count); });
    }

    Step read(char* buffer, std::size_t size, std::size_t& count) {
        count = 0;
        return step([&] { return SSL_read_ex(ssl_.get(), buffer, size, &count); });
    }

    /// Sends close_notify, without which the session cannot be resumed.
    void close() { SSL_shutdown(ssl_.get()); }

private:
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };

    [[noreturn]] static void fail() {
        char text[256];
        ERR_error_string_n(ERR_get_error(), text, sizeof text);
        throw std::runtime_error(std::string("TLS: ") + text);
    }

    template <class Operation>
    Step step(Operation operation) {
        ERR_clear_error();  // SSL_get_error() looks at what is left there
        const int result = operation();
        if (result == 1) return Step::done;
        switch (SSL_get_error(ssl_.get(), result)) {
            case SSL_ERROR_WANT_READ: return Step::wants_to_read;
            case SSL_ERROR_WANT_WRITE: return Step::wants_to_write;
            case SSL_ERROR_ZERO_RETURN: return Step::ended;
            default: fail();
        }
    }

    std::unique_ptr<SSL, Free> ssl_;
};

/// The common state of all connections: the settings, and the last session that a server has offered to resume.
class TlsClient {
public:
    explicit TlsClient(bool resumes) : resumes_(resumes), context_(SSL_CTX_new(TLS_client_method())) {
        if (!context_ || SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION) != 1)
            throw std::runtime_error("no TLS 1.3");
        SSL_CTX_set_cert_verify_callback(
            context_.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);  // it would be looked at even if nobody
                                                                                 // asked
        SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                             SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_set_app_data(context_.get(), this);
        SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
            static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
            return 1;  // it is ours now
        });
    }
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    std::unique_ptr<TlsConnection> connect(int descriptor) {
        // (A copy: OpenSSL uses a session of TLS 1.3 once, and not every server gives another one at once.)
        const Session copy(resumes_ && session_ ? SSL_SESSION_dup(session_.get()) : nullptr);
        return std::make_unique<TlsConnection>(context_.get(), descriptor, copy.get());
    }

private:
    struct Free {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
        void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    };

    using Session = std::unique_ptr<SSL_SESSION, Free>;

    const bool resumes_;
    Session session_;
    std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace bench
