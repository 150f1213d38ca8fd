/// constructor_throws_int.cc: the constructor throws an exception that is not a std::exception.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class ConstructorThrowsInt final : public Plugin {
public:
    explicit ConstructorThrowsInt(Setup&) { throw 42; }
};

SMTPD_PLUGIN("constructor_throws_int", ConstructorThrowsInt);
}  // namespace smtpd::plugins
