/// redis_store.cc: the operations as commands and scripts, and the connections they go over.
#include "store/redis_store.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <exception>
#include <map>
#include <set>

namespace smtpd::store {
namespace {

constexpr Duration first_pause = std::chrono::milliseconds(100);
constexpr Duration longest_pause = std::chrono::seconds(5);

// In all scripts KEYS[1] is the entry. They work with Redis 2.6 or later, and with compatible servers.

/// ARGV: value, lifetime. Returns the existing value, or nothing.
constexpr std::string_view put_if_absent_script =
    "local old = redis.call('GET', KEYS[1]) "
    "if old then return old end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
    "return false";

/// ARGV: amount, initial, lifetime, whether to restart the lifetime. Returns the sum as text, because Lua's numbers are
/// not exact.
constexpr std::string_view add_script =
    "local is_new = redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3], 'NX') "
    "local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1]) "
    "if type(sum) == 'table' and sum.err then "
    "if is_new then redis.call('DEL', KEYS[1]) end "
    "return sum end "
    "if ARGV[4] == '1' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end "
    "return redis.call('GET', KEYS[1])";

/// ARGV: value, lifetime, and the expected value, if any. Returns 1 if the value was stored.
constexpr std::string_view replace_script =
    "local old = redis.call('GET', KEYS[1]) "
    "if old ~= (ARGV[3] or false) then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
    "return 1";

std::string milliseconds(Duration lifetime) { return format_text("{}", lifetime.count()); }

/// Escapes the special characters of Redis's patterns.
std::string escape_pattern(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::string_view("*?[]\\").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

/// Whether the refusal is about the content of the entry. All others are about the server's state: loading, out of
/// memory, a read-only replica.
bool is_about_the_entry(std::string_view text) {
    return text.starts_with("WRONGTYPE") || text.find("not an integer") != std::string_view::npos ||
           text.find("would overflow") != std::string_view::npos;
}

Error refused(std::string_view what, const RedisReply& reply) {
    return {ErrorCode::unavailable, format_text("{} says {}", what, quoted(reply.text, 200)), 0};
}

template <class F>
auto guarded(F&& body) noexcept -> decltype(body()) {
    try {
        return body();
    } catch (const std::exception&) { return out_of_memory(); }
}

}  // namespace

RedisStore::RedisStore(RedisSettings settings, Events& events)
    : Backend(settings.timeout), settings_(std::move(settings)), what_(settings_.server.to_string()), events_(events) {}

void RedisStore::start() noexcept {
    const std::lock_guard lock(mutex_);
    is_started_ = true;
}

void RedisStore::stop() noexcept {
    const std::lock_guard lock(mutex_);
    is_started_ = false;
    idle_.clear();
}

std::string RedisStore::name_of(const Item& item) const {
    return format_text("{}:{}:{}", settings_.prefix, item.space, item.key);
}

// --- connections ---

/// A free connection, or a new one. Waits if the process has the maximum number.
Result<RedisStore::Connection> RedisStore::take(Limit limit) {
    std::unique_lock lock(mutex_);
    if (!is_started_) return not_started("the store " + what_);
    const auto present = std::chrono::steady_clock::now();
    if (present < retry_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(retry_ - present).count();
        return Error{ErrorCode::unavailable,
                     format_text("{} is not used for {} ms because of an error: {}", what_, left, reason_), 0};
    }
    // While the server does not work, only one operation tries; the others would wait in vain.
    if (!reason_.empty()) retry_ = std::min<Limit>(limit, present + timeout());
    if (!freed_.wait_until(lock, limit, [this] { return in_use_ < settings_.connections; }))
        return timed_out("waiting for a connection to " + what_);
    ++in_use_;
    while (!idle_.empty()) {
        Connection connection = std::move(idle_.back());
        idle_.pop_back();
        if (!connection->is_stale()) return connection;
    }
    lock.unlock();
    auto made = RedisConnection::open(settings_.server, limit);
    if (made) return std::move(*made);
    give_back(nullptr);
    failed(made.error());
    return made.error();
}

void RedisStore::give_back(Connection connection) noexcept {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (connection && connection->is_good() && is_started_) {
        try {
            idle_.push_back(std::move(connection));
        } catch (const std::exception&) {  // it is closed
        }
    }
    freed_.notify_one();
}

void RedisStore::failed(const Error& why) {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) events_.unreachable(format_text("{}: operations on the store fail", why.what));
    reason_ = why.what;
    pause_ = pause_.count() == 0 ? first_pause : std::min(2 * pause_, longest_pause);
    retry_ = std::chrono::steady_clock::now() + pause_;
    idle_.clear();  // they go to the same server
}

void RedisStore::worked() noexcept {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) return;
    reason_.clear();
    pause_ = Duration(0);
    retry_ = {};
    try {
        events_.reachable(format_text("{} answers again", what_));
    } catch (const std::exception&) {  // no memory for the text
    }
}

