/// files.cc: file operations that plugins share; see files.h.
#include <smtpd/base/files.h>

#include <cerrno>
#include <ctime>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd {
namespace {

constexpr std::size_t max_time_text = 4096;

/// Creates the parent directories of `path`, topmost first.
Result<void> make_folders(const std::string& path, mode_t mode) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const std::string folder = path.substr(0, slash);
        if (mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) return os_error("cannot create " + folder, errno);
    }
    return {};
}

/// Users that may read (write) the file's content may enter its directory.
constexpr mode_t folder_mode(unsigned mode) { return (mode | (mode & 0444) >> 2) & 0777; }

Result<FileDescriptor> open_to_append(const std::string& path, unsigned mode, int further_flags) {
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | further_flags;
    FileDescriptor file(::open(path.c_str(), flags, mode));
    if (!file && errno == ENOENT) {
        if (auto made = make_folders(path, folder_mode(mode)); !made) return made.error();
        file = FileDescriptor(::open(path.c_str(), flags, mode));
    }
    if (!file) return os_error("cannot open " + path, errno);
    return file;
}

}  // namespace

FileDescriptor::~FileDescriptor() { close(); }

int FileDescriptor::close() noexcept {
    const int descriptor = std::exchange(descriptor_, -1);
    return descriptor < 0 || ::close(descriptor) == 0 ? 0 : errno;
}

Error os_error(std::string_view what, int os_status) {
    ErrorCode code = ErrorCode::io;
    if (os_status == ENOSPC || os_status == EDQUOT) code = ErrorCode::no_space;
    if (os_status == ENOENT) code = ErrorCode::not_found;
    return {code, std::string(what) + ": " + std::generic_category().message(os_status), os_status};
}

Result<void> write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) return os_error("cannot write", errno);
        if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return os_error("cannot open " + path, errno);
    std::string content;
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error("cannot read " + path, errno);
        if (got == 0) return content;
        if (content.size() + static_cast<std::size_t>(got) > limit) return os_error("cannot use " + path, EFBIG);
        content.append(buffer, static_cast<std::size_t>(got));
    }
}

Result<FileDescriptor> open_for_append(const std::string& path, unsigned mode) { return open_to_append(path, mode, 0); }

Result<FileDescriptor> open_for_append_at_once(const std::string& path, unsigned mode) {
    return open_to_append(path, mode, O_NONBLOCK);
}

std::string local_time(const std::string& pattern, std::chrono::system_clock::time_point when) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    // strftime() returns 0 both for "too small" and for an empty result; the leading blank distinguishes them.
    const std::string guarded = " " + pattern;
    std::string text(max_time_text, '\0');
    const std::size_t size = std::strftime(text.data(), text.size(), guarded.c_str(), &parts);
    return size == 0 ? pattern : text.substr(1, size - 1);
}

}  // namespace smtpd
