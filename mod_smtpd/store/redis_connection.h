/// redis_connection.h: one connection to a Redis server: sends commands and receives replies within a time limit.
///
/// Commands and replies use version 2 of Redis's protocol, which every server supports. (The client library hiredis
/// would not save code here: its time-outs start anew with every octet, and it accepts any number of elements that a
/// server announces.) Not thread-safe. A connection on which anything failed must not be used again.
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

/// The server's address, and the credentials.
struct RedisServer {
    std::string path;                    ///< of a socket; then host and port are not used
    std::string host;                    ///< as written
    std::vector<std::string> addresses;  ///< of the host, tried in that order
    std::uint16_t port = 6379;
    unsigned database = 0;
    std::string user;
    std::string password;

    /// "redis:127.0.0.1:6379/0", without user and password, for messages.
    std::string to_string() const;
};

/// A reply of Redis.
struct RedisReply {
    enum class Kind { nothing, status, number, text, list, refusal };
    Kind kind = Kind::nothing;
    std::int64_t number = 0;
    std::string text;  ///< for status, text and refusal
    std::vector<RedisReply> list;
};

/// Removes one reply from the front of `octets` if it is complete.
enum class RedisParse { done, more, wrong };
RedisParse parse_reply(std::string_view& octets, RedisReply& reply, int depth = 0);

class RedisConnection {
public:
    using Command = std::vector<std::string_view>;

    /// Connects and authenticates.
    static Result<std::unique_ptr<RedisConnection>> open(const RedisServer& server, Limit limit);
    ~RedisConnection();
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    /// Sends several commands at once; returns as many replies, in order. A refusal is a reply, and the connection
    /// stays usable; after an Error it is not.
    Result<std::vector<RedisReply>> ask(const std::vector<Command>& commands, Limit limit);
    bool is_good() const noexcept { return is_good_; }
    /// Whether the server closed the connection, or sent something unasked, while it was unused.
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
    std::string unread_;  ///< input that is not a complete reply yet
    bool is_good_ = true;
};

}  // namespace smtpd::store
