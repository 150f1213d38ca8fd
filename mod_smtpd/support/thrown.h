/// thrown.h: the text of the current exception.
#pragma once

#include <exception>

namespace smtpd::support {

/// Call it in a catch block. Valid until the block ends.
inline const char* thrown_text() noexcept {
    try {
        throw;
    } catch (const std::exception& exception) { return exception.what(); } catch (...) {
        return "an unknown exception type";
    }
}

}  // namespace smtpd::support
