/// address.h: the place of a store as an administrator writes it: the arguments of SmtpStore, and of the command
/// smtpd-store.
///
///     file:/var/lib/smtpd/store [size=256m]
///     redis:127.0.0.1:6379/0 [user=…] [password-file=…] [prefix=smtpd] [connections=8]
///     redis:/run/redis/redis.sock [database=0] …
///     memory:1m
///
/// All take timeout=500ms.
#pragma once

#include "store/redis_store.h"

#include <smtpd/base/result.h>
#include <smtpd/waiting.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::store {

struct Address {
    enum class Kind { file, redis, memory };

    Kind kind = Kind::file;
    std::string path;        ///< file: absolute
    std::uint64_t size = 0;  ///< file, memory
    RedisSettings redis;
    Duration timeout{};

    /// Its name in messages: "file:/var/lib/smtpd/store".
    std::string to_string() const;
    /// Two addresses with the same identity are the same back end.
    std::string identity() const;

    /// Parses "kind:place" and the options after it. The Error is a full sentence without the directive's name.
    /// `resolve_path` makes paths absolute.
    static Result<Address> parse(const std::vector<std::string>& words,
                                 const std::function<std::string(std::string_view)>& resolve_path);
    /// Whether the word can only be the beginning of an address, and not the name of a namespace.
    static bool is_one(std::string_view word) noexcept;
};

/// A back end for that address. It has no side effects before start(). `clock` and `events` must outlive it.
std::shared_ptr<Backend> make_backend(const Address& address, const Clock& clock, Events& events);

/// Whether the text is a valid name of a namespace: up to 64 letters, digits, "-", "_" and ".".
bool is_space_name(std::string_view name) noexcept;

}  // namespace smtpd::store
