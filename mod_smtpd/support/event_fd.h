/// event_fd.h: an eventfd, which lets a thread wait for another thread and for a socket with one poll().
#pragma once

#include "support/file_descriptor.h"

#include <sys/eventfd.h>

namespace smtpd::support {

/// Thread-safe. The waiting thread opens the descriptor when it first uses it.
class EventFd {
public:
    int descriptor() {
        if (!descriptor_) descriptor_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        return descriptor_.get();
    }
    void signal() const noexcept { ::eventfd_write(descriptor_.get(), 1); }
    void clear() const noexcept {
        eventfd_t ignored = 0;
        if (descriptor_) ::eventfd_read(descriptor_.get(), &ignored);
    }

private:
    FileDescriptor descriptor_;
};

}  // namespace smtpd::support
