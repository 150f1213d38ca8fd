/// redis_connection.h: one connection to a Redis server: commands go out, replies come back, and nothing takes longer
/// than it may.
///
/// Commands and replies are Redis's protocol, version 2, which every server speaks. (The client library hiredis would
/// be no less code here: its time-outs begin anew with every octet, and it takes any number of elements that a server
/// announces.) Not thread-safe. A connection on which anything went wrong must not be used again.
#pragma once

#include "store/backend.h"

#include "support/file_descriptor.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::store {

/// Where the server is, and as whom to speak to it.
struct RedisServer {
    std::string path;                    ///< of a socket; then host and port are not used
    std::string host;                    ///< as it was written
    std::vector<std::string> addresses;  ///< of the host, tried in that order
    std::uint16_t port = 6379;
    unsigned database = 0;
    std::string user;
    std::string password;

    /// "redis:127.0.0.1:6379/0", without user and password: for people.
    std::string to_string() const;
};

/// What Redis said.
struct RedisReply {
    enum class Kind { nothing, status, number, text, list, refusal };
    Kind kind = Kind::nothing;
    std::int64_t number = 0;
    std::string text;  ///< of status, text and refusal
    std::vector<RedisReply> list;
};

/// Takes one reply off the front of `octets`, if there is a whole one.
enum class RedisParse { done, more, wrong };
RedisParse parse_reply(std::string_view& octets, RedisReply& reply, int depth = 0);

class RedisConnection {
public:
    using Command = std::vector<std::string_view>;

    /// Connects, and says who we are.
    static Result<std::unique_ptr<RedisConnection>> open(const RedisServer& server, Limit limit);
    ~RedisConnection();
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    /// Several commands at once; as many replies, in their order. A refusal is a reply, and the connection stays good;
    /// an Error is its end.
    Result<std::vector<RedisReply>> ask(const std::vector<Command>& commands, Limit limit);
    bool is_good() const noexcept { return is_good_; }
    /// Whether the server closed it, or said something unasked, while it was not used.
    bool is_stale() const noexcept;

private:
    explicit RedisConnection(const RedisServer& server);
    Result<void> connect(const RedisServer& server, Limit limit);
    Result<void> connect_to(const std::string& address, const RedisServer& server, Limit limit);
    Result<void> send(std::string_view octets, Limit limit);
    Result<RedisReply> receive(Limit limit);
    Result<void> wait_for(short events, Limit limit) const;
    Error broken(std::string_view what, int os_status = 0) const;

    const std::string name_;
    support::FileDescriptor socket_;
    std::string unread_;  ///< what arrived and is not a whole reply yet
    bool is_good_ = true;
};

}  // namespace smtpd::store
