/// A plugin refuses a recipient with DataPostHook::refuse(); it does not write the recipient's fate.
/// The compiler says: private
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
    hooks.data_post.observe([](const DataPostHook& hook) {
        for (auto& recipient : hook.transaction.recipients()) {
#ifdef WRONG
            recipient.fate_ = rejected("no");
#else
            (void)recipient.fate().is_refused();
#endif
        }
    });
}
