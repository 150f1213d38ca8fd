/// local_daemon.h: a daemon on a local or loopback socket for a test. A function turns each client's request into the
/// answer.
///
///     LocalDaemon p0f(directory.path("p0f.sock"), [](std::string_view request) -> std::optional<std::string> {…});
///     LocalDaemon http([](std::string_view request) -> std::optional<std::string> {…});  // on 127.0.0.1, http.port()
///
/// The daemon calls the function with everything that a client has sent so far. The function returns nothing until the
/// request is complete. Then the daemon sends the answer and closes the connection. If the answer is `silence`, the
/// daemon sends nothing, and the client waits. It serves one client at a time, in a thread that ends with the object.
///
/// A daemon with several replies gets a list of turns. The turn "" is the greeting, which the daemon sends at once;
/// each other turn has the end of a request and the reply to it.
///
///     LocalDaemon imap(LocalDaemon::Turns{{"", "* OK ready\r\n"}, {"\r\n", "a OK\r\n"}});
///
/// In a turn with the reply `handshake`, TLS begins, which needs a certificate (certificates.h):
///
///     LocalDaemon imaps(LocalDaemon::Turns{{"", LocalDaemon::handshake}, {"", "* OK ready\r\n"}},
///                       authority.issue("DNS:localhost"));
#pragma once

#include "fakes/certificates.h"
#include "fakes/tls_server_end.h"

#include <smtpd/base/files.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace smtpd::fakes {

class LocalDaemon {
public:
    using Response = std::function<std::optional<std::string>(std::string_view request)>;
    inline static const std::string silence = "(silence)";
    /// The daemon sends the reply as soon as the input since the last reply ends with `after`. The reply `hang_up`
    /// closes the connection. After the last reply, the daemon reads until the client closes.
    struct Turn {
        std::string after, reply;
    };
    using Turns = std::vector<Turn>;
    inline static const std::string hang_up = "(hang up)";
    inline static const std::string handshake = "(handshake)";
    inline static const std::string say_goodbye = "(say goodbye)";      ///< the end of TLS, and of the connection
    inline static const std::string new_handshake = "(new handshake)";  ///< before TLS 1.3: the server asks for one;
                                                                        ///< later, for new keys

    LocalDaemon(const std::string& path, Response response)
        : answer_(std::move(response)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        listen_on(path);
    }
    explicit LocalDaemon(Response response)
        : answer_(std::move(response)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        listen_on_loopback();
    }
    LocalDaemon(const std::string& path, Turns turns)
        : turns_(std::move(turns)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        listen_on(path);
    }
    LocalDaemon(Turns turns, TlsServerIdentity identity)
        : turns_(std::move(turns)),
          identity_(std::move(identity)),
          listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        listen_on_loopback();
    }
    explicit LocalDaemon(Turns turns)
        : turns_(std::move(turns)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        listen_on_loopback();
    }
    ~LocalDaemon() {
        ends_ = true;
        thread_.join();
    }

    std::uint16_t port() const noexcept { return port_; }
    /// The requests that the daemon answered, or met with silence; with turns, the input before the last reply.
    std::vector<std::string> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    /// The names that clients have asked for in a handshake (SNI); "" for none.
    std::vector<std::string> names() const {
        const std::lock_guard lock(mutex_);
        return names_;
    }

private:
    void listen_on(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        listen_at(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    void listen_on_loopback() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listen_at(reinterpret_cast<const sockaddr*>(&address), sizeof address);
        socklen_t size = sizeof address;
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    void listen_at(const sockaddr* address, socklen_t size) {
        if (bind(listener_.get(), address, size) != 0 || listen(listener_.get(), 8) != 0)
            throw std::runtime_error("cannot listen");
        thread_ = std::thread([this] { serve(); });
    }

    bool readable(int socket) const {
        while (!ends_) {
            pollfd wait{socket, POLLIN, 0};
            if (poll(&wait, 1, 10) > 0) return true;
        }
        return false;
    }

    void serve() {
        while (readable(listener_.get())) {
            const FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            turns_.empty() ? response(client.get()) : converse(client.get());
            tls_.reset();
        }
    }

    void response(int client) {
        std::string request;
        while (receive(client, request)) {
            const auto reply = answer_(request);
            if (!reply) continue;
            remember(request);
            if (*reply == silence) continue;  // until the client has had enough
            send(client, *reply);
            break;
        }
    }

    void converse(int client) {
        std::string request;
        std::size_t answered = 0;
        for (const auto& turn : turns_) {
            while (!std::string_view(request).substr(answered).ends_with(turn.after))
                if (!receive(client, request)) return;
            answered = request.size();
            if (&turn == &turns_.back()) remember(request);
            if (turn.reply == hang_up) return;
            if (turn.reply == say_goodbye) return tls_->say_end();
            if (turn.reply == new_handshake) tls_->ask_for_new_keys();
            else if (turn.reply != handshake) send(client, turn.reply);
            else if (!begin_tls(client)) return;
        }
        while (receive(client, request)) {}
    }

    bool begin_tls(int client) {
        tls_ = std::make_unique<TlsServerEnd>(identity_, client, [this](int socket) { return readable(socket); });
        const bool is_made = tls_->handshake();
        const std::lock_guard lock(mutex_);
        names_.push_back(tls_->name());
        return is_made;
    }
    /// Reads more input; false at its end.
    bool receive(int client, std::string& request) const {
        if (tls_) return tls_->receive(request);
        char buffer[4096];
        const ssize_t got = readable(client) ? ::recv(client, buffer, sizeof buffer, 0) : 0;
        if (got > 0) request.append(buffer, static_cast<std::size_t>(got));
        return got > 0;
    }
    void send(int client, const std::string& reply) const {
        if (tls_) tls_->send(reply);
        else ::send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
    }
    void remember(const std::string& request) {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
    }

    const Response answer_;
    const Turns turns_;
    const TlsServerIdentity identity_;
    FileDescriptor listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ends_ = false;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::vector<std::string> names_;
    std::unique_ptr<TlsServerEnd> tls_;  ///< with the client that is served
    std::thread thread_;
};

}  // namespace smtpd::fakes
