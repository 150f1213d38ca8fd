/// dns_load: a name server for the bench, on a free UDP port of 127.0.0.1. It counts the questions and delays its
/// answers as told.
///
///     dns_load [--delay [SUFFIX=]MS]...
///
/// It has correct records for many clients: the address 198.18.2.3 has the name host-198-18-2-3.load.test, every name
/// whose first label ends in -198-18-2-3 has that address, and every such name has the mail exchanger
/// mx-198-18-2-3.load.test. Other names do not exist, except the test entries (RFC 5782) of block lists: 2.0.0.127.ZONE
/// and test.ZONE. Answers are valid for an hour.
///
/// `--delay 300` delays all answers by 300 ms, `--delay bl1.test=20` those for names with this suffix; the longest
/// suffix counts. The first line of the output is the port. When standard input ends, it prints the number of questions
/// as JSON:
/// {"questions": 12, "by_type": {"A": 10, "PTR": 2}, "zones": {…}}.
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <queue>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using Octets = std::string;

enum Type : std::uint16_t { a = 1, soa = 6, ptr = 12, mx = 15, txt = 16, aaaa = 28 };

void put16(Octets& out, unsigned value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value);
}
void put32(Octets& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}

Octets wire_name(std::string_view name) {
    Octets out;
    while (!name.empty()) {
        const auto end = std::min(name.find('.'), name.size());
        out += static_cast<char>(end);
        out += name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
    }
    return out + '\0';
}

/// A question: its name in lower case, and its end in the packet. Throws std::out_of_range for an invalid question.
struct Question {
    explicit Question(const Octets& packet) {
        std::size_t at = 12;
        while (const auto length = static_cast<unsigned char>(packet.at(at))) {
            for (std::size_t i = at + 1; i <= at + length; ++i)
                name += static_cast<char>(std::tolower(static_cast<unsigned char>(packet.at(i))));
            name += '.';
            at += length + 1u;
        }
        if (!name.empty()) name.pop_back();
        type = static_cast<std::uint16_t>(static_cast<unsigned char>(packet.at(at + 1)) << 8 |
                                          static_cast<unsigned char>(packet.at(at + 2)));
        end = at + 5;
        if (end > packet.size()) throw std::out_of_range("question");
    }
    std::string name;
    std::uint16_t type = 0;
    std::size_t end = 0;
};

/// "198-18-2-3" from "host-198-18-2-3.load.test"; empty for other names.
std::string_view client_of(std::string_view name) {
    constexpr std::string_view domain = ".load.test";
    if (name.size() <= domain.size() || name.substr(name.size() - domain.size()) != domain) return {};
    name.remove_suffix(domain.size());
    const auto end = name.find('-');
    return end == std::string_view::npos || name.find('.') != std::string_view::npos ? std::string_view()
                                                                                     : name.substr(end + 1);
}

Octets address_of(std::string_view client) {
    std::string text(client);
    std::replace(text.begin(), text.end(), '-', '.');
    in_addr address{};
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) return {};
    return Octets(reinterpret_cast<const char*>(&address), sizeof address);
}

/// "3.2.18.198.in-addr.arpa" turned around: "198-18-2-3".
std::string client_of_reverse(std::string_view name) {
    std::string out;
    for (int i = 0; i < 4; ++i) {
        const auto end = name.find('.');
        if (end == std::string_view::npos) return {};
        out = std::string(name.substr(0, end)) + (out.empty() ? "" : "-") + out;
        name.remove_prefix(end + 1);
    }
    return name == "in-addr.arpa" ? out : std::string();
}

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }
bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

struct Found {
    bool exists = false;
    Octets data;  ///< of the requested type; empty if there is none
};

Found look_up(const Question& question) {
    const std::string& name = question.name;
    if (const auto reverse = client_of_reverse(name); !reverse.empty() && starts_with(reverse, "198-"))
        return {true, question.type == ptr ? wire_name("host-" + reverse + ".load.test") : Octets()};
    if (const auto client = client_of(name); !client.empty()) {
        if (question.type == a) return {true, address_of(client)};
        if (question.type == mx)
            return {true, Octets("\0\x0a", 2) + wire_name("mx-" + std::string(client) + ".load.test")};
        return {true, {}};
    }
    if (starts_with(name, "2.0.0.127.") || starts_with(name, "test."))
        return {true, question.type == a ? Octets("\x7f\0\0\x02", 4) : Octets()};
    return {};
}

Octets answer(const Octets& packet, const Question& question) {
    const Found found = look_up(question);
    Octets out = packet.substr(0, 2);
    put16(out, 0x8580 | (found.exists ? 0 : 3));  // authoritative, recursion available
    put16(out, 1);
    put16(out, found.data.empty() ? 0 : 1);
    put16(out, found.data.empty() ? 1 : 0);
    put16(out, 0);
    out += packet.substr(12, question.end - 12);
    put16(out, 0xc00c);  // the name that was asked for
    put16(out, found.data.empty() ? std::uint16_t{soa} : question.type);
    put16(out, 1);
    put32(out, 3600);
    Octets data = found.data;
    if (data.empty()) {
        data = wire_name("ns.test") + wire_name("root.test");
        for (const std::uint32_t number : {1, 3600, 600, 86400, 3600}) put32(data, number);
    }
    put16(out, static_cast<unsigned>(data.size()));
    return out + data;
}

