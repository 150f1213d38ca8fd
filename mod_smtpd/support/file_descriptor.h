/// file_descriptor.h: an open file that is closed when its owner goes, and the text of an errno.
#pragma once

#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

namespace smtpd::support {

class FileDescriptor {
public:
    FileDescriptor() = default;
    /// Takes over what open() gave, -1 included.
    explicit FileDescriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    ~FileDescriptor() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    explicit operator bool() const noexcept { return descriptor_ >= 0; }
    int get() const noexcept { return descriptor_; }
    int release() noexcept { return std::exchange(descriptor_, -1); }

private:
    int descriptor_ = -1;
};

/// "No such file or directory". Thread-safe, unlike strerror().
inline std::string os_message(int os_status) { return std::generic_category().message(os_status); }

}  // namespace smtpd::support
