/// At `queue`, plugins deliver; those that judge do so before.
/// The compiler says: takes_verdicts
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.queue.add([](const Delivery&) { return deny(); });
#else
    hooks.queue_pre.add([](const DataPostHook&) { return deny(); });
#endif
}
