/// address.cc: parses addresses of back ends.
#include "store/address.h"

#include "store/file_store.h"
#include "store/memory_store.h"
#include "support/strings.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>
#include <smtpd/options.h>

#include <algorithm>

#include <netdb.h>
#include <sys/socket.h>

namespace smtpd::store {
namespace {

constexpr Duration default_timeout = std::chrono::milliseconds(500);
constexpr Duration least_timeout = std::chrono::milliseconds(1);
constexpr Duration greatest_timeout = std::chrono::seconds(30);
constexpr std::size_t max_password_file = 4096;
constexpr const char* forms = "\"file:/path\", \"redis:host:port/database\", \"redis:/path\" or \"memory:size\"";

Error wrong(std::string text) { return {ErrorCode::config, std::move(text), 0}; }

bool read_size(std::string_view text, std::uint64_t& size) {
    ByteCount octets;
    if (!OptionType<ByteCount>::read(text, octets).empty()) return false;
    size = octets.value;
    return true;
}

std::string shown_size(std::uint64_t size) { return OptionType<ByteCount>::show(ByteCount{size}); }

Result<void> read_file_place(std::string_view place, Address& address,
                             const std::function<std::string(std::string_view)>& resolve_path) {
    if (place.empty()) return wrong("\"file:\" needs a path");
    address.path = resolve_path ? resolve_path(place) : std::string(place);
    address.size = FileStore::default_size;
    if (!address.path.starts_with('/')) return wrong(format_text("\"{}\" is not an absolute path", place));
    if (address.path.ends_with('/')) return wrong(format_text("\"{}\" is a directory, not a file", place));
    return {};
}

Result<void> read_memory_place(std::string_view place, Address& address) {
    if (!read_size(place, address.size) || address.size < MemoryStore::least_size ||
        address.size > MemoryStore::greatest_size)
        return wrong(format_text("\"memory:\" needs a size from {} to {}, not \"{}\"",
                                 shown_size(MemoryStore::least_size), shown_size(MemoryStore::greatest_size), place));
    return {};
}

/// Done while the configuration is read, so that no look-up delays mail.
Result<void> look_up(RedisServer& server) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int status = ::getaddrinfo(server.host.c_str(), nullptr, &hints, &found); status != 0)
        return wrong(format_text("the host \"{}\" has no address: {}", server.host, ::gai_strerror(status)));
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        char text[64] = "";
        if (::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 &&
            IpAddress::parse(text))
            server.addresses.emplace_back(text);
    }
    ::freeaddrinfo(found);
    if (server.addresses.empty()) return wrong(format_text("the host \"{}\" has no address", server.host));
    return {};
}

bool read_number(std::string_view text, std::uint64_t least, std::uint64_t most, std::uint64_t& value) {
    const auto number = support::parse_unsigned(text);
    if (!number || *number < least || *number > most) return false;
    value = *number;
    return true;
}

/// host[:port][/database], [v6 address][:port][/database], or the path of a socket.
Result<void> read_redis_place(std::string_view place, Address& address) {
    RedisServer& server = address.redis.server;
    const Error problem = wrong(
        format_text("\"redis:\" needs host, host:port, host:port/database or the path of a socket, not \"{}\"", place));
    if (place.starts_with('/')) {
        server.path = place;
        return {};
    }
    std::uint64_t number = 0;
    if (const auto slash = place.find('/'); slash != std::string_view::npos) {
        if (!read_number(place.substr(slash + 1), 0, 1'000'000, number)) return problem;
        server.database = static_cast<unsigned>(number);
        place = place.substr(0, slash);
    }
    auto end_of_host = place.find(':');
    if (place.starts_with('[')) {
        const auto bracket = place.find(']');
        if (bracket == std::string_view::npos) return problem;
        server.host = place.substr(1, bracket - 1);
        end_of_host = bracket + 1 == place.size() ? std::string_view::npos : bracket + 1;
        if (end_of_host != std::string_view::npos && place[end_of_host] != ':') return problem;
    } else {
        server.host = place.substr(0, end_of_host);
    }
    if (end_of_host != std::string_view::npos) {
        if (!read_number(place.substr(end_of_host + 1), 1, 65535, number)) return problem;
        server.port = static_cast<std::uint16_t>(number);
    }
    if (server.host.empty()) return problem;
    return look_up(server);
}

Result<void> read_password(std::string_view file, Address& address,
                           const std::function<std::string(std::string_view)>& resolve_path) {
    const std::string path = resolve_path ? resolve_path(file) : std::string(file);
    const auto content = read_file(path, max_password_file);
    if (!content) return wrong(format_text("password-file: {}", content.error().what));
    address.redis.server.password = support::trim(content->substr(0, content->find('\n')));
    if (address.redis.server.password.empty())
        return wrong(format_text("password-file: {} has no password in its first line", path));
    return {};
}

