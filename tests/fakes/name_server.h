/// name_server.h: a name server on a loopback address, UDP and TCP, whose replies the test defines.
///
///     NameServer server([](const NameServer::Query& query) -> NameServer::Replies {
///         return {query.reply().answer(…).bytes()};
///     });
///     CaresResolver resolver({.servers = {server.address()}}, clock);
#pragma once

#include "fakes/dns_packet.h"
#include "net/resolver_settings.h"
#include "support/file_descriptor.h"

#include <smtpd/base/text.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace smtpd::fakes {

class NameServer {
public:
    struct Query {
        unsigned id;
        std::string name;  ///< in lower case
        DnsType type;
        bool is_tcp;
        unsigned number;         ///< how many came before it
        std::string asked_name;  ///< as it came, with its letters in random case
        std::uint16_t port;      ///< of the client, 0 over TCP
        bool has_edns;           ///< it says which size of datagrams it takes
        DnsPacket reply(unsigned code = 0, unsigned flags = 0) const {
            return DnsPacket(asked_name, type, code, flags, id);
        }
    };
    using Replies = std::vector<Octets>;  ///< sent one after the other; none: silence
    static Octets hang_up() {
        return octets({'b', 'y', 'e'});
    }  ///< as a reply over TCP: the connection is closed instead
    using Script = std::function<Replies(const Query&)>;

    explicit NameServer(Script script, bool has_tcp = true, bool is_v6 = false)
        : script_(std::move(script)), is_v6_(is_v6) {
        for (int tries = 0; tries < 50 && !open(has_tcp); ++tries) {}
        if (!udp_) throw std::runtime_error("no port for a name server");
        thread_ = std::thread([this] { run(); });
    }
    ~NameServer() {
        stopping_ = true;
        thread_.join();
    }

    net::ResolverSettings::Server address() const { return {*IpAddress::parse(is_v6_ ? "::1" : "127.0.0.1"), port_}; }
    unsigned queries() const noexcept { return number_; }
    /// The questions in their order: "www.example A udp".
    std::vector<std::string> seen() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }

private:
    bool open(bool has_tcp) {
        udp_ = bound(SOCK_DGRAM, 0);
        if (has_tcp && udp_) {
            tcp_ = bound(SOCK_STREAM, port_);
            if (!tcp_ || listen(tcp_.get(), 16) != 0) udp_ = {};
        }
        return static_cast<bool>(udp_);
    }

    support::FileDescriptor bound(int type, std::uint16_t port) {
        support::FileDescriptor socket(::socket(is_v6_ ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
        sockaddr_storage address{};
        auto& v4 = reinterpret_cast<sockaddr_in&>(address);
        auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
        socklen_t size = is_v6_ ? sizeof v6 : sizeof v4;
        if (is_v6_) v6 = {AF_INET6, htons(port), 0, IN6ADDR_LOOPBACK_INIT, 0};
        else v4.sin_family = AF_INET, v4.sin_port = htons(port), v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int buffer = 1024 * 1024;  // a burst of a thousand questions is not to be lost here
        setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        if (!socket || bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return {};
        getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(is_v6_ ? v6.sin6_port : v4.sin_port);
        return socket;
    }

    void run() {
        std::vector<support::FileDescriptor> clients;
        while (!stopping_) {
            std::vector<pollfd> wanted{{udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
            for (const auto& client : clients) wanted.push_back({client.get(), POLLIN, 0});
            if (poll(wanted.data(), wanted.size(), 10) <= 0) continue;
            if (wanted[0].revents != 0) answer_udp();
            for (std::size_t i = 2; i < wanted.size(); ++i)
                if (wanted[i].revents != 0 && !answer_tcp(wanted[i].fd)) clients[i - 2] = {};
            std::erase_if(clients, [](const auto& client) { return !client; });
            if (wanted[1].revents != 0) clients.emplace_back(accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        }
    }

    void answer_udp() {
        std::uint8_t buffer[4096];
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        const auto length = recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (length <= 0) return;
        const auto port = is_v6_ ? reinterpret_cast<sockaddr_in6&>(from).sin6_port
                                 : reinterpret_cast<sockaddr_in&>(from).sin_port;
        for (const auto& reply : replies({buffer, static_cast<std::size_t>(length)}, false, ntohs(port)))
            sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }

    bool answer_tcp(int client) {
        std::uint8_t head[2];
        if (recv(client, head, 2, MSG_WAITALL) != 2) return false;
        Octets query(static_cast<std::size_t>(head[0] << 8 | head[1]));
        if (recv(client, query.data(), query.size(), MSG_WAITALL) != static_cast<ssize_t>(query.size())) return false;
        for (const auto& reply : replies(query, true)) {
            if (reply == hang_up()) return false;
            const Octets framed = word(static_cast<unsigned>(reply.size())) + reply;
            if (send(client, framed.data(), framed.size(), MSG_NOSIGNAL) < 0) return false;
        }
        return true;
    }

    Replies replies(std::span<const std::uint8_t> packet, bool is_tcp, std::uint16_t port = 0) {
        Query query{
            static_cast<unsigned>(packet[0] << 8 | packet[1]), {}, {}, is_tcp, number_++, {}, port, packet[11] != 0};
        std::size_t at = 12;
        for (; packet[at] != 0; at += packet[at] + 1U)
            query.asked_name += (query.asked_name.empty() ? "" : ".") +
                                std::string(reinterpret_cast<const char*>(&packet[at + 1]), packet[at]);
        query.name = ascii_lower(query.asked_name);
        query.type = static_cast<DnsType>(packet[at + 1] << 8 | packet[at + 2]);
        {
            const std::lock_guard lock(mutex_);
            seen_.push_back(query.name + " " + std::string(dns_type_name(query.type)) + (is_tcp ? " tcp" : " udp"));
        }
        return script_(query);
    }

    const Script script_;
    const bool is_v6_;
    std::uint16_t port_ = 0;
    support::FileDescriptor udp_, tcp_;
    std::atomic<bool> stopping_ = false;
    std::atomic<unsigned> number_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> seen_;
    std::thread thread_;
};

}  // namespace smtpd::fakes
