/// files.h: file operations that plugins share.
///
/// Errors carry the errno and its text; a full disk or an exhausted quota gives ErrorCode::no_space. Every descriptor
/// is close-on-exec. Thread-safe.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace smtpd {

/// Owns an open file and closes it when destroyed.
class SMTPD_API FileDescriptor {
public:
    FileDescriptor() = default;
    /// Takes ownership of a descriptor from open(), -1 included.
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
    /// Closes now; returns the errno of close(), 0 on success. For files whose last write may only fail here (NFS,
    /// quotas).
    int close() noexcept;

private:
    int descriptor_ = -1;
};

/// Makes an Error from an errno: "cannot open /x/y: Permission denied".
SMTPD_API Error os_error(std::string_view what, int os_status);

/// Writes all bytes, with as many calls as that takes.
SMTPD_API Result<void> write_all(int descriptor, std::string_view bytes);
/// The content of a file. An Error if it has more than `limit` bytes.
SMTPD_API Result<std::string> read_file(const std::string& path, std::size_t limit);
/// Opens a file for appending. Creates it with `mode` (less the umask) if it is missing; missing parent directories get
/// the same mode plus x.
SMTPD_API Result<FileDescriptor> open_for_append(const std::string& path, unsigned mode);
/// The same with O_NONBLOCK: a named pipe without a reader is an Error with ENXIO, and writing to a full one gives
/// EAGAIN. Without O_NONBLOCK both would block.
SMTPD_API Result<FileDescriptor> open_for_append_at_once(const std::string& path, unsigned mode);

/// strftime() in local time.
SMTPD_API std::string local_time(const std::string& pattern, std::chrono::system_clock::time_point when);

}  // namespace smtpd
