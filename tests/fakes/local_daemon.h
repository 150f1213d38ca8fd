/// local_daemon.h: a daemon on a local or loopback socket for a test, which answers each client with what a function makes of its request.
///
///     LocalDaemon p0f(directory.path("p0f.sock"), [](std::string_view request) { return request.size() < 21 ? std::nullopt : reply; });
///     LocalDaemon http([](std::string_view request) {…});    // on 127.0.0.1, p.port()
///
/// The function is called with all that a client has sent so far, and gives nothing until that is enough; then the answer is sent and the client's
/// connection closed. An answer of `silence` is never sent: the client waits. One client at a time, in a thread that ends with the object.
#pragma once

#include <smtpd/files.h>

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
    using Answer = std::function<std::optional<std::string>(std::string_view request)>;
    inline static const std::string silence = "(silence)";

    LocalDaemon(const std::string& path, Answer answer) : answer_(std::move(answer)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        listen_at(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    explicit LocalDaemon(Answer answer) : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listen_at(reinterpret_cast<const sockaddr*>(&address), sizeof address);
        socklen_t size = sizeof address;
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    ~LocalDaemon() {
        ends_ = true;
        thread_.join();
    }

    std::uint16_t port() const noexcept { return port_; }
    /// What was answered, or met with silence.
    std::vector<std::string> requests() const {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    void listen_at(const sockaddr* address, socklen_t size) {
        if (bind(listener_.get(), address, size) != 0 || listen(listener_.get(), 8) != 0) throw std::runtime_error("cannot listen");
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
            std::string request;
            while (readable(client.get())) {
                char buffer[4096];
                const ssize_t got = ::recv(client.get(), buffer, sizeof buffer, 0);
                if (got <= 0) break;
                request.append(buffer, static_cast<std::size_t>(got));
                const auto reply = answer_(request);
                if (!reply) continue;
                {
                    const std::lock_guard lock(mutex_);
                    requests_.push_back(request);
                }
                if (*reply == silence) continue;  // until the client has had enough
                ::send(client.get(), reply->data(), reply->size(), MSG_NOSIGNAL);
                break;
            }
        }
    }

    const Answer answer_;
    FileDescriptor listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ends_ = false;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

}  // namespace smtpd::fakes
