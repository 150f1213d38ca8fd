/// bell.h: an eventfd: what a thread can wait for together with a socket.
#pragma once

#include "support/file_descriptor.h"

#include <sys/eventfd.h>

namespace smtpd::support {

/// Thread-safe. The descriptor comes into being when it is first asked for by the thread that waits.
class Bell {
public:
    int descriptor() {
        if (!descriptor_) descriptor_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        return descriptor_.get();
    }
    void ring() const noexcept { ::eventfd_write(descriptor_.get(), 1); }
    void silence() const noexcept {
        eventfd_t ignored = 0;
        if (descriptor_) ::eventfd_read(descriptor_.get(), &ignored);
    }

private:
    FileDescriptor descriptor_;
};

}  // namespace smtpd::support
