/// smtp_load: an SMTP client that loads a server and costs little itself.
///
///     smtp_load [options] ADDRESS PORT
///
/// One thread, one epoll. It prints one JSON object: the amount of work, its time, the cost on this side, and the times
/// to the greeting and to the 250 after the message. After an unexpected reply, or ten seconds of silence from the
/// server, it ends with a message and status 1.
///
///     --sessions N   simultaneous sessions (20)
///     --window N     sessions that open at the same time (as many as sessions)
///     --count N      total number of messages, 0 for no limit (0)
///     --seconds S    time after which no message begins (2)
///     --size N       bytes of a message (4096)
///     --keep         many messages over one connection, instead of a new connection for each
///     --pipeline     sends MAIL, RCPT and DATA together
///     --chunking     sends MAIL, RCPT and the message, as one chunk of BDAT, together
///     --tls          each session uses STARTTLS, with TLS 1.3
///     --resume       the same, and resumes the session of an earlier connection if possible
///     --pause MS     the pause between sessions, for a probe with one session (0)
///     --hold         no messages: every session stays after EHLO until standard input ends
///     --greet        no messages: every session leaves after the greeting
///     --rate N       opens N sessions a second for --seconds, whether the server keeps up or not; --sessions is then
///                    the maximum number of sessions
///     --clients N    so many different clients in turn: each has an address in 198.18.0.0/15 (RFC 2544) and its own
///                    names, which dns_load has; needs a network in which this machine has these addresses
///     --first N      the number of the first client (0)
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_client.h"

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

enum class Aim { messages, hold, greet };

struct Wish {
    std::size_t sessions = 20;
    std::size_t window = 0;
    std::size_t count = 0;
    double seconds = 2;
    std::size_t size = 4096;
    int pause = 0;
    double rate = 0;
    std::size_t clients = 0;
    std::size_t first = 0;
    bool keep = false;
    bool pipeline = false;
    bool chunking = false;
    bool tls = false;
    bool resume = false;
    Aim aim = Aim::messages;
    sockaddr_in server{};
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }
[[noreturn]] void fail_errno(const char* what) { fail(std::string(what) + ": " + std::strerror(errno)); }

/// Times in milliseconds, for percentiles.
class Sample {
public:
    void add(Clock::time_point since) { values_.push_back(Milliseconds(Clock::now() - since).count()); }

    /// The same for the part from `begin` to `end` (0 to 1) of the times in their order.
    Sample part(double begin, double end) const {
        const auto at = [this](double share) {
            return values_.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values_.size()));
        };
        Sample out;
        out.values_.assign(at(begin), at(end));
        return out;
    }

    std::string to_json() {
        if (values_.empty()) return "null";
        std::sort(values_.begin(), values_.end());
        char text[160];
        std::snprintf(text, sizeof text, R"({"count": %zu, "median": %.3f, "p99": %.3f, "max": %.3f})", values_.size(),
                      at(0.5), at(0.99), values_.back());
        return text;
    }

private:
    double at(double share) const {
        return values_[static_cast<std::size_t>(share * static_cast<double>(values_.size() - 1))];
    }

    std::vector<double> values_;
};

struct Session {
    enum class State { closed, connecting, hello, starttls, handshake, mail, rcpt, data, text, idle, quit };

    int descriptor = -1;
    std::unique_ptr<bench::TlsConnection> tls;  ///< from STARTTLS on
    State state = State::closed;
    int awaited = 1;  ///< replies until the next step
    std::size_t text_sent = 0;
    bool wants_to_write = false;
    std::string line;    ///< the unfinished line of a reply
    std::string client;  ///< "198-18-2-3", or empty without --clients
    Clock::time_point opened;
    Clock::time_point begun;  ///< the start time of a message
};

class Load {
public:
    explicit Load(const Wish& wish);
    ~Load();
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    void run();
    void hold_until_end_of_input();
    std::string to_json();

private:
    using State = Session::State;

