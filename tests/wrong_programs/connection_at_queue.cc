/// A queue plugin does not see the connection: a message may have come out of a file.
/// The compiler says: has no member named
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.queue.deliver([](const Delivery& delivery) { return delivered("for {}", delivery.connection.address()); });
#else
    hooks.queue.deliver([](const Delivery& delivery) { return delivered("for {}", delivery.origin().address); });
#endif
}