class Server {
public:
    explicit Server(std::map<std::string, int> delays);
    ~Server() { close(socket_); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void run();
    std::string to_json() const;

private:
    struct Reply {
        Clock::time_point time;
        std::uint64_t order;
        sockaddr_in to;
        Octets octets;
        bool operator>(const Reply& other) const {
            return time != other.time ? time > other.time : order > other.order;
        }
    };

    void receive();
    void send_due();
    Clock::duration delay_of(const std::string& name) const;
    void send(const Octets& octets, const sockaddr_in& to) const {
        sendto(socket_, octets.data(), octets.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    void count(const Question& question);

    const std::map<std::string, int> delays_;
    int socket_ = -1;
    std::priority_queue<Reply, std::vector<Reply>, std::greater<>> waiting_;
    std::uint64_t questions_ = 0;
    std::map<std::uint16_t, std::uint64_t> by_type_;
    std::map<std::string, std::uint64_t> by_zone_;
};

Server::Server(std::map<std::string, int> delays)
    : delays_(std::move(delays)), socket_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof own;
    const int room = 8 << 20;
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length) != 0)
        throw std::runtime_error(std::string("bind: ") + std::strerror(errno));
    std::printf("%u\n", ntohs(own.sin_port));
    std::fflush(stdout);
}

void Server::run() {
    pollfd watched[2] = {{socket_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (true) {
        timespec timeout{};
        if (!waiting_.empty()) {
            const auto left = std::max(Clock::duration(0), waiting_.top().time - Clock::now());
            timeout.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
            timeout.tv_nsec = std::chrono::nanoseconds(left % std::chrono::seconds(1)).count();
        }
        if (ppoll(watched, 2, waiting_.empty() ? nullptr : &timeout, nullptr) < 0 && errno != EINTR)
            throw std::runtime_error("ppoll");
        receive();
        send_due();
        char octet = 0;
        if (watched[1].revents != 0 && read(STDIN_FILENO, &octet, 1) <= 0) return;
    }
}

void Server::receive() {
    char buffer[1500];
    sockaddr_in from{};
    while (true) {
        socklen_t length = sizeof from;
        const ssize_t got = recvfrom(socket_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0) return;
        try {
            const Octets packet(buffer, static_cast<std::size_t>(got));
            const Question question(packet);
            count(question);
            const auto delay = delay_of(question.name);
            if (delay.count() == 0) send(answer(packet, question), from);
            else waiting_.push({Clock::now() + delay, questions_, from, answer(packet, question)});
        } catch (const std::out_of_range&) {  // no question, no answer
        }
    }
}

void Server::send_due() {
    while (!waiting_.empty() && waiting_.top().time <= Clock::now()) {
        send(waiting_.top().octets, waiting_.top().to);
        waiting_.pop();
    }
}

Clock::duration Server::delay_of(const std::string& name) const {
    const std::pair<const std::string, int>* best = nullptr;
    for (const auto& entry : delays_)
        if (ends_with(name, entry.first) && (!best || entry.first.size() >= best->first.size())) best = &entry;
    return std::chrono::milliseconds(best ? best->second : 0);
}

void Server::count(const Question& question) {
    ++questions_;
    ++by_type_[question.type];
    const auto dot = question.name.rfind('.', question.name.rfind('.') - 1);
    ++by_zone_[dot == std::string::npos ? question.name : question.name.substr(dot + 1)];
}

std::string Server::to_json() const {
    const auto name_of = [](std::uint16_t type) -> std::string {
        switch (type) {
            case a: return "A";
            case ptr: return "PTR";
            case mx: return "MX";
            case txt: return "TXT";
            case aaaa: return "AAAA";
            default: return std::to_string(type);
        }
    };
    std::string types, zones;
    for (const auto& [type, number] : by_type_)
        types += (types.empty() ? "\"" : ", \"") + name_of(type) + "\": " + std::to_string(number);
    for (const auto& [zone, number] : by_zone_)
        if (zone.find_first_of("\"\\") == std::string::npos)
            zones += (zones.empty() ? "\"" : ", \"") + zone + "\": " + std::to_string(number);
    return "{\"questions\": " + std::to_string(questions_) + ", \"by_type\": {" + types + "}, \"zones\": {" + zones +
           "}}";
}

}  // namespace

int main(int argc, char** argv) {
    try {
        std::map<std::string, int> delays;
        for (int i = 1; i < argc; i += 2) {
            if (std::string_view(argv[i]) != "--delay" || i + 1 == argc)
                throw std::runtime_error("usage: dns_load [--delay [SUFFIX=]MS]...");
            const std::string_view value(argv[i + 1]);
            const auto equals = value.find('=');
            const auto suffix = equals == std::string_view::npos ? std::string_view() : value.substr(0, equals);
            delays[std::string(suffix)] = std::atoi(argv[i + 1] + (equals == std::string_view::npos ? 0 : equals + 1));
        }
        Server server(delays);
        server.run();
        std::printf("%s\n", server.to_json().c_str());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dns_load: %s\n", error.what());
        return 1;
    }
}
