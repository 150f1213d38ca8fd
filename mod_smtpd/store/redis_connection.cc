/// redis_connection.cc: commands and replies over a socket that never blocks.
#include "store/redis_connection.h"

#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace smtpd::store {
namespace {

/// Far larger than any reply that we request: a page of 1000 entries of maximum size.
constexpr std::size_t max_reply = 16 * 1024 * 1024;
constexpr std::int64_t max_elements = 100'000;
constexpr std::size_t max_line = 4096;
constexpr int max_depth = 2;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

/// `text` is an IP address, or the path of a socket.
bool fill(SocketAddress& address, const std::string& text, std::uint16_t port) {
    const auto ip = IpAddress::parse(text);
    if (!ip) {
        auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
        if (text.size() >= sizeof local.sun_path) return false;
        local.sun_family = AF_UNIX;
        std::memcpy(local.sun_path, text.c_str(), text.size() + 1);
        address.size = sizeof local;
    } else if (ip->is_v4()) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, ip->bytes().data(), 4);
        address.size = sizeof v4;
    } else {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, ip->bytes().data(), 16);
        address.size = sizeof v6;
    }
    return true;
}

/// The commands in Redis's own form: "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".
void append_command(std::string& out, const RedisConnection::Command& command) {
    out += format_text("*{}\r\n", command.size());
    for (const auto word : command) {
        out += format_text("${}\r\n", word.size());
        out += word;
        out += "\r\n";
    }
}

/// Removes the line up to CRLF from the front. Whether a line is too long must not depend on the pieces in which it
/// arrives: the last octet may be its CR.
RedisParse take_line(std::string_view& octets, std::string_view& line) {
    const auto end = octets.find("\r\n");
    if (end == std::string_view::npos) return octets.size() > max_line + 1 ? RedisParse::wrong : RedisParse::more;
    if (end > max_line) return RedisParse::wrong;
    line = octets.substr(0, end);
    octets.remove_prefix(end + 2);
    return RedisParse::done;
}

/// The octets of a text after its line "$3".
RedisParse take_text(std::string_view& octets, std::int64_t size, RedisReply& reply) {
    if (size == -1) return RedisParse::done;
    if (size < 0 || size > static_cast<std::int64_t>(max_reply)) return RedisParse::wrong;
    const auto length = static_cast<std::size_t>(size);
    if (octets.size() < length + 2) return RedisParse::more;
    if (octets.substr(length, 2) != "\r\n") return RedisParse::wrong;
    reply.kind = RedisReply::Kind::text;
    reply.text = octets.substr(0, length);
    octets.remove_prefix(length + 2);
    return RedisParse::done;
}

/// The elements of a list after its line "*2".
RedisParse take_list(std::string_view& octets, std::int64_t size, RedisReply& reply, int depth) {
    if (size == -1) return RedisParse::done;
    if (size < 0 || size > max_elements || depth == max_depth) return RedisParse::wrong;
    reply.kind = RedisReply::Kind::list;
    for (std::int64_t i = 0; i < size; ++i)
        if (const auto parsed = parse_reply(octets, reply.list.emplace_back(), depth + 1); parsed != RedisParse::done)
            return parsed;
    return RedisParse::done;
}

}  // namespace

RedisParse parse_reply(std::string_view& octets, RedisReply& reply, int depth) {
    std::string_view line;
    if (const auto parsed = take_line(octets, line); parsed != RedisParse::done) return parsed;
    if (line.empty()) return RedisParse::wrong;
    const std::string_view rest = line.substr(1);
    std::int64_t number = 0;
    switch (line[0]) {
        case '+':
        case '-':
            reply.kind = line[0] == '+' ? RedisReply::Kind::status : RedisReply::Kind::refusal;
            reply.text = rest;
            return RedisParse::done;
        case ':':
            reply.kind = RedisReply::Kind::number;
            return smtpd::detail::read_number(rest, reply.number) ? RedisParse::done : RedisParse::wrong;
        case '$':
            return smtpd::detail::read_number(rest, number) ? take_text(octets, number, reply) : RedisParse::wrong;
        case '*':
            return smtpd::detail::read_number(rest, number) ? take_list(octets, number, reply, depth)
                                                            : RedisParse::wrong;
        default: return RedisParse::wrong;
    }
}

std::string RedisServer::to_string() const {
    if (!path.empty()) return format_text("redis:{}", path);
    const bool is_v6 = host.find(':') != std::string::npos;
    return format_text("redis:{}{}{}:{}/{}", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port, database);
}