Result<std::vector<RedisReply>> RedisStore::ask_all(const std::vector<Command>& commands, Limit limit) {
    auto connection = take(limit);
    if (!connection) return connection.error();
    auto replies = (*connection)->ask(commands, limit);
    give_back(std::move(*connection));
    const auto is_refusal = [](const RedisReply& reply) {
        return reply.kind == RedisReply::Kind::refusal && !is_about_the_entry(reply.text);
    };
    if (!replies) {
        failed(replies.error());
    } else if (const auto refusal = std::find_if(replies->begin(), replies->end(), is_refusal);
               refusal != replies->end()) {
        failed(refused(what_, *refusal));
    } else {
        worked();
    }
    return replies;
}

Result<RedisReply> RedisStore::ask(const Command& command, Limit limit) {
    auto replies = ask_all({command}, limit);
    if (!replies) return replies.error();
    RedisReply& reply = replies->front();
    if (reply.kind == RedisReply::Kind::refusal) return refused(what_, reply);
    return std::move(reply);
}

Result<RedisReply> RedisStore::run_script(std::string_view script, const Item& item,
                                          const std::vector<std::string>& arguments, Limit limit) {
    const std::string name = name_of(item);
    Command command{"EVAL", script, "1", name};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return ask(command, limit);
}

// --- operations ---

Backend::Found RedisStore::get(const Item& item, Limit limit) noexcept {
    return guarded([&]() -> Found {
        const std::string name = name_of(item);
        auto reply = ask({"GET", name}, limit);
        if (!reply) return reply.error();
        if (reply->kind == RedisReply::Kind::nothing) return std::optional<std::string>();
        return std::optional(std::move(reply->text));
    });
}

Result<void> RedisStore::put(const Item& item, std::string_view value, Duration lifetime, Limit limit) noexcept {
    return guarded([&]() -> Result<void> {
        const std::string name = name_of(item);
        const std::string time = milliseconds(lifetime);
        const auto reply = ask({"SET", name, value, "PX", time}, limit);
        if (!reply) return reply.error();
        return {};
    });
}

Backend::Found RedisStore::put_if_absent(const Item& item, std::string_view value, Duration lifetime,
                                         Limit limit) noexcept {
    return guarded([&]() -> Found {
        auto reply = run_script(put_if_absent_script, item, {std::string(value), milliseconds(lifetime)}, limit);
        if (!reply) return reply.error();
        if (reply->kind == RedisReply::Kind::nothing) return std::optional<std::string>();
        return std::optional(std::move(reply->text));
    });
}

Result<std::int64_t> RedisStore::add(const Item& item, std::int64_t amount, Duration lifetime, AddOptions options,
                                     Limit limit) noexcept {
    return guarded([&]() -> Result<std::int64_t> {
        const auto reply = run_script(add_script, item,
                                      {format_text("{}", amount), format_text("{}", options.initial),
                                       milliseconds(lifetime), options.renews ? "1" : "0"},
                                      limit);
        if (!reply && reply.error().what.find("not an integer") != std::string::npos) return not_a_number(item);
        if (!reply && reply.error().what.find("overflow") != std::string::npos) return would_overflow(item);
        if (!reply) return reply.error();
        std::int64_t sum = 0;
        if (!smtpd::detail::read_number(reply->text, sum)) return not_a_number(item);
        return sum;
    });
}

