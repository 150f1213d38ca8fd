/// udp_questions.h: asks name servers over UDP, each question with its own source port, from the first try to the reply
/// or the last time-out.
///
/// A question goes to the first server. If that does not answer in time, cannot be reached, or reports a failure, the
/// question goes to the next one, and so on in turn; a server that reported a failure is not asked again. A late reply,
/// when another server has been asked already, is accepted too.
///
/// A forged reply has to guess (RFC 5452) the id, which is random; the case of the name's letters, also random; and the
/// port. For each server that it is sent to, a question has a socket with a random port, which the kernel connects to
/// the server, so that packets from elsewhere are rejected. All tries with one server use the same port, id and case.
/// When the question is over, its sockets release their ports (connect(2) to no address) and are reused for other
/// questions, with other ports: that takes a quarter of the time of new sockets. Packets to an old port are discarded
/// before there is a new one. There are up to `max_sockets` for each server; beyond that, a question shares a random
/// one of those in use.
///
/// For one thread with an epoll set, which contains the sockets, with their descriptors as data.
#pragma once

#include "net/resolver_settings.h"
#include "support/file_descriptor.h"
#include "support/random.h"

#include <smtpd/dns/dns.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/socket.h>

namespace smtpd::net {

class UdpQuestions {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::size_t max_sockets = 128;

    enum class Ending {
        reply,          ///< from one server, or from the last one if all failed
        cut_off,        ///< the reply does not fit into a datagram
        in_other_case,  ///< a reply has the name's letters in another case: it may be forged
        unreachable,    ///< the last server that was tried cannot be reached
        timed_out,      ///< it did not answer in time
        no_resources    ///< no memory or no random numbers
    };

    class Question;

private:
    struct Socket;
    struct Server;
    using Round = std::list<Question*>;

public:
    /// Base class of callers' questions; must exist until over() is called or the UdpQuestions is destroyed.
    class Question {
    public:
        virtual ~Question() = default;
        /// Called once; no question may be asked meanwhile. `packet` is set for a reply only, and only during the call;
        /// the letters of its question are lower case.
        virtual void over(Ending ending, std::span<const std::uint8_t> packet) noexcept = 0;

    private:
        friend class UdpQuestions;
        std::string name_;  ///< its letters in random case
        DnsType type_{};
        std::uint16_t id_ = 0;
        std::uint16_t plain_id_ = 0;    ///< id without EDNS, so that a refusal of EDNS is not taken for its answer
        std::uint32_t plain_ = 0;       ///< a bit for each server to which it is sent without EDNS
        unsigned tries_ = 0;            ///< number of tries begun
        std::uint32_t failed_ = 0;      ///< a bit for each server that reported a failure
        std::vector<Socket*> sockets_;  ///< one for each server that it was sent to
        Time until_{};                  ///< the end of this try
        Round* round_ = nullptr;        ///< the round in which it waits for that
        Round::iterator place_;         ///< its place there
    };

    /// `settings` must name servers and outlive this. Throws std::bad_alloc.
    UdpQuestions(const ResolverSettings& settings, int epoll);
    ~UdpQuestions();
    UdpQuestions(const UdpQuestions&) = delete;
    UdpQuestions& operator=(const UdpQuestions&) = delete;

    /// Asks a question that is not pending. It may be over before this returns.
    void ask(Question& question, const DnsQuestion& what) noexcept;
    /// Reads a descriptor that has input. False if the descriptor is not one of these sockets.
    bool read(int descriptor) noexcept;
    /// Call it at next_timeout() or later.
    void expire(Time now) noexcept;
    Time next_timeout() const noexcept;
    /// Call it occasionally: closes the sockets that no question has needed since the last call.
    void close_unused() noexcept;
    std::size_t sockets() const noexcept { return sockets_.size(); }

private:
    unsigned server_of(const Question& question) const noexcept;
    void go_on(Question& question, Ending otherwise, std::span<const std::uint8_t> packet = {}) noexcept;
    bool send(Question& question, Server& server);
    static bool is_plain(const Question& question, const Server& server) noexcept;
    static bool is_reply(std::span<const std::uint8_t> packet, const Question& question, const Server& server) noexcept;
    bool send_without_edns(Question& question, Server& server) noexcept;
    void wait(Question& question, unsigned round);
    void finish(Question& question, Ending ending, std::span<const std::uint8_t> packet = {}) noexcept;

    Socket* socket_for(Question& question, Server& server);
    Socket* connected_socket(Server& server);
    std::unique_ptr<Socket> make_socket(Server& server);
    void leave(Question& question, Socket& socket) noexcept;
    static void drain(const Socket& socket) noexcept;
    void take(Socket& socket, std::span<std::uint8_t> packet) noexcept;
    void take_failure(Question& question, Socket& socket, std::span<const std::uint8_t> packet) noexcept;
    void lose(Socket& socket) noexcept;

    const ResolverSettings& settings_;
    const int epoll_;
    support::RandomSupply random_;
    std::vector<std::unique_ptr<Server>> servers_;
    std::unordered_map<int, Socket*> sockets_;  ///< by descriptor
    std::vector<Round> rounds_;                 ///< the nth tries, which all wait equally long: the oldest ends first
    std::vector<std::uint8_t> sent_;            ///< buffer for a question
    std::array<std::uint8_t, 65535> received_;
};

}  // namespace smtpd::net
