#include "net/udp_questions.h"

#include "net/dns_message.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include <netinet/in.h>
#include <sys/epoll.h>

namespace smtpd::net {
namespace {

/// The size that fits into one packet nearly everywhere (DNS flag day 2020).
constexpr std::uint16_t edns_size = 1232;

/// How many replies of one socket are read before others get their turn.
constexpr unsigned reads_in_a_row = 16;

/// For the replies to many questions that share a socket.
constexpr int receive_buffer = 1024 * 1024;

constexpr std::uint8_t flag_cut_off = 0x02;
constexpr unsigned code_no_error = 0, code_format_error = 1, code_no_such_name = 3;

}  // namespace

struct UdpQuestions::Socket {
    FileDescriptor descriptor;
    Server& server;
    std::vector<Question*> questions{};  ///< more than one only if there are no more sockets
};

struct UdpQuestions::Server {
    Server(const ResolverSettings::Server& server, unsigned index) : index(index) {
        const auto bytes = server.address.bytes();
        if (server.address.is_v6()) {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(server.port);
            std::memcpy(&v6.sin6_addr, bytes.data(), sizeof v6.sin6_addr);
            size = sizeof v6;
        } else {
            auto& v4 = reinterpret_cast<sockaddr_in&>(address);
            v4.sin_family = AF_INET;
            v4.sin_port = htons(server.port);
            std::memcpy(&v4.sin_addr, bytes.data(), sizeof v4.sin_addr);
            size = sizeof v4;
        }
        idle.reserve(max_sockets);
    }

