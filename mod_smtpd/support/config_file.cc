/// config_file.cc: see config_file.h.
#include "support/config_file.h"

#include "support/file_descriptor.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace smtpd::support {
namespace {

using Position = std::string;  // "file:12", "" for the requested file

std::int64_t nanoseconds(const timespec& time) noexcept {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileStamp make_stamp(const std::string& path, const struct stat& status) {
    return {path,
            true,
            nanoseconds(status.st_mtim),
            nanoseconds(status.st_ctim),
            static_cast<std::uint64_t>(status.st_size),
            status.st_ino,
            status.st_dev};
}

/// Whether the text is a name; one with a part that leaves its directory is not.
bool is_name(std::string_view name) {
    if (name.empty() || name.front() == '/') return false;
    const auto parts = split(name, '/');
    return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

/// All paths at which a file of that name may be, in order.
std::vector<std::string> places(const std::vector<std::string>& directories, std::string_view name) {
    std::vector<std::string> paths;
    if (is_name(name))
        for (const auto& directory : directories) paths.push_back(format_text("{}/{}", directory, name));
    return paths;
}

/// Reads one control file and what it includes.
class Reader {
public:
    Reader(const ConfigLookup& lookup, ConfigFile& file)
        : lookup_(lookup), stamps_(file.files), ends_in_mid_line_(file.ends_in_mid_line) {}

    Result<ControlText> read(const std::string& path) {
        if (auto done = read_path(path, {}); !done) return done.error();
        return std::move(text_);
    }

private:
    Result<void> read_path(const std::string& path, const Position& from);
    Result<void> read_directory(const std::string& path, const Position& from);
    Result<void> read_file(const std::string& path, int descriptor, const struct stat& status, const Position& from);
    Result<std::string> load(const std::string& path, int descriptor, std::uint64_t size, const Position& from);
    Result<void> take_lines(const std::string& path, std::string_view content);
    Result<void> include(std::string_view name, const Position& from);
    Result<void> enter(const std::string& path, const struct stat& status, const Position& from);

    static Error problem(const Position& from, ErrorCode code, std::string what, int os_status = 0) {
        return {code, from.empty() ? std::move(what) : format_text("{}: {}", from, what), os_status};
    }
    static Error os_problem(const Position& from, std::string_view what, const std::string& path, int os_status) {
        return problem(from, os_status == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                       format_text("cannot {} {}: {}", what, path, os_message(os_status)), os_status);
    }

    /// A file that is being read now; the outermost comes first.
    struct Open {
        std::string path;
        dev_t device;
        ino_t inode;
    };

    const ConfigLookup& lookup_;
    std::vector<FileStamp>& stamps_;
    bool& ends_in_mid_line_;
    ControlText text_;
    std::vector<Open> open_;
    std::uint64_t total_size_ = 0;
    unsigned files_ = 0;
};

Result<void> Reader::read_path(const std::string& path, const Position& from) {
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    const int open_status = errno;
    struct stat status {};
    if (!file) {
        stamps_.push_back(FileStamp::of(path));
        return os_problem(from, "open", path, open_status);
    }
    if (fstat(file.get(), &status) != 0) return os_problem(from, "examine", path, errno);
    stamps_.push_back(make_stamp(path, status));
    if (S_ISDIR(status.st_mode) && !from.empty()) return read_directory(path, from);
    if (!S_ISREG(status.st_mode))
        return problem(
            from, ErrorCode::config,
            format_text("{} is not a regular file{}", path, from.empty() ? "" : " or a directory of regular files"));
    return read_file(path, file.get(), status, from);
}

Result<void> Reader::read_directory(const std::string& path, const Position& from) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
    if (!directory) return os_problem(from, "open", path, errno);
    std::vector<std::string> entries;
    while (const dirent* entry = readdir(directory.get())) {
        if (entry->d_name[0] == '.') continue;
        std::string entry_path = format_text("{}/{}", path, static_cast<const char*>(entry->d_name));
        struct stat status {};
        if (stat(entry_path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) entries.push_back(std::move(entry_path));
    }
    std::sort(entries.begin(), entries.end());
    for (const auto& entry : entries)
        if (auto done = read_path(entry, from); !done) return done;
    return {};
}

/// Rejects circular includes, and files that are nested too deeply or too large; otherwise the file counts as being
/// read.
Result<void> Reader::enter(const std::string& path, const struct stat& status, const Position& from) {
    const auto is_same = [&](const Open& other) {
        return other.device == status.st_dev && other.inode == status.st_ino;
    };
    if (const auto first = std::find_if(open_.begin(), open_.end(), is_same); first != open_.end()) {
        std::vector<std::string> chain;
        for (auto file = first; file != open_.end(); ++file) chain.push_back(file->path);
        chain.push_back(path);
        return problem(from, ErrorCode::config, format_text("circular $include: {}", join(chain, " -> ")));
    }
    if (open_.size() > max_include_depth)
        return problem(from, ErrorCode::config,
                       format_text("$include is nested more than {} levels deep", max_include_depth));
    if (++files_ > max_config_files)
        return problem(from, ErrorCode::config, format_text("$include reads more than {} files", max_config_files));
    open_.push_back({path, status.st_dev, status.st_ino});
    return {};
}

Result<void> Reader::read_file(const std::string& path, int descriptor, const struct stat& status,
                               const Position& from) {
    if (auto entered = enter(path, status, from); !entered) return entered;
    const auto content = load(path, descriptor, static_cast<std::uint64_t>(status.st_size), from);
    if (!content) return content.error();
    if (auto taken = take_lines(path, *content); !taken) return taken;
    open_.pop_back();
    return {};
}

Result<std::string> Reader::load(const std::string& path, int descriptor, std::uint64_t size, const Position& from) {
    const auto too_large = [&] {
        return problem(from, ErrorCode::config,
                       format_text("{} is too large: {} octets are allowed for a control file with all it includes",
                                   path, max_config_size));
    };
    if (total_size_ + size > max_config_size) return too_large();
    std::string content;
    for (;;) {  // proc say that they are empty/proc say that they are empty
        const std::size_t old_size = content.size();
        content.resize(std::max<std::size_t>(old_size + 4096, size + 1));
        const ssize_t got = ::read(descriptor, content.data() + old_size, content.size() - old_size);
        const int read_status = errno;
        content.resize(old_size + (got > 0 ? static_cast<std::size_t>(got) : 0));
        if (got < 0 && read_status != EINTR) return os_problem(from, "read", path, read_status);
        if (total_size_ + content.size() > max_config_size) return too_large();
        if (got == 0) break;
    }
    total_size_ += content.size();
    return content;
}

bool ends_with_blank(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line.ends_with(' ') || line.ends_with('\t');
}

Result<void> Reader::take_lines(const std::string& path, std::string_view content) {
    static constexpr std::string_view directive = "$include";
    static constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (content.substr(0, byte_order_mark.size()) == byte_order_mark) content.remove_prefix(byte_order_mark.size());
    ends_in_mid_line_ |= !content.empty() && content.back() != '\n';
    for (unsigned number = 1; !content.empty(); ++number) {
        const std::size_t end = std::min(content.find('\n'), content.size());
        const std::string_view whole = content.substr(0, end);
        const std::string_view line = trim(whole);
        content.remove_prefix(std::min(end + 1, content.size()));
        if (line.empty() || line.front() == '#') continue;
        if (line.find('\0') != std::string_view::npos)
            return problem(format_text("{}:{}", path, number), ErrorCode::config,
                           "the line has a NUL octet in it; a control file is text");
        const std::string_view rest = line.substr(std::min(line.size(), directive.size()));
        if (line.substr(0, directive.size()) == directive && (rest.empty() || is_space(rest.front()))) {
            if (auto done = include(trim(rest), format_text("{}:{}", path, number)); !done) return done;
        } else {
            text_.push_back({std::string(line), path, number, ends_with_blank(whole)});
        }
    }
    return {};
}

Result<void> Reader::include(std::string_view name, const Position& from) {
    if (name.empty()) return problem(from, ErrorCode::config, "$include needs the name of a file or directory");
    if (name.front() == '/') return read_path(std::string(name), from);
    const auto found = lookup_ ? lookup_(name) : std::nullopt;
    if (!found)
        return problem(from, ErrorCode::not_found,
                       format_text("$include {}: there is no control file of that name", name));
    return read_path(*found, from);
}

}  // namespace

FileStamp FileStamp::of(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) == 0) return make_stamp(path, status);
    FileStamp stamp;
    stamp.path = path;
    // An inaccessible path counts as existing, and reading it will show the reason.
    stamp.exists = errno != ENOENT && errno != ENOTDIR;
    return stamp;
}

bool any_changed(const std::vector<FileStamp>& stamps) {
    return std::any_of(stamps.begin(), stamps.end(),
                       [](const FileStamp& stamp) { return FileStamp::of(stamp.path) != stamp; });
}

ConfigFile read_config_file(const std::string& path, const ConfigLookup& lookup) {
    ConfigFile file;
    file.text = Reader(lookup, file).read(path);
    return file;
}

std::optional<std::string> find_control_file(const std::vector<std::string>& directories, std::string_view name) {
    for (const auto& path : places(directories, name))
        if (FileStamp::of(path).exists) return path;
    return std::nullopt;
}

ConfigFile read_control_file(const std::vector<std::string>& directories, std::string_view name) {
    std::vector<FileStamp> missing;
    const auto find = [&](std::string_view wanted) -> std::optional<std::string> {
        for (const auto& path : places(directories, wanted)) {
            FileStamp stamp = FileStamp::of(path);
            if (stamp.exists) return path;
            missing.push_back(std::move(stamp));
        }
        return std::nullopt;
    };
    const auto path = find(name);
    ConfigFile file = path ? read_config_file(*path, find) : ConfigFile{};
    file.files.insert(file.files.end(), missing.begin(), missing.end());
    return file;
}

}  // namespace smtpd::support
