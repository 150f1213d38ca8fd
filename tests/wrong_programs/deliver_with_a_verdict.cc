/// A queue plugin says what became of the message; `ok` would not say for whom.
/// The compiler says: DelivererOf
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.queue.deliver([](const Delivery&) { return ok(); });
#else
    hooks.queue.deliver([](const Delivery&, const Answers&) { return DeliveryResult(delivered()); });
#endif
}
