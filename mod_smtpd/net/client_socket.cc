/// client_socket.cc: see client_socket.h.
#include <smtpd/backend/client_socket.h>

#include "net/client_tls.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace smtpd {
namespace {

/// A local socket whose queue is full does not report when there is room again.
constexpr Duration queue_pause{10};

FileDescriptor make_socket(int family) {
    return FileDescriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

ClientSocket::ClientSocket(FileDescriptor socket, std::string peer, Duration time)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      time_(time),
      deadline_(std::chrono::steady_clock::now() + time) {}

ClientSocket::~ClientSocket() { say_end(); }
ClientSocket::ClientSocket(ClientSocket&& other) noexcept = default;
ClientSocket& ClientSocket::operator=(ClientSocket&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(peer_, other.peer_);
    std::swap(time_, other.time_);
    std::swap(deadline_, other.deadline_);
    std::swap(ahead_, other.ahead_);
    std::swap(name_, other.name_);
    std::swap(tls_, other.tls_);
    return *this;
}

Error ClientSocket::timed_out() const {
    return {ErrorCode::timeout, format_text("{} did not answer within {} ms", peer_, time_.count())};
}

Error ClientSocket::unavailable(std::string_view what, int os_status) const {
    const std::string why = os_status == 0 ? std::string() : ": " + std::generic_category().message(os_status);
    return {ErrorCode::unavailable, format_text("{} {}{}", what, peer_, why), os_status};
}

Result<void> ClientSocket::wait_for(short events) {
    for (;;) {
        const auto left = std::chrono::ceil<Duration>(deadline_ - std::chrono::steady_clock::now());
        if (left.count() <= 0) return timed_out();
        pollfd wait{socket_.get(), events, 0};
        const int ready = poll(&wait, 1, static_cast<int>(std::min<Duration::rep>(left.count(), 60'000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return unavailable("cannot wait for", errno);
    }
}

Result<void> ClientSocket::connect(const void* address, unsigned size) {
    while (::connect(socket_.get(), static_cast<const sockaddr*>(address), size) != 0) {
        const int status = errno;
        if (status == EINTR) continue;
        if (status == EISCONN) return {};
        if (status == EAGAIN) {
            if (std::chrono::steady_clock::now() + queue_pause > deadline_) return timed_out();
            poll(nullptr, 0, static_cast<int>(queue_pause.count()));
            continue;
        }
        if (status != EINPROGRESS && status != EALREADY) return unavailable("cannot connect to", status);
        if (auto waited = wait_for(POLLOUT); !waited) return waited;
        int outcome = 0;
        socklen_t outcome_size = sizeof outcome;
        getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &outcome, &outcome_size);
        return outcome == 0 ? Result<void>() : unavailable("cannot connect to", outcome);
    }
    return {};
}

Result<ClientSocket> ClientSocket::connect_local(const std::string& path, Duration time) {
    ClientSocket client(make_socket(AF_UNIX), path, time);
    if (!client.socket_) return client.unavailable("cannot create a socket for", errno);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return client.unavailable("cannot connect to", ENAMETOOLONG);
    std::memcpy(address.sun_path, path.data(), path.size());
    if (auto connected = client.connect(&address, sizeof address); !connected) return connected.error();
    return client;
}

Result<ClientSocket> ClientSocket::connect_tcp(const IpAddress& address, std::uint16_t port, Duration time) {
    const std::string peer = address.with_port(port);
    ClientSocket client(make_socket(address.is_v6() ? AF_INET6 : AF_INET), peer, time);
    if (!client.socket_) return client.unavailable("cannot create a socket for", errno);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes().data(), sizeof v4.sin_addr);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof v6.sin6_addr);
    auto connected = address.is_v6() ? client.connect(&v6, sizeof v6) : client.connect(&v4, sizeof v4);
    if (!connected) return connected.error();
    return client;
}

Result<ClientSocket> ClientSocket::connect_tcp(const std::vector<IpAddress>& addresses, std::uint16_t port,
                                               Duration time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    Error problem{ErrorCode::unavailable, "there is no address to connect to", 0};
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now());
        auto client = connect_tcp(addresses[i], port, left / static_cast<Duration::rep>(addresses.size() - i));
        if (client) {
            client->allow(deadline, time);
            return client;
        }
        problem = client.error();
    }
    return problem;
}

// ---- TLS

template <class Operation>
Result<bool> ClientSocket::make_step(Operation operation) {
    char buffer[4096];
    for (;;) {
        const auto step = operation();
        const auto sent = send_octets(tls_->take_output());
        if (step == ClientTls::Step::failed) return tls_failed();  // whether or not the alert was sent
        if (!sent) return sent.error();
        if (step != ClientTls::Step::needs_input) return step == ClientTls::Step::done;
        const auto got = receive_octets(buffer, sizeof buffer);
        if (!got) return got.error();
        if (*got == 0) return Error{ErrorCode::unavailable, format_text("{} closed in the middle of TLS", peer_)};
        tls_->feed({buffer, *got});
    }
}

Error ClientSocket::tls_failed() const {
    if (tls_->is_about_certificate())
        return {ErrorCode::unavailable,
                format_text("{} has no valid certificate for {}: {}", peer_, name_, tls_->why()), 0};
    return {ErrorCode::unavailable, format_text("TLS with {} fails: {}", peer_, tls_->why()), 0};
}

