/// thrown.h: what the exception says that is being handled.
#pragma once

#include <exception>

namespace smtpd::support {

/// In a catch block. Valid until the block ends.
inline const char* thrown_text() noexcept {
    try {
        throw;
    } catch (const std::exception& exception) { return exception.what(); } catch (...) {
        return "an exception that is no std::exception";
    }
}

}  // namespace smtpd::support