    void make_text();
    void open_more();
    void open_by_rate();
    void set_client(Session& session);
    int time_to_next() const;
    void open(Session& session);
    void close(Session& session);
    bool may_begin() const;
    void watch(Session& session, bool write);
    void send(Session& session, std::string_view octets);
    void send_text(Session& session);
    std::size_t send_some(Session& session, std::string_view octets);
    std::size_t receive_some(Session& session, char* buffer, std::size_t size);
    void start_tls(Session& session);
    void shake_hands(Session& session);
    void say_hello(Session& session);
    void receive(Session& session);
    void take_replies(Session& session, std::string_view octets);
    void take_reply(Session& session);
    void greeted(Session& session);
    void said_hello(Session& session);
    void begin_message(Session& session);
    void end_message(Session& session);
    bool is_done() const { return live_ == (wish_.aim == Aim::hold ? idle_ : 0) && !may_open(); }
    bool may_open() const;

    const Wish wish_;
    int epoll_ = -1;
    std::string text_;
    std::vector<Session> sessions_;
    std::vector<Session*> free_;
    std::size_t opened_ = 0;
    std::size_t opening_ = 0;
    std::size_t live_ = 0;
    std::size_t idle_ = 0;
    std::size_t begun_ = 0;
    std::size_t done_ = 0;
    std::size_t still_open_ = 0;
    std::size_t most_live_ = 0;
    std::size_t ungreeted_ = 0;
    std::size_t most_ungreeted_ = 0;
    std::size_t resumed_ = 0;
    bench::TlsClient tls_;
    std::size_t late_ = 0;  ///< sessions that found no room at their time
    Clock::time_point start_;
    Clock::time_point last_done_;
    Sample greeting_;
    Sample accepted_;
};

Load::Load(const Wish& wish)
    : wish_(wish), epoll_(epoll_create1(EPOLL_CLOEXEC)), sessions_(wish.sessions), tls_(wish.resume) {
    if (epoll_ < 0) fail_errno("epoll_create1");
    for (auto& session : sessions_) free_.push_back(&session);
    make_text();
}

Load::~Load() {
    for (auto& session : sessions_)
        if (session.descriptor >= 0) ::close(session.descriptor);
    ::close(epoll_);
}

constexpr std::string_view usual_sender = "MAIL FROM:<sender@example.net>\r\n",
                           recipient = "RCPT TO:<user@example.com>\r\n";

/// A header, lines of 78 octets, and the end of data; with --chunking, the commands before them instead.
void Load::make_text() {
    text_ = "From: <sender@example.net>\r\nTo: <user@example.com>\r\nSubject: load\r\n\r\n";
    constexpr std::size_t width = 78;
    while (text_.size() < wish_.size) {
        const std::size_t length = std::min(width, wish_.size - text_.size());
        if (length > 2) text_.append(length - 2, 'x');
        text_ += "\r\n";
    }
    if (wish_.chunking)
        text_ = std::string(usual_sender).append(recipient) + "BDAT " + std::to_string(text_.size()) + " LAST\r\n" +
                text_;
    else text_ += ".\r\n";
}

/// Whether another message may begin.
bool Load::may_begin() const {
    return (wish_.count == 0 || begun_ < wish_.count) &&
           Clock::now() - start_ < std::chrono::duration<double>(wish_.seconds);
}

bool Load::may_open() const {
    if (wish_.rate > 0) return opened_ + late_ < static_cast<std::size_t>(wish_.rate * wish_.seconds);
    return !free_.empty() && (wish_.aim == Aim::messages ? may_begin() : opened_ < wish_.sessions);
}

/// Opens the sessions whose time has come.
void Load::open_by_rate() {
    const double due = std::min(std::chrono::duration<double>(Clock::now() - start_).count(), wish_.seconds) *
                       wish_.rate;
    while (may_open() && static_cast<double>(opened_ + late_ + 1) <= due) {
        if (free_.empty()) {
            ++late_;
            continue;
        }
        Session& session = *free_.back();
        free_.pop_back();
        open(session);
    }
}

/// Milliseconds until the next session is due; -1 if none is.
int Load::time_to_next() const {
    if (wish_.rate == 0 || !may_open()) return -1;
    const double due = static_cast<double>(opened_ + late_ + 1) / wish_.rate -
                       std::chrono::duration<double>(Clock::now() - start_).count();
    return std::max(0, static_cast<int>(due * 1000) + 1);
}

