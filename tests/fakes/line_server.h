/// line_server.h: a server of lines for many simultaneous clients, for tests of reused connections.
///
///     LineServer server([](std::string_view line) { return line == "ping" ? "pong" : ""; }, "welcome");
///     server.port(); server.connections(); server.lines(); server.say("by the way"); server.hang_up();
///
/// The function turns each line into a reply line, or "" for none; `closes` closes the connection. One thread serves
/// all clients, and ends with the object.
#pragma once

#include <smtpd/base/files.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace smtpd::fakes {

class LineServer {
public:
    using Response = std::function<std::string(std::string_view line)>;
    inline static const std::string closes = "(closes)";

    /// Listens on 127.0.0.1, at a free port or at `port`. Without a function, the server only listens: it accepts
    /// connections and sends nothing.
    explicit LineServer(Response response = {}, std::string greeting = {}, std::uint16_t port = 0)
        : answer_(std::move(response)),
          greeting_(std::move(greeting)),
          listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int on = 1;
        setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        socklen_t size = sizeof address;
        if (bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
            listen(listener_.get(), 128) != 0)
            throw std::runtime_error("cannot listen");
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        if (answer_) thread_ = std::thread([this] { serve(); });
    }
    ~LineServer() {
        ends_ = true;
        if (thread_.joinable()) thread_.join();
    }

    std::uint16_t port() const noexcept { return port_; }
    std::string name() const { return "127.0.0.1:" + std::to_string(port_); }
    std::size_t connections() const noexcept { return connections_; }
    std::vector<std::string> lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }
    /// Sends a line to all clients.
    void say(const std::string& line) {
        const std::lock_guard lock(mutex_);
        for (const auto& client : clients_) send(client.socket, line);
    }
    /// Closes all connections, and keeps listening.
    void hang_up() {
        hangs_up_ = true;  // by the thread itself: a socket that it polls is not closed before the poll ends
        while (hangs_up_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

private:
    struct Client {
        FileDescriptor socket;
        std::string input{};
    };

    static void send(const FileDescriptor& socket, const std::string& line) {
        const std::string octets = line + "\n";
        if (!line.empty()) (void)::send(socket.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
    }

    void serve() {
        while (!ends_) {
            std::vector<pollfd> waits{{listener_.get(), POLLIN, 0}};
            {
                const std::lock_guard lock(mutex_);
                for (const auto& client : clients_) waits.push_back({client.socket.get(), POLLIN, 0});
            }
            const int ready = poll(waits.data(), waits.size(), 5);
            const std::lock_guard lock(mutex_);
            if (hangs_up_) clients_.clear();
            hangs_up_ = false;
            if (ready <= 0) continue;
            std::erase_if(clients_, [this](Client& client) { return !listen_to(client); });
            if (waits[0].revents != 0) greet();
        }
    }

    void greet() {
        Client client{FileDescriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK))};
        if (!client.socket) return;
        ++connections_;
        send(client.socket, greeting_);
        clients_.push_back(std::move(client));
    }
    /// False if the client is gone.
    bool listen_to(Client& client) {
        char buffer[4096];
        const ssize_t got = ::recv(client.socket.get(), buffer, sizeof buffer, 0);
        if (got == 0) return false;
        if (got > 0) client.input.append(buffer, static_cast<std::size_t>(got));
        for (auto end = client.input.find('\n'); end != std::string::npos; end = client.input.find('\n')) {
            lines_.push_back(client.input.substr(0, end));
            client.input.erase(0, end + 1);
            const std::string reply = answer_(lines_.back());
            if (reply == closes) return false;
            send(client.socket, reply);
        }
        return true;
    }

    const Response answer_;
    const std::string greeting_;
    FileDescriptor listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ends_ = false;
    std::atomic<bool> hangs_up_ = false;
    std::atomic<std::size_t> connections_ = 0;
    mutable std::mutex mutex_;
    std::vector<Client> clients_;
    std::vector<std::string> lines_;
    std::thread thread_;
};

/// A port of 127.0.0.1 without a listener.
inline std::uint16_t closed_port() { return LineServer().port(); }

}  // namespace smtpd::fakes