Result<bool> RedisStore::replace(const Item& item, std::optional<std::string_view> expected, std::string_view value,
                                 Duration lifetime, Limit limit) noexcept {
    return guarded([&]() -> Result<bool> {
        std::vector<std::string> arguments{std::string(value), milliseconds(lifetime)};
        if (expected) arguments.emplace_back(*expected);
        const auto reply = run_script(replace_script, item, arguments, limit);
        if (!reply) return reply.error();
        return reply->number == 1;
    });
}

Result<bool> RedisStore::remove(const Item& item, Limit limit) noexcept {
    return guarded([&]() -> Result<bool> {
        const std::string name = name_of(item);
        const auto reply = ask({"DEL", name}, limit);
        if (!reply) return reply.error();
        return reply->number == 1;
    });
}

Result<Backend::Page> RedisStore::list(const Item& prefix, std::size_t count, std::string_view from,
                                       Limit limit) noexcept {
    return guarded([&]() -> Result<Page> {
        const std::string stem = name_of({prefix.space, {}});
        const std::string pattern = escape_pattern(stem) + escape_pattern(prefix.key) + "*";
        const std::string wanted = format_text("{}", count);
        auto found = ask({"SCAN", from.empty() ? "0" : from, "MATCH", pattern, "COUNT", wanted}, limit);
        if (!found) return found.error();
        if (found->list.size() != 2 || found->list[1].kind != RedisReply::Kind::list)
            return Error{ErrorCode::unavailable, what_ + " returned no list of keys", 0};
        Page page;
        if (found->list[0].text != "0") page.next = found->list[0].text;
        const auto& names = found->list[1].list;
        std::vector<Command> commands;
        for (const auto& name : names) {
            commands.push_back({"GET", name.text});
            commands.push_back({"PTTL", name.text});
        }
        if (commands.empty()) return page;
        auto replies = ask_all(commands, limit);
        if (!replies) return replies.error();
        for (std::size_t i = 0; i < names.size(); ++i) {
            RedisReply& value = (*replies)[2 * i];
            const std::int64_t left = (*replies)[2 * i + 1].number;
            if (value.kind != RedisReply::Kind::text || left <= 0 || names[i].text.size() < stem.size())
                continue;  // it has expired meanwhile
            page.entries.push_back({names[i].text.substr(stem.size()), std::move(value.text), Duration(left)});
        }
        return page;
    });
}

/// SCAN may name a key more than once.
Result<std::vector<SpaceSize>> RedisStore::spaces(Limit limit) noexcept {
    return guarded([&]() -> Result<std::vector<SpaceSize>> {
        const std::string stem = settings_.prefix + ":";
        std::set<std::string> keys;
        std::string from = "0";
        do {
            auto found = ask({"SCAN", from, "MATCH", escape_pattern(stem) + "*", "COUNT", "1000"}, limit);
            if (!found) return found.error();
            if (found->list.size() != 2 || found->list[1].kind != RedisReply::Kind::list)
                return Error{ErrorCode::unavailable, what_ + " returned no list of keys", 0};
            from = found->list[0].text;
            for (const auto& name : found->list[1].list) keys.insert(name.text);
        } while (from != "0");
        std::map<std::string, std::uint64_t> entries;
        for (const auto& key : keys)
            if (const auto end = key.find(':', stem.size()); end != std::string::npos)
                ++entries[key.substr(stem.size(), end - stem.size())];
        std::vector<SpaceSize> spaces;
        for (const auto& [name, count] : entries) spaces.push_back({name, count});
        return spaces;
    });
}

}  // namespace smtpd::store