/// The names and the address of the next client.
void Load::set_client(Session& session) {
    const std::size_t number = wish_.first + opened_ % wish_.clients;
    in_addr address{};
    address.s_addr = htonl(0xc6120001u + static_cast<std::uint32_t>(number % ((1u << 17) - 2)));  // neither the first
                                                                                                  // nor the last, a
                                                                                                  // broadcast
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr = address;
    const int on = 1;
    setsockopt(session.descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(session.descriptor, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) fail_errno("bind");
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address, text, sizeof text);
    session.client = text;
    std::replace(session.client.begin(), session.client.end(), '.', '-');
}

void Load::open_more() {
    if (wish_.rate > 0) return open_by_rate();
    while (opening_ < wish_.window && may_open()) {
        Session& session = *free_.back();
        free_.pop_back();
        if (wish_.pause > 0 && opened_ > 0) usleep(static_cast<useconds_t>(wish_.pause) * 1000);
        open(session);
    }
}

void Load::open(Session& session) {
    session = Session{};
    session.opened = session.begun = Clock::now();
    session.descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session.descriptor < 0) fail_errno("socket");
    const int on = 1;
    setsockopt(session.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (wish_.clients > 0) set_client(session);
    if (connect(session.descriptor, reinterpret_cast<const sockaddr*>(&wish_.server), sizeof wish_.server) != 0 &&
        errno != EINPROGRESS)
        fail_errno("connect");
    session.state = State::connecting;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &session;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, session.descriptor, &event) != 0) fail_errno("epoll_ctl");
    ++opened_;
    ++opening_;
    ++live_;
    most_live_ = std::max(most_live_, live_);
    most_ungreeted_ = std::max(most_ungreeted_, ++ungreeted_);
    if (wish_.aim == Aim::messages) ++begun_;  // what it is opened for
}

void Load::close(Session& session) {
    if (session.tls) session.tls->close();
    session.tls.reset();
    ::close(session.descriptor);
    session.descriptor = -1;
    session.state = State::closed;
    --live_;
    free_.push_back(&session);
}

void Load::watch(Session& session, bool write) {
    if (session.wants_to_write == write) return;
    session.wants_to_write = write;
    epoll_event event{};
    event.events = write ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &session;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, session.descriptor, &event) != 0) fail_errno("epoll_ctl");
}

