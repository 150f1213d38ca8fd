/// A verdict where nobody waits for one.
/// The compiler says: takes_verdicts
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.queue_post.add([](const QueuePostHook&) { return deny(); });
#else
    hooks.data.add([](const DataHook&) { return deny(); });
#endif
}