RedisConnection::RedisConnection(const RedisServer& server) : name_(server.to_string()) {}

RedisConnection::~RedisConnection() = default;

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisServer& server, Limit limit) {
    std::unique_ptr<RedisConnection> connection(new RedisConnection(server));
    if (auto done = connection->connect(server, limit); !done) return done.error();
    std::vector<Command> greeting;
    const std::string database = format_text("{}", server.database);
    if (!server.password.empty())
        greeting.push_back(server.user.empty() ? Command{"AUTH", server.password}
                                               : Command{"AUTH", server.user, server.password});
    greeting.push_back({"SELECT", database});
    const auto replies = connection->ask(greeting, limit);
    if (!replies) return replies.error();
    for (const auto& reply : *replies)
        if (reply.kind == RedisReply::Kind::refusal)
            return Error{ErrorCode::unavailable, format_text("{} says {}", connection->name_, quoted(reply.text, 200)),
                         0};
    return connection;
}

/// Tries the addresses in order and uses the first that answers.
Result<void> RedisConnection::connect(const RedisServer& server, Limit limit) {
    if (!server.path.empty()) return connect_to(server.path, server, limit);
    Result<void> done = broken("it has no address");
    for (const auto& address : server.addresses)
        if (done = connect_to(address, server, limit); done) break;
    return done;
}

Result<void> RedisConnection::connect_to(const std::string& text, const RedisServer& server, Limit limit) {
    SocketAddress address;
    if (!fill(address, text, server.port)) return broken("its path is too long");
    socket_ = support::FileDescriptor(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return broken("no socket", errno);
    const int on = 1;
    if (server.path.empty()) ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return {};
    if (errno != EINPROGRESS && errno != EINTR) return broken("cannot connect", errno);
    if (auto ready = wait_for(POLLOUT, limit); !ready) return ready;
    int status = 0;
    socklen_t size = sizeof status;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &status, &size);
    if (status != 0) return broken("cannot connect", status);
    return {};
}

Error RedisConnection::broken(std::string_view what, int os_status) const {
    std::string text = format_text("{}: {}", name_, what);
    if (os_status != 0) text += ": " + support::os_message(os_status);
    return {ErrorCode::unavailable, std::move(text), os_status};
}

bool RedisConnection::is_stale() const noexcept {
    pollfd state{socket_.get(), POLLIN, 0};
    return ::poll(&state, 1, 0) != 0;
}

Result<void> RedisConnection::wait_for(short events, Limit limit) const {
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now()).count();
        if (left <= 0) return timed_out(format_text("an answer of {}", name_));
        pollfd state{socket_.get(), events, 0};
        const int ready = ::poll(&state, 1, static_cast<int>(std::min<long>(left, 60'000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return broken("cannot wait", errno);
    }
}

Result<void> RedisConnection::send(std::string_view octets, Limit limit) {
    while (!octets.empty()) {
        const ssize_t sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            octets.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            if (auto ready = wait_for(POLLOUT, limit); !ready) return ready;
        } else if (errno != EINTR) {
            return broken("cannot write", errno);
        }
    }
    return {};
}

Result<RedisReply> RedisConnection::receive(Limit limit) {
    for (;;) {
        RedisReply reply;
        std::string_view octets = unread_;
        switch (parse_reply(octets, reply)) {
            case RedisParse::done: unread_.erase(0, unread_.size() - octets.size()); return reply;
            case RedisParse::wrong: return broken("it does not speak Redis's protocol");
            case RedisParse::more: break;
        }
        if (unread_.size() > max_reply) return broken("its answer is too long");
        if (auto ready = wait_for(POLLIN, limit); !ready) return ready.error();
        char buffer[16 * 1024];
        const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
        if (got == 0) return broken("it closed the connection");
        if (got > 0) unread_.append(buffer, static_cast<std::size_t>(got));
        else if (errno != EAGAIN && errno != EINTR) return broken("cannot read", errno);
    }
}

Result<std::vector<RedisReply>> RedisConnection::ask(const std::vector<Command>& commands, Limit limit) {
    std::string octets;
    for (const auto& command : commands) append_command(octets, command);
    is_good_ = false;
    if (auto sent = send(octets, limit); !sent) return sent.error();
    std::vector<RedisReply> replies;
    while (replies.size() < commands.size()) {
        auto reply = receive(limit);
        if (!reply) return reply.error();
        replies.push_back(std::move(*reply));
    }
    is_good_ = true;
    return replies;
}

}  // namespace smtpd::store
