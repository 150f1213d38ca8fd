/// A finding about a client that has gone.
/// The compiler says: takes_findings
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.disconnect.decide([](const DisconnectHook&) { return pass(); });
#else
    hooks.connect.decide([](const ConnectHook&) { return pass(); });
#endif
}