    const unsigned index;
    sockaddr_storage address{};
    socklen_t size = 0;
    std::vector<std::unique_ptr<Socket>> sockets;
    std::vector<Socket*> idle;  ///< those without a question, the last used one at the end; has room for all
    std::size_t unused = 0;     ///< this many at its beginning were not needed recently
};

UdpQuestions::UdpQuestions(const ResolverSettings& settings, int epoll)
    : settings_(settings), epoll_(epoll), rounds_(settings.tries) {
    for (const auto& server : settings.servers)
        servers_.push_back(std::make_unique<Server>(server, static_cast<unsigned>(servers_.size())));
}

UdpQuestions::~UdpQuestions() = default;

// ---- asking

void UdpQuestions::ask(Question& question, const DnsQuestion& what) noexcept {
    try {
        question.name_ = with_random_case(what.name, random_);
        question.type_ = what.type;
        question.id_ = static_cast<std::uint16_t>(random_.bits());
        do question.plain_id_ = static_cast<std::uint16_t>(random_.bits());
        while (question.plain_id_ == question.id_);
    } catch (const std::exception&) { return finish(question, Ending::no_resources); }
    go_on(question, Ending::unreachable);
}

/// The server of the current try.
unsigned UdpQuestions::server_of(const Question& question) const noexcept {
    return (question.tries_ - 1) % static_cast<unsigned>(servers_.size());
}

/// Starts the next try, with the next server in turn that can be asked. If there is none, the question ends with
/// `otherwise`.
void UdpQuestions::go_on(Question& question, Ending otherwise, std::span<const std::uint8_t> packet) noexcept {
    try {
        while (question.tries_ < servers_.size() * settings_.tries) {
            ++question.tries_;
            Server& server = *servers_[server_of(question)];
            if ((question.failed_ >> server.index & 1) != 0) continue;
            const unsigned round = (question.tries_ - 1) / static_cast<unsigned>(servers_.size());
            if (send(question, server)) return wait(question, round);
            otherwise = Ending::unreachable;
        }
    } catch (const std::exception&) { otherwise = Ending::no_resources; }
    finish(question, otherwise, packet);
}

/// False if it cannot be sent.
bool UdpQuestions::send(Question& question, Server& server) {
    const Socket* const socket = socket_for(question, server);
    if (socket == nullptr) return false;
    const bool has_edns = !is_plain(question, server);
    write_dns_question(sent_, has_edns ? question.id_ : question.plain_id_, question.name_, question.type_,
                       has_edns ? edns_size : 0);
    ssize_t sent;
    do sent = ::send(socket->descriptor.get(), sent_.data(), sent_.size(), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

bool UdpQuestions::is_plain(const Question& question, const Server& server) noexcept {
    return (question.plain_ >> server.index & 1) != 0;
}

/// False if it cannot be sent.
bool UdpQuestions::send_without_edns(Question& question, Server& server) noexcept {
    question.plain_ |= 1U << server.index;
    try {
        return send(question, server);
    } catch (const std::bad_alloc&) { return false; }
}

void UdpQuestions::wait(Question& question, unsigned round) {
    Round& to = rounds_[round];
    if (question.round_ == nullptr) question.place_ = to.insert(to.end(), &question);
    else to.splice(to.end(), *question.round_, question.place_);
    question.round_ = &to;
    question.until_ = std::chrono::steady_clock::now() + settings_.timeout * (1 << round);
}

void UdpQuestions::finish(Question& question, Ending ending, std::span<const std::uint8_t> packet) noexcept {
    if (question.round_ != nullptr) question.round_->erase(question.place_);
    question.round_ = nullptr;
    for (Socket* const socket : question.sockets_) leave(question, *socket);
    question.sockets_.clear();
    question.over(ending, ending == Ending::reply ? packet : std::span<const std::uint8_t>());
}

// ---- sockets

/// The question's existing socket to that server, or another one; null if none is available.
UdpQuestions::Socket* UdpQuestions::socket_for(Question& question, Server& server) {
    for (Socket* const socket : question.sockets_)
        if (&socket->server == &server) return socket;
    question.sockets_.reserve(question.sockets_.size() + 1);
    Socket* socket = connected_socket(server);
    if (socket == nullptr) return nullptr;
    try {
        socket->questions.push_back(&question);
    } catch (...) {
        leave(question, *socket);
        throw;
    }
    question.sockets_.push_back(socket);
    return socket;
}

/// A socket with a port of its own, as long as there are sockets.
UdpQuestions::Socket* UdpQuestions::connected_socket(Server& server) {
    if (server.idle.empty() && server.sockets.size() < max_sockets) {
        if (auto made = make_socket(server)) {
            server.idle.push_back(made.get());
            server.sockets.push_back(std::move(made));
        }
    }
    if (server.idle.empty()) {
        if (server.sockets.empty()) return nullptr;
        return server.sockets[random_.bits() % server.sockets.size()].get();
    }
    Socket* const socket = server.idle.back();
    drain(*socket);
    if (::connect(socket->descriptor.get(), reinterpret_cast<const sockaddr*>(&server.address), server.size) != 0)
        return nullptr;
    server.idle.pop_back();
    server.unused = std::min(server.unused, server.idle.size());
    return socket;
}

std::unique_ptr<UdpQuestions::Socket> UdpQuestions::make_socket(Server& server) {
    FileDescriptor descriptor(::socket(server.address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!descriptor) return nullptr;
    setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    std::unique_ptr<Socket> socket(new Socket{std::move(descriptor), server});
    const int number = socket->descriptor.get();
    socket->questions.reserve(1);
    server.sockets.reserve(server.sockets.size() + 1);
    sockets_.insert_or_assign(number, socket.get());
    epoll_event wanted{EPOLLIN, {.fd = number}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, number, &wanted) == 0) return socket;
    sockets_.erase(number);
    return nullptr;
}

/// A socket without questions releases its port.
void UdpQuestions::leave(Question& question, Socket& socket) noexcept {
    std::erase(socket.questions, &question);
    if (!socket.questions.empty()) return;
    const sockaddr nowhere{AF_UNSPEC, {}};
    ::connect(socket.descriptor.get(), &nowhere, sizeof nowhere);
    socket.server.idle.push_back(&socket);
}

void UdpQuestions::close_unused() noexcept {
    for (const auto& server : servers_) {
        const auto end = server->idle.begin() + static_cast<std::ptrdiff_t>(server->unused);
        std::for_each(server->idle.begin(), end, [&](const Socket* unused) {
            sockets_.erase(unused->descriptor.get());
            std::erase_if(server->sockets, [&](const auto& socket) { return socket.get() == unused; });
        });
        server->idle.erase(server->idle.begin(), end);
        server->unused = server->idle.size();
    }
}

/// Discards all packets and errors of an earlier port.
void UdpQuestions::drain(const Socket& socket) noexcept {
    std::uint8_t octet = 0;
    for (unsigned errors = 0; errors < 3;) {
        if (::recv(socket.descriptor.get(), &octet, sizeof octet, 0) >= 0) continue;
        if (errno == EAGAIN) return;
        ++errors;
    }
}

// ---- replies

bool UdpQuestions::read(int descriptor) noexcept {
    const auto found = sockets_.find(descriptor);
    if (found == sockets_.end()) return false;
    Socket& socket = *found->second;
    if (socket.questions.empty()) drain(socket);
    for (unsigned reads = 0; reads < reads_in_a_row && !socket.questions.empty(); ++reads) {
        const ssize_t size = ::recv(descriptor, received_.data(), received_.size(), 0);
        if (size >= 0) take(socket, {received_.data(), static_cast<std::size_t>(size)});
        else if (errno == EAGAIN) break;
        else if (errno != EINTR) lose(socket);
    }
    return true;
}

/// Also accepts a bare header that refuses EDNS, from servers that read no further.
bool UdpQuestions::is_reply(std::span<const std::uint8_t> packet, const Question& question,
                            const Server& server) noexcept {
    const auto is_reply_with = [&](std::uint16_t id) {
        return is_reply_to(packet, id, question.name_, question.type_) || is_bare_format_error(packet, id);
    };
    return is_reply_with(question.id_) || (is_plain(question, server) && is_reply_with(question.plain_id_));
}

/// Ignores packets that are not a reply to one of the socket's questions.
void UdpQuestions::take(Socket& socket, std::span<std::uint8_t> packet) noexcept {
    const auto found = std::ranges::find_if(
        socket.questions, [&](const Question* question) { return is_reply(packet, *question, socket.server); });
    if (found == socket.questions.end()) return;
    Question& question = **found;
    if (is_bare_format_error(packet, question.id_) || is_bare_format_error(packet, question.plain_id_))
        return take_failure(question, socket, packet);
    if (!take_back_random_case(packet, question.name_)) return finish(question, Ending::in_other_case);
    if ((packet[2] & flag_cut_off) != 0) return finish(question, Ending::cut_off);
    const unsigned code = packet[3] & 0xf;
    if (code == code_no_error || code == code_no_such_name) return finish(question, Ending::reply, packet);
    take_failure(question, socket, packet);
}

/// A server that does not know EDNS may say so (RFC 6891 7): then it is asked again without EDNS. It may refuse each
/// query once, and each server refuses only for itself.
void UdpQuestions::take_failure(Question& question, Socket& socket, std::span<const std::uint8_t> packet) noexcept {
    const bool is_awaited = server_of(question) == socket.server.index;
    const bool had_edns = packet[0] == question.id_ >> 8 && packet[1] == (question.id_ & 0xff);
    if ((packet[3] & 0xf) == code_format_error && had_edns &&
        (is_plain(question, socket.server) || send_without_edns(question, socket.server)))
        return;
    question.failed_ |= 1U << socket.server.index;
    if (is_awaited) go_on(question, Ending::reply, packet);
}

/// The system reports that the server cannot be reached.
void UdpQuestions::lose(Socket& socket) noexcept {
    for (std::size_t left = socket.questions.size(); left-- > 0 && left < socket.questions.size();) {
        Question& question = *socket.questions[left];
        if (server_of(question) == socket.server.index) go_on(question, Ending::unreachable);
    }
}

// ---- time

void UdpQuestions::expire(Time now) noexcept {
    for (Round& round : rounds_)
        while (!round.empty() && round.front()->until_ <= now) go_on(*round.front(), Ending::timed_out);
}

UdpQuestions::Time UdpQuestions::next_timeout() const noexcept {
    Time next = Time::max();
    for (const Round& round : rounds_)
        if (!round.empty()) next = std::min(next, round.front()->until_);
    return next;
}

}  // namespace smtpd::net
