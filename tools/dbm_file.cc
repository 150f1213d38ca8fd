/// dbm_file.cc: reads DBM files with their libraries, and dumps of them.
#include "tools/dbm_file.h"

#include "support/strings.h"

#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#ifdef HAVE_LIBDB
#include <db.h>
#endif
#ifdef HAVE_LIBGDBM
#include <gdbm.h>
#endif

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::tools {
namespace {

constexpr std::size_t max_text = 1024 * 1024 * 1024;

enum class Format { berkeley, gdbm, text };

Error unreadable(std::string what) { return {ErrorCode::io, std::move(what), 0}; }

std::uint32_t swapped(std::uint32_t value) { return __builtin_bswap32(value); }

Result<Format> format_of(const std::string& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return os_error("cannot open " + path, errno);
    std::uint32_t words[4] = {};
    if (::read(file.get(), words, sizeof words) < 0) return os_error("cannot read " + path, errno);
    for (const std::uint32_t magic : {0x061561u, 0x053162u})  // hash, b-tree
        if (words[3] == magic || words[3] == swapped(magic) || words[0] == magic || words[0] == swapped(magic))
            return Format::berkeley;
    for (const std::uint32_t magic : {0x13579aceu, 0x13579acdu, 0x13579acfu, 0x13579ad0u, 0x13579ad1u})
        if (words[0] == magic || words[0] == swapped(magic)) return Format::gdbm;
    return Format::text;
}

#ifdef HAVE_LIBDB
Result<DbmEntries> read_berkeley(const std::string& path) {
    DB* raw = nullptr;
    int status = db_create(&raw, nullptr, 0);
    if (status != 0) return unreadable(format_text("cannot read {}: {}", path, db_strerror(status)));
    const std::unique_ptr<DB, void (*)(DB*)> database(raw, [](DB* db) { db->close(db, 0); });
    raw->set_errcall(raw, [](const DB_ENV*, const char*, const char*) {});
    status = raw->open(raw, nullptr, path.c_str(), nullptr, DB_UNKNOWN, DB_RDONLY, 0);
    DBC* cursor = nullptr;
    if (status == 0) status = raw->cursor(raw, nullptr, &cursor, 0);
    if (status != 0) return unreadable(format_text("cannot read {}: {}", path, db_strerror(status)));
    DbmEntries entries;
    DBT key;
    DBT value;
    std::memset(&key, 0, sizeof key);
    std::memset(&value, 0, sizeof value);
    while ((status = cursor->c_get(cursor, &key, &value, DB_NEXT)) == 0)
        entries.emplace_back(std::string(static_cast<const char*>(key.data), key.size),
                             std::string(static_cast<const char*>(value.data), value.size));
    cursor->c_close(cursor);
    if (status != DB_NOTFOUND) return unreadable(format_text("cannot read {}: {}", path, db_strerror(status)));
    return entries;
}
#else
Result<DbmEntries> read_berkeley(const std::string& path) {
    return unreadable(format_text(
        "{} is a Berkeley DB file, which this build cannot read; give it the output of \"db_dump {}\"", path, path));
}
#endif

#ifdef HAVE_LIBGDBM
std::string taken(datum octets) {
    std::string out(octets.dptr, static_cast<std::size_t>(octets.dsize));
    std::free(octets.dptr);
    return out;
}

Result<DbmEntries> read_gdbm(const std::string& path) {
    const std::unique_ptr<gdbm_file_info, void (*)(GDBM_FILE)> database(
        gdbm_open(path.c_str(), 0, GDBM_READER | GDBM_NOLOCK, 0, nullptr), [](GDBM_FILE file) { gdbm_close(file); });
    if (!database) return unreadable(format_text("cannot read {}: {}", path, gdbm_strerror(gdbm_errno)));
    DbmEntries entries;
    gdbm_errno = GDBM_NO_ERROR;
    for (datum key = gdbm_firstkey(database.get()); key.dptr != nullptr;) {
        const datum value = gdbm_fetch(database.get(), key);
        const datum next = gdbm_nextkey(database.get(), key);
        std::string name = taken(key);
        if (value.dptr != nullptr) entries.emplace_back(std::move(name), taken(value));
        key = next;
    }
    if (gdbm_errno != GDBM_NO_ERROR && gdbm_errno != GDBM_ITEM_NOT_FOUND)
        return unreadable(format_text("cannot read {}: {}", path, gdbm_strerror(gdbm_errno)));
    return entries;
}
#else
Result<DbmEntries> read_gdbm(const std::string& path) {
    return unreadable(
        format_text("{} is a GDBM file, which this build cannot read; give it a text file with keys and values", path));
}
#endif

int nibble(char c) {
    return support::is_digit(c)                                         ? c - '0'
           : support::to_lower(c) >= 'a' && support::to_lower(c) <= 'f' ? support::to_lower(c) - 'a' + 10
                                                                        : -1;
}

/// Decodes a line of db_dump without its first blank: each byte is two hexadecimal digits or, with -p, only unprintable
/// bytes are, after a backslash.
bool read_dumped(std::string_view line, bool is_plain, std::string& octets) {
    for (std::size_t i = 0; i < line.size();) {
        if (is_plain && line[i] != '\\') {
            octets += line[i++];
            continue;
        }
        i += is_plain;
        if (is_plain && i < line.size() && line[i] == '\\') {
            octets += line[i++];
            continue;
        }
        if (i + 1 >= line.size() || nibble(line[i]) < 0 || nibble(line[i + 1]) < 0) return false;
        octets += static_cast<char>(nibble(line[i]) << 4 | nibble(line[i + 1]));
        i += 2;
    }
    return true;
}

Result<DbmEntries> read_dump(const std::string& path, const std::vector<std::string_view>& lines) {
    DbmEntries entries;
    bool is_plain = false;
    bool is_header = true;
    bool is_whole = false;
    std::vector<std::string> octets;
    for (std::size_t number = 0; number < lines.size() && !is_whole; ++number) {
        const std::string_view line = lines[number];
        if (is_header) {
            is_plain = is_plain || line == "format=print";
            is_header = line != "HEADER=END";
        } else if (line == "DATA=END") {
            is_whole = true;
        } else if (!line.starts_with(' ') || !read_dumped(line.substr(1), is_plain, octets.emplace_back())) {
            return unreadable(format_text("{} line {} is not in the format of db_dump", path, number + 1));
        }
    }
    if (!is_whole || octets.size() % 2 != 0)
        return unreadable(format_text("{} is incomplete: it does not end with DATA=END", path));
    for (std::size_t i = 0; i < octets.size(); i += 2)
        entries.emplace_back(std::move(octets[i]), std::move(octets[i + 1]));
    return entries;
}

Result<DbmEntries> read_text(const std::string& path) {
    const auto content = read_file(path, max_text);
    if (!content) return content.error();
    const auto lines = support::split(*content, '\n');
    if (lines.front().starts_with("VERSION=")) return read_dump(path, lines);
    DbmEntries entries;
    for (std::size_t number = 0; number < lines.size(); ++number) {
        const auto words = support::split_words(lines[number]);
        if (words.empty() || words.front().starts_with('#')) continue;
        if (words.size() != 2)
            return unreadable(
                format_text("{} line {} is not a key and a value: is this a DBM file?", path, number + 1));
        entries.emplace_back(words[0], words[1]);
    }
    return entries;
}

}  // namespace

Result<DbmEntries> read_dbm(const std::string& path) {
    struct stat about {};
    const std::string pages = path + ".pag";
    const std::string& file = ::stat(path.c_str(), &about) != 0 && ::stat(pages.c_str(), &about) == 0 ? pages : path;
    const auto format = format_of(file);
    if (!format) return format.error();
    switch (*format) {
        case Format::berkeley: return read_berkeley(file);
        case Format::gdbm: return read_gdbm(file);
        case Format::text: break;
    }
    return read_text(file);
}

std::string dbm_formats() {
    std::string out;
#ifdef HAVE_LIBDB
    out += "Berkeley DB, ";
#endif
#ifdef HAVE_LIBGDBM
    out += "GDBM, ";
#endif
    return out + "text";
}

}  // namespace smtpd::tools