/// How many octets the connection accepts now; 0 if none.
std::size_t Load::send_some(Session& session, std::string_view octets) {
    if (session.tls) {
        std::size_t count = 0;
        if (session.tls->write(octets, count) == bench::TlsConnection::Step::ended)
            fail("the server closed a connection");
        return count;
    }
    const ssize_t sent = ::send(session.descriptor, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail_errno("send");
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

/// How many octets have arrived; 0 if none; closes the session at its end.
std::size_t Load::receive_some(Session& session, char* buffer, std::size_t size) {
    std::size_t count = 0;
    bool has_ended = false;
    if (session.tls) {
        has_ended = session.tls->read(buffer, size, count) == bench::TlsConnection::Step::ended;
    } else {
        const ssize_t got = recv(session.descriptor, buffer, size, 0);
        if (got < 0 && errno != EAGAIN) fail_errno("recv");
        has_ended = got == 0;
        count = got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    if (has_ended && session.state != State::quit) fail("the server closed a connection");
    if (has_ended) close(session);
    return count;
}

/// Commands are short: the socket of a working server accepts one at once.
void Load::send(Session& session, std::string_view octets) {
    if (send_some(session, octets) != octets.size()) fail("a command could not be sent at once");
}

void Load::send_text(Session& session) {
    while (session.text_sent < text_.size()) {
        const std::size_t sent = send_some(session, std::string_view(text_).substr(session.text_sent));
        if (sent == 0) return watch(session, true);
        session.text_sent += sent;
    }
    watch(session, false);
}

/// TLS may hold octets that poll() does not report, so read until it has none.
void Load::receive(Session& session) {
    if (session.state == State::handshake) return shake_hands(session);
    char buffer[4096];
    do {
        const std::size_t got = receive_some(session, buffer, sizeof buffer);
        if (got == 0) return;
        take_replies(session, std::string_view(buffer, got));
    } while (session.tls && session.state != State::closed && session.state != State::handshake);
}

void Load::take_replies(Session& session, std::string_view rest) {
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        session.line += rest.substr(0, end);
        if (end == std::string_view::npos) return;
        rest.remove_prefix(end + 1);
        if (session.line.size() < 4 || session.line[3] != '-') take_reply(session);
        session.line.clear();
        if (session.state == State::closed) return;
    }
}

void Load::start_tls(Session& session) {
    session.tls = tls_.connect(session.descriptor);
    session.state = State::handshake;
    shake_hands(session);
}

void Load::shake_hands(Session& session) {
    switch (session.tls->handshake()) {
        case bench::TlsConnection::Step::done: break;
        case bench::TlsConnection::Step::wants_to_read: return;
        case bench::TlsConnection::Step::wants_to_write: fail("a handshake could not be sent at once");
        case bench::TlsConnection::Step::ended: fail("the server closed a connection");
    }
    resumed_ += session.tls->is_resumed();
    say_hello(session);
}

/// A whole reply has arrived; its last line is in session.line.
void Load::take_reply(Session& session) {
    const char expected = session.state == State::data && session.awaited == 1 ? '3' : '2';
    if (session.line[0] != expected) fail("unexpected reply: " + session.line);
    if (--session.awaited > 0) return;
    session.awaited = 1;
    switch (session.state) {
        case State::connecting: greeted(session); break;
        case State::hello: said_hello(session); break;
        case State::starttls: start_tls(session); break;
        case State::mail:
            send(session, recipient);
            session.state = State::rcpt;
            break;
        case State::rcpt:
            send(session, "DATA\r\n");
            session.state = State::data;
            break;
        case State::data:
            session.state = State::text;
            session.text_sent = 0;
            send_text(session);
            break;
        case State::text: end_message(session); break;
        case State::quit: close(session); break;
        case State::idle:
        case State::handshake:
        case State::closed: fail("a reply that nobody asked for: " + session.line);
    }
}

void Load::greeted(Session& session) {
    greeting_.add(session.opened);
    --ungreeted_;
    last_done_ = Clock::now();
    if (wish_.aim == Aim::greet) {
        --opening_;
        close(session);
        free_.pop_back();  // it has had its turn
        return;
    }
    say_hello(session);
}

void Load::say_hello(Session& session) {
    send(session,
         session.client.empty() ? "EHLO client.example.net\r\n" : "EHLO helo-" + session.client + ".load.test\r\n");
    session.state = State::hello;
}

void Load::said_hello(Session& session) {
    if (wish_.tls && !session.tls) {
        send(session, "STARTTLS\r\n");
        session.state = State::starttls;
        return;
    }
    --opening_;
    if (wish_.aim == Aim::messages) return begin_message(session);
    session.state = State::idle;
    ++idle_;
}

void Load::begin_message(Session& session) {
    if (wish_.chunking) {
        session.state = State::text;
        session.awaited = 3;
        session.text_sent = 0;
        return send_text(session);
    }
    const std::string sender = session.client.empty() ? std::string(usual_sender)
                                                      : "MAIL FROM:<sender@from-" + session.client + ".load.test>\r\n";
    if (wish_.pipeline) {
        send(session, sender + std::string(recipient) + "DATA\r\n");
        session.state = State::data;
        session.awaited = 3;
    } else {
        send(session, sender);
        session.state = State::mail;
    }
}

void Load::end_message(Session& session) {
    ++done_;
    last_done_ = Clock::now();
    accepted_.add(session.begun);
    if (wish_.keep && may_begin()) {
        ++begun_;
        session.begun = last_done_;
        begin_message(session);
    } else {
        send(session, "QUIT\r\n");
        session.state = State::quit;
    }
}

void Load::run() {
    start_ = last_done_ = Clock::now();
    open_more();
    epoll_event events[256];
    while (!is_done()) {
        const int next = time_to_next();
        const int count = epoll_wait(epoll_, events, std::size(events), next < 0 ? 10'000 : next);
        if (count < 0 && errno != EINTR) fail_errno("epoll_wait");
        if (count == 0 && next < 0) {
            if (wish_.aim == Aim::hold) return;  // to_json() says how many there are
            fail("the server says nothing any more");
        }
        for (int i = 0; i < count; ++i) {
            Session& session = *static_cast<Session*>(events[i].data.ptr);
            if ((events[i].events & EPOLLOUT) != 0) send_text(session);
            if ((events[i].events & ~static_cast<unsigned>(EPOLLOUT)) != 0) receive(session);
        }
        open_more();
    }
}

/// Prints the results, waits for the end of standard input, and counts the sessions that the server has kept until
/// then.
void Load::hold_until_end_of_input() {
    std::printf("%s\n", to_json().c_str());
    std::fflush(stdout);
    char octet = 0;
    while (read(STDIN_FILENO, &octet, 1) > 0) {}
    for (const auto& session : sessions_)
        if (session.state == State::idle && recv(session.descriptor, &octet, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
            ++still_open_;
}

std::string Load::to_json() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    char numbers[384];
    std::snprintf(
        numbers, sizeof numbers,
        R"("messages": %zu, "seconds": %.6f, "client_cpu": %.6f, "connections": %zu, "idle": %zu, "still_open": %zu, "most_live": %zu, "most_ungreeted": %zu, "late": %zu, "resumed": %zu)",
        done_, std::chrono::duration<double>(last_done_ - start_).count(),
        seconds(usage.ru_utime) + seconds(usage.ru_stime), opened_, idle_, still_open_, most_live_, most_ungreeted_,
        late_, resumed_);
    Sample first = greeting_.part(0, 0.2), last = greeting_.part(0.8, 1);
    return std::string("{") + numbers + ", \"first_greetings_ms\": " + first.to_json() +
           ", \"last_greetings_ms\": " + last.to_json() + ", \"greeting_ms\": " + greeting_.to_json() +
           ", \"accepted_ms\": " + accepted_.to_json() + "}";
}

Wish read_arguments(int argc, char** argv) {
    Wish wish;
    int at = 1;
    const auto number = [&] { return at + 1 < argc ? std::strtod(argv[++at], nullptr) : 0.0; };
    const auto count = [&] { return static_cast<std::size_t>(number()); };
    for (; at < argc && std::string_view(argv[at]).substr(0, 2) == "--"; ++at) {
        const std::string_view word(argv[at]);
        if (word == "--sessions") wish.sessions = count();
        else if (word == "--window") wish.window = count();
        else if (word == "--count") wish.count = count();
        else if (word == "--seconds") wish.seconds = number();
        else if (word == "--size") wish.size = count();
        else if (word == "--pause") wish.pause = static_cast<int>(number());
        else if (word == "--rate") wish.rate = number();
        else if (word == "--clients") wish.clients = count();
        else if (word == "--first") wish.first = count();
        else if (word == "--keep") wish.keep = true;
        else if (word == "--pipeline") wish.pipeline = true;
        else if (word == "--chunking") wish.chunking = true;
        else if (word == "--tls") wish.tls = true;
        else if (word == "--resume") wish.tls = wish.resume = true;
        else if (word == "--hold") wish.aim = Aim::hold;
        else if (word == "--greet") wish.aim = Aim::greet;
        else fail("no such option: " + std::string(word));
    }
    if (wish.window == 0) wish.window = wish.sessions;
    if (wish.chunking && wish.clients > 0) fail("--chunking has one sender only");
    if (argc - at != 2) fail("usage: smtp_load [options] ADDRESS PORT");
    wish.server.sin_family = AF_INET;
    wish.server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[at + 1])));
    if (inet_pton(AF_INET, argv[at], &wish.server.sin_addr) != 1) fail("ADDRESS is not an IPv4 address");
    return wish;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // TLS writes without MSG_NOSIGNAL
    try {
        const Wish wish = read_arguments(argc, argv);
        Load load(wish);
        load.run();
        if (wish.aim == Aim::hold) load.hold_until_end_of_input();
        std::printf("%s\n", load.to_json().c_str());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "smtp_load: %s\n", error.what());
        return 1;
    }
}