Result<void> read_redis_option(std::string_view name, std::string_view value, Address& address,
                               const std::function<std::string(std::string_view)>& resolve_path) {
    std::uint64_t number = 0;
    if (name == "password-file") return read_password(value, address, resolve_path);
    if (name == "user") {
        address.redis.server.user = value;
    } else if (name == "prefix") {
        if (!is_space_name(value))
            return wrong(
                format_text("prefix takes up to 64 letters, digits, \"-\", \"_\" and \".\", not \"{}\"", value));
        address.redis.prefix = value;
    } else if (name == "connections") {
        if (!read_number(value, 1, 1000, number))
            return wrong(format_text("connections takes a number from 1 to 1000, not \"{}\"", value));
        address.redis.connections = static_cast<unsigned>(number);
    } else if (name == "database") {
        if (!read_number(value, 0, 1'000'000, number))
            return wrong(format_text("database takes a number, not \"{}\"", value));
        address.redis.server.database = static_cast<unsigned>(number);
    } else {
        return wrong(format_text(
            "there is no option \"{}\" for redis: only timeout, user, password-file, prefix, connections and database",
            name));
    }
    return {};
}

Result<void> read_option(std::string_view word, Address& address,
                         const std::function<std::string(std::string_view)>& resolve_path) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0)
        return wrong(format_text("\"{}\" is not an option of the form name=value", word));
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    if (name == "timeout") {
        if (!OptionType<Duration>::read(value, address.timeout).empty() || address.timeout < least_timeout ||
            address.timeout > greatest_timeout)
            return wrong(format_text("timeout takes a time from 1ms to 30s, not \"{}\"", value));
        return {};
    }
    if (address.kind == Address::Kind::redis) return read_redis_option(name, value, address, resolve_path);
    if (address.kind == Address::Kind::file && name == "size") {
        if (read_size(value, address.size) && address.size >= FileStore::least_size &&
            address.size <= std::uint64_t(1) << 40)
            return {};
        return wrong(format_text("size takes the maximum size of the file, from 1m to 1024g, not \"{}\"", value));
    }
    const bool is_file = address.kind == Address::Kind::file;
    return wrong(format_text("there is no option \"{}\" for {}", name,
                             is_file ? "file: only size and timeout" : "memory: only timeout"));
}

}  // namespace

bool is_space_name(std::string_view name) noexcept {
    const auto is_good = [](char c) {
        return support::is_alpha(c) || support::is_digit(c) || c == '-' || c == '_' || c == '.';
    };
    return !name.empty() && name.size() <= max_store_name && std::all_of(name.begin(), name.end(), is_good);
}

bool Address::is_one(std::string_view word) noexcept { return word.find(':') != std::string_view::npos; }

Result<Address> Address::parse(const std::vector<std::string>& words,
                               const std::function<std::string(std::string_view)>& resolve_path) {
    Address address;
    address.timeout = default_timeout;
    const std::string_view first = words.empty() ? std::string_view() : words.front();
    const auto colon = first.find(':');
    const std::string kind = support::folded(first.substr(0, colon));
    const std::string_view place = colon == std::string_view::npos ? std::string_view() : first.substr(colon + 1);
    Result<void> done;
    if (colon == std::string_view::npos) return wrong(format_text("{} is expected, not \"{}\"", forms, first));
    if (kind == "file") {
        done = read_file_place(place, address, resolve_path);
    } else if (kind == "redis") {
        address.kind = Kind::redis;
        done = read_redis_place(place, address);
    } else if (kind == "memory") {
        address.kind = Kind::memory;
        done = read_memory_place(place, address);
    } else {
        return wrong(
            format_text("there is no store of the kind \"{}\"; {} is expected", first.substr(0, colon), forms));
    }
    for (std::size_t i = 1; done && i < words.size(); ++i) done = read_option(words[i], address, resolve_path);
    if (!done) return done.error();
    if (address.kind == Kind::redis && !address.redis.server.user.empty() && address.redis.server.password.empty())
        return wrong("user needs a password-file");
    address.redis.timeout = address.timeout;
    return address;
}

std::string Address::to_string() const {
    switch (kind) {
        case Kind::file: return "file:" + path;
        case Kind::memory: return "memory:" + shown_size(size);
        case Kind::redis: break;
    }
    return redis.server.to_string();
}

std::string Address::identity() const {
    if (kind != Kind::redis) return to_string();
    return format_text("{} {} {} {} {} {}", to_string(), redis.server.database, redis.server.user, redis.prefix,
                       redis.connections, timeout.count());
}

std::shared_ptr<Backend> make_backend(const Address& address, const Clock& clock, Events& events) {
    switch (address.kind) {
        case Address::Kind::file:
            return std::make_shared<FileStore>(address.path, address.size, address.timeout, clock, events);
        case Address::Kind::memory: return std::make_shared<MemoryStore>(address.size, address.timeout, clock);
        case Address::Kind::redis: break;
    }
    return std::make_shared<RedisStore>(address.redis, events);
}

}  // namespace smtpd::store
