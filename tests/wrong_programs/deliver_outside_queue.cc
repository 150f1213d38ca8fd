/// A message is delivered at `queue` only.
/// The compiler says: delivers
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.data_post.deliver([](const DataPostHook&) { return delivered(); });
#else
    hooks.queue.deliver([](const Delivery&) { return delivered(); });
#endif
}
