/// cdb.cc: reads constant databases (https://cr.yp.to/cdb/cdb.txt).
///
/// The file begins with 256 pairs (position, number of slots), one for each value of a hash's low byte. A slot is
/// (hash, position of the record); a record is (size of key, size of data), key, data. All numbers have 32 bits, low
/// byte first. Whatever they say, nothing outside the file is accessed. A file of up to `copy_size` is read, so that
/// overwriting it in place does no harm; a larger one is mapped, and must not be truncated while it is in use.
#include <smtpd/control.h>

#include "support/file_descriptor.h"

#include <smtpd/base/format.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace smtpd {
namespace {

constexpr std::size_t table_count = 256;
constexpr std::size_t pair_size = 8;
constexpr std::size_t head_size = table_count * pair_size;
constexpr std::uint64_t copy_size = 4 * 1024 * 1024;
constexpr std::uint64_t max_size = 0xffffffff;

std::uint32_t cdb_hash(std::string_view key) noexcept {
    std::uint32_t hash = 5381;
    for (const char c : key) hash = ((hash << 5) + hash) ^ static_cast<unsigned char>(c);
    return hash;
}

Error problem(ErrorCode code, const std::string& path, std::string_view what, int os_status = 0) {
    return {code, format_text("{}: {}", path, what), os_status};
}

}  // namespace

/// The content of a database, copied or mapped.
struct Cdb::Map {
    std::string copy;
    const char* mapped = nullptr;
    std::size_t size = 0;

    Map() = default;
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;
    ~Map() {
        if (mapped) munmap(const_cast<char*>(mapped), size);
    }

    const char* data() const noexcept { return mapped ? mapped : copy.data(); }
    bool has(std::uint64_t offset, std::uint64_t count) const noexcept {
        return offset <= size && count <= size - offset;
    }
    /// The two numbers at `offset`, which must be inside the file.
    std::pair<std::uint32_t, std::uint32_t> pair(std::uint64_t offset) const noexcept {
        const auto* at = reinterpret_cast<const unsigned char*>(data()) + offset;
        const auto number = [](const unsigned char* from) {
            return std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8 | std::uint32_t{from[2]} << 16 |
                   std::uint32_t{from[3]} << 24;
        };
        return {number(at), number(at + 4)};
    }

    Result<void> load(int descriptor, const std::string& path);
    Result<void> check(const std::string& path) const;
};

Result<void> Cdb::Map::load(int descriptor, const std::string& path) {
    if (size > copy_size) {
        void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
        if (address == MAP_FAILED) return problem(ErrorCode::io, path, support::os_message(errno), errno);
        mapped = static_cast<const char*>(address);
        return {};
    }
    copy.resize(size);
    for (std::size_t filled = 0; filled < size;) {
        const ssize_t got = read(descriptor, copy.data() + filled, size - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return problem(ErrorCode::io, path, got < 0 ? support::os_message(errno) : "the file became shorter",
                           got < 0 ? errno : 0);
        filled += static_cast<std::size_t>(got);
    }
    return {};
}

/// Checks that every slot of every table points to a complete record.
Result<void> Cdb::Map::check(const std::string& path) const {
    const auto damaged = [&](const char* what) {
        return problem(ErrorCode::config, path, format_text("is not a cdb: {}", what));
    };
    if (size < head_size) return damaged("it is shorter than its head of 2048 octets");
    std::uint64_t slots = 0;
    for (std::size_t table = 0; table < table_count; ++table) {
        const auto [position, count] = pair(table * pair_size);
        if (!has(position, std::uint64_t{count} * pair_size)) return damaged("a hash table lies outside the file");
        slots += count;
    }
    if (slots * pair_size > size) return damaged("its hash tables are larger than the file");
    for (std::size_t table = 0; table < table_count; ++table) {
        const auto [position, count] = pair(table * pair_size);
        for (std::uint64_t slot = 0; slot < count; ++slot) {
            const std::uint64_t record = pair(position + slot * pair_size).second;
            if (record == 0) continue;
            if (!has(record, pair_size)) return damaged("a record lies outside the file");
            const auto [key_size, data_size] = pair(record);
            if (!has(record + pair_size, std::uint64_t{key_size} + data_size))
                return damaged("a record goes beyond the end of the file");
        }
    }
    return {};
}

Cdb::Cdb() = default;
Cdb::~Cdb() = default;
Cdb::Cdb(Cdb&&) noexcept = default;
Cdb& Cdb::operator=(Cdb&&) noexcept = default;

Result<Cdb> Cdb::open(const std::string& path) {
    const support::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0)
        return problem(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io, path, support::os_message(errno), errno);
    if (!S_ISREG(status.st_mode)) return problem(ErrorCode::config, path, "is not a regular file");
    if (static_cast<std::uint64_t>(status.st_size) > max_size)
        return problem(ErrorCode::config, path, "is not a cdb: it is larger than 4 GB");

    Cdb cdb;
    cdb.map_ = std::make_unique<Map>();
    cdb.map_->size = static_cast<std::size_t>(status.st_size);
    if (auto loaded = cdb.map_->load(file.get(), path); !loaded) return loaded.error();
    if (auto checked = cdb.map_->check(path); !checked) return checked.error();
    return cdb;
}

std::optional<std::string_view> Cdb::find(std::string_view key) const {
    if (!map_) return std::nullopt;
    const Map& map = *map_;
    const std::uint32_t hash = cdb_hash(key);
    const auto [table, count] = map.pair((hash % table_count) * pair_size);
    if (!map.has(table, std::uint64_t{count} * pair_size)) return std::nullopt;
    for (std::uint64_t tried = 0, slot = count > 0 ? (hash >> 8) % count : 0; tried < count;
         ++tried, slot = (slot + 1) % count) {
        const auto [slot_hash, record] = map.pair(table + slot * pair_size);
        if (record == 0) return std::nullopt;
        if (slot_hash != hash || !map.has(record, pair_size)) continue;
        const auto [key_size, data_size] = map.pair(record);
        const std::uint64_t key_at = std::uint64_t{record} + pair_size;
        if (key_size != key.size() || !map.has(key_at, std::uint64_t{key_size} + data_size)) continue;
        if (key.empty() || std::memcmp(map.data() + key_at, key.data(), key_size) == 0)
            return std::string_view(map.data() + key_at + key_size, data_size);
    }
    return std::nullopt;
}

bool Cdb::empty() const noexcept {
    if (!map_) return true;
    for (std::size_t table = 0; table < table_count; ++table)
        if (map_->pair(table * pair_size).second > 0) return false;
    return true;
}

}  // namespace smtpd
