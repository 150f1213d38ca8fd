/// throws_int.cc: every handler throws an int.
#include "throws_everywhere.h"

namespace smtpd::plugins {

struct IntThrower {
    static void fail(const char*) { throw 42; }
};

SMTPD_PLUGIN("throws_int", ThrowsEverywhere<IntThrower>);
}  // namespace smtpd::plugins
