/// udp_questions.h: questions to name servers over UDP, each with a source port of its own, from the first try to the
/// reply or the last time-out.
///
/// A question goes to the first server. If that is silent for its time, cannot be reached, or says that it has failed,
/// it goes to the next one, and so on in turn; a server that said so is not asked the same again. A reply that comes
/// late, when another server is asked already, is as good.
///
/// What a forged reply has to guess (RFC 5452): the id, which is random; the case of the name's letters, likewise; and
/// the port. For each server that a question is sent to it has a socket, which the kernel gives a random port and
/// connects to the server, so that nothing from elsewhere gets in. All tries with one server use the same port, id and
/// case. When the question is over, its sockets give up their ports (connect(2) to no address) and are kept for other
/// questions, with other ports: that takes a quarter of the time of new sockets. What has come to an old port is thrown
/// away before there is a new one. There are up to `max_sockets` for each server; beyond that a question shares one
/// that is in use, chosen at random.
///
/// For one thread, which has an epoll set; the sockets are in it, with their descriptors as data.
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
        reply,          ///< of one server, or of the last one where all failed
        cut_off,        ///< there is a reply, but it does not fit into a datagram
        in_other_case,  ///< a reply has the name's letters in another case: perhaps it is forged
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
    /// Who asks derives from this, and must stay until over() is called or the UdpQuestions are gone.
    class Question {
    public:
        virtual ~Question() = default;
        /// Called once; nothing can be asked meanwhile. `packet` is there for a reply only, and only during the call;
        /// the question in it has lower-case letters.
        virtual void over(Ending ending, std::span<const std::uint8_t> packet) noexcept = 0;

    private:
        friend class UdpQuestions;
        std::string name_;  ///< its letters in random case
        DnsType type_{};
        std::uint16_t id_ = 0;
        std::uint16_t plain_id_ = 0;    ///< where it is sent without EDNS, so that each refusal of EDNS is known as one
        std::uint32_t plain_ = 0;       ///< a bit for each server to which it is sent so
        unsigned tries_ = 0;            ///< that were begun
        std::uint32_t failed_ = 0;      ///< a bit for each server that said so
        std::vector<Socket*> sockets_;  ///< one for each server that it was sent to
        Time until_{};                  ///< the end of this try
        Round* round_ = nullptr;        ///< in which it waits for that
        Round::iterator place_;         ///< there
    };

    /// `settings` must name servers and outlive this. Throws std::bad_alloc.
    UdpQuestions(const ResolverSettings& settings, int epoll);
    ~UdpQuestions();
    UdpQuestions(const UdpQuestions&) = delete;
    UdpQuestions& operator=(const UdpQuestions&) = delete;

    /// A question that is not on its way yet. It may be over before this returns.
    void ask(Question& question, const DnsQuestion& what) noexcept;
    /// There is something to read. False if the descriptor is none of these.
    bool read(int descriptor) noexcept;
    /// To be called at next_timeout() or later.
    void expire(Time now) noexcept;
    Time next_timeout() const noexcept;
    /// To be called now and then: closes the sockets that no question has needed since the last call.
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
    std::vector<std::uint8_t> sent_;            ///< the octets of a question
    std::array<std::uint8_t, 65535> received_;
};

}  // namespace smtpd::net
