/// files.h: the few things that plugins do with files, so that no two of them do it differently.
///
/// Errors carry the errno and its text; a full disk or an exhausted quota is ErrorCode::no_space. Every descriptor is
/// close-on-exec. Thread-safe.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace smtpd {

/// An open file, closed with its owner.
class SMTPD_API FileDescriptor {
public:
    FileDescriptor() = default;
    /// Takes over what open() gave, -1 included.
    explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    ~FileDescriptor();
    FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    explicit operator bool() const noexcept { return descriptor_ >= 0; }
    int get() const noexcept { return descriptor_; }
    int release() noexcept { return std::exchange(descriptor_, -1); }
    /// Closes now; the errno of close(), 0 when all is well. For files whose last write may only fail here (NFS,
    /// quotas).
    int close() noexcept;

private:
    int descriptor_ = -1;
};

/// An Error out of an errno: "cannot open /x/y: Permission denied".
SMTPD_API Error os_error(std::string_view what, int os_status);

/// Writes all of it, however many calls that takes.
SMTPD_API Result<void> write_all(int descriptor, std::string_view bytes);
/// The content of a file of at most `limit` octets.
SMTPD_API Result<std::string> read_file(const std::string& path, std::size_t limit);
/// Opens for appending, made with `mode` (less the umask) where it is missing; missing folders above it are made with
/// the same mode plus x.
SMTPD_API Result<FileDescriptor> open_for_append(const std::string& path, unsigned mode);
/// The same with O_NONBLOCK: a named pipe that nobody reads is an Error with ENXIO, and a full one gives EAGAIN to
/// whoever writes. Otherwise both would wait.
SMTPD_API Result<FileDescriptor> open_for_append_at_once(const std::string& path, unsigned mode);

/// strftime() in local time.
SMTPD_API std::string local_time(const std::string& pattern, std::chrono::system_clock::time_point when);

}  // namespace smtpd
