/// Who is to have the message is decided before `queue`.
/// The compiler says: const
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.queue.observe([](const Delivery& delivery) { delivery.recipients().clear(); });
#else
    hooks.queue_pre.observe([](const DataPostHook& hook) { hook.transaction.recipients().clear(); });
#endif
}
