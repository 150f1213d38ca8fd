/// options_throw.cc: the function that makes the option table throws.
#include <smtpd/plugin.h>

#include <stdexcept>

namespace smtpd::plugins {

class OptionsThrow final : public Plugin {
public:
    struct Options {
        static OptionTable table() { throw std::runtime_error("thrown by the option table"); }
    };
    OptionsThrow(Setup&, const Options&) {}
};

SMTPD_PLUGIN("options_throw", OptionsThrow);
}  // namespace smtpd::plugins
