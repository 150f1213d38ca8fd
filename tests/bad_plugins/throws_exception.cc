/// throws_exception.cc: every handler throws a std::exception.
#include "throws_everywhere.h"

#include <stdexcept>

namespace smtpd::plugins {

struct StandardThrower {
    static void fail(const char* where) { throw std::runtime_error(format_text("thrown at {}", where)); }
};

SMTPD_PLUGIN("throws_exception", ThrowsEverywhere<StandardThrower>);
}  // namespace smtpd::plugins
