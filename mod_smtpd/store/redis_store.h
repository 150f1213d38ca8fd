/// redis_store.h: entries in a Redis server that several hosts share. Redis expires them.
///
/// An entry is the key "smtpd:NAMESPACE:KEY" (the first word is configurable). Each change is one command or one
/// script, so it is atomic across all hosts. A child keeps a few connections, opened when needed. If the server cannot
/// be reached, does not answer in time, or breaks off, the operation is an Error; whether it took effect is unknown.
/// Then the server is not used for a while (a tenth of a second, doubled up to five seconds), in which operations fail
/// at once, so that a dead server hardly delays mail.
#pragma once

#include "store/backend.h"
#include "store/redis_connection.h"
#include "support/work_pool.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace smtpd::store {

struct RedisSettings {
    RedisServer server;
    std::string prefix = "smtpd";
    Duration timeout = std::chrono::milliseconds(500);
    unsigned connections = 8;  ///< of one process
};

class RedisStore final : public Backend {
public:
    RedisStore(RedisSettings settings, Events& events);

    const RedisSettings& settings() const noexcept { return settings_; }

    support::Lane* lane() noexcept override { return &lane_; }
    void start() noexcept override;
    void stop() noexcept override;
    Found get(const Item& item, Limit limit) noexcept override;
    Result<void> put(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept override;
    Found put_if_absent(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept override;
    Result<std::int64_t> add(const Item& item, std::int64_t amount, Duration lifetime, AddOptions options,
                             Limit limit) noexcept override;
    Result<bool> replace(const Item& item, std::optional<std::string_view> expected, std::string_view value,
                         Duration lifetime, Limit limit) noexcept override;
    Result<bool> remove(const Item& item, Limit limit) noexcept override;
    /// `from` is Redis's cursor. Redis scans all its keys, so the time depends on their number.
    Result<Page> list(const Item& prefix, std::size_t count, std::string_view from, Limit limit) noexcept override;
    /// The namespaces that have entries, with their numbers of entries, sorted by name. Scans every key of the
    /// database.
    Result<std::vector<SpaceSize>> spaces(Limit limit) noexcept;

private:
    using Connection = std::unique_ptr<RedisConnection>;
    using Command = RedisConnection::Command;

    std::string name_of(const Item& item) const;
    Result<Connection> take(Limit limit);
    void give_back(Connection connection) noexcept;
    void failed(const Error& why);
    void worked() noexcept;
    Result<std::vector<RedisReply>> ask_all(const std::vector<Command>& commands, Limit limit);
    Result<RedisReply> ask(const Command& command, Limit limit);
    Result<RedisReply> run_script(std::string_view script, const Item& item, const std::vector<std::string>& arguments,
                                  Limit limit);

    const RedisSettings settings_;
    const std::string what_;  ///< "redis:127.0.0.1:6379/0"
    support::Lane lane_{what_, settings_.connections};
    Events& events_;

    std::mutex mutex_;  ///< guards the members below
    std::condition_variable freed_;
    std::vector<Connection> idle_;
    unsigned in_use_ = 0;
    bool is_started_ = false;
    Limit retry_{};  ///< until then the server is not used
    Duration pause_{0};
    std::string reason_;  ///< why it is not used; empty: it works
};

}  // namespace smtpd::store
