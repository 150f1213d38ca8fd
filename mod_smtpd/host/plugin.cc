/// plugin.cc: the destructors of the plugins' base classes, so that their type information is in one place.
#include <smtpd/plugin.h>

namespace smtpd {

Plugin::~Plugin() = default;
PolicyPlugin::~PolicyPlugin() = default;

}  // namespace smtpd
