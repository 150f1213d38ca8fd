/// A recipient is refused before the transaction ends.
/// The compiler says: refuse
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.reset_transaction.observe(
        [](MessageHook& hook) { hook.refuse(hook.transaction.recipients().front(), deny()); });
#else
    hooks.data_post.add([](DataPostHook& hook) {
        hook.refuse(hook.transaction.recipients().front(), deny());
        return declined();
    });
#endif
}