Result<void> ClientSocket::start_tls(const TlsTrust& trust, const std::string& name) {
    if (!ahead_.empty())
        return Error{ErrorCode::unavailable, format_text("{} sent something before TLS began", peer_), 0};
    name_ = name;
    tls_ = ClientTls::make(trust.context_.get(), name);
    if (!tls_)
        return Error{ErrorCode::unavailable,
                     format_text("TLS with {} cannot begin: out of memory, or \"{}\" is not a valid name", peer_, name),
                     0};
    const auto made = make_step([this] { return tls_->handshake(); });
    if (!made) return made.error();
    if (!*made) return Error{ErrorCode::unavailable, format_text("{} closed in the middle of TLS", peer_), 0};
    return {};
}

void ClientSocket::say_end() noexcept {
    if (!tls_ || !socket_) return;
    try {
        tls_->finish_sending();
        const std::string end = tls_->take_output();
        (void)::send(socket_.get(), end.data(), end.size(), MSG_NOSIGNAL);
    } catch (const std::bad_alloc&) {  // close without notifying the peer
    }
}

// ---- kept connections

void ClientSocket::allow(MonotonicTime deadline, Duration time) {
    deadline_ = deadline;
    time_ = time;
}

bool ClientSocket::is_quiet() {
    if (!socket_ || !ahead_.empty()) return false;
    if (tls_) return is_quiet_in_tls();
    char next = 0;
    return ::recv(socket_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool ClientSocket::is_quiet_in_tls() {
    char buffer[4096];
    for (;;) {
        std::size_t got = 0;
        if (tls_->receive(buffer, sizeof buffer, got) != ClientTls::Step::needs_input) return false;
        const ssize_t came = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (came <= 0) return came < 0 && errno == EAGAIN;
        tls_->feed({buffer, static_cast<std::size_t>(came)});
    }
}

void ClientSocket::abandon() noexcept {
    tls_.reset();
    socket_.close();
}

FileDescriptor ClientSocket::release() && {
    if (const int flags = fcntl(socket_.get(), F_GETFL); flags >= 0) fcntl(socket_.get(), F_SETFL, flags & ~O_NONBLOCK);
    return std::move(socket_);
}

// ---- octets

Result<void> ClientSocket::send(std::string_view bytes) {
    if (!tls_) return send_octets(bytes);
    constexpr std::size_t most = 64 * 1024;  // at a time, so that the encrypted but unsent data stays small
    for (; !bytes.empty(); bytes.remove_prefix(std::min(most, bytes.size())))
        if (const auto sent = make_step([&] { return tls_->send(bytes.substr(0, most)); }); !sent) return sent.error();
    return {};
}

Result<void> ClientSocket::send_octets(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
        if (sent >= 0 || errno == EINTR) continue;
        if (errno != EAGAIN) return unavailable("cannot send to", errno);
        if (auto waited = wait_for(POLLOUT); !waited) return waited;
    }
    return {};
}

Result<std::size_t> ClientSocket::receive_some(char* buffer, std::size_t size) {
    if (!ahead_.empty()) {
        const std::size_t count = ahead_.copy(buffer, size);
        ahead_.erase(0, count);
        return count;
    }
    if (!tls_) return receive_octets(buffer, size);
    std::size_t got = 0;
    const auto made = make_step([&] { return tls_->receive(buffer, size, got); });
    if (!made) return made.error();
    return *made ? got : 0;
}

Result<std::size_t> ClientSocket::receive_octets(char* buffer, std::size_t size) {
    for (;;) {
        if (auto waited = wait_for(POLLIN); !waited) return waited.error();
        const ssize_t got = ::recv(socket_.get(), buffer, size, 0);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR && errno != EAGAIN) return unavailable("cannot receive from", errno);
    }
}

Result<std::string> ClientSocket::receive(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t have = 0; have < size;) {
        const auto got = receive_some(bytes.data() + have, size - have);
        if (!got) return got.error();
        if (*got == 0)
            return Error{ErrorCode::unavailable, format_text("{} closed after {} of {} octets", peer_, have, size)};
        have += *got;
    }
    return bytes;
}

Result<std::string> ClientSocket::receive_line(std::size_t limit) {
    std::string line;
    char buffer[1024];
    for (;;) {
        const auto got = receive_some(buffer, sizeof buffer);
        if (!got) return got.error();
        if (*got == 0)
            return Error{ErrorCode::unavailable, format_text("{} closed in the middle of its answer", peer_)};
        const std::string_view piece(buffer, *got);
        const auto end = piece.find('\n');
        line.append(piece.substr(0, end));
        if (line.size() > limit)
            return Error{ErrorCode::unavailable, format_text("{} sent a line of more than {} octets", peer_, limit)};
        if (end == piece.npos) continue;
        ahead_.insert(0, piece.substr(end + 1));
        if (line.ends_with('\r')) line.pop_back();
        return line;
    }
}

Result<void> ClientSocket::finish_sending() {
    say_end();
    if (::shutdown(socket_.get(), SHUT_WR) != 0) return unavailable("cannot send to", errno);
    return {};
}

Result<std::string> ClientSocket::receive_all(std::size_t limit) {
    std::string bytes;
    char buffer[4096];
    for (;;) {
        const auto got = receive_some(buffer, sizeof buffer);
        if (!got) return got.error();
        if (*got == 0) return bytes;
        if (bytes.size() + *got > limit)
            return Error{ErrorCode::unavailable, format_text("{} sent more than {} octets", peer_, limit)};
        bytes.append(buffer, *got);
    }
}

}  // namespace smtpd
