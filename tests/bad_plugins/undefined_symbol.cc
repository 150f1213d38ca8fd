/// undefined_symbol.cc: needs a function that no server provides.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

__attribute__((visibility("default"))) int function_that_nobody_has();

class UndefinedSymbol final : public Plugin {
public:
    explicit UndefinedSymbol(Setup&) { function_that_nobody_has(); }
};

SMTPD_PLUGIN("undefined_symbol", UndefinedSymbol);
}  // namespace smtpd::plugins
