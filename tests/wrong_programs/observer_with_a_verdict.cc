/// An observer looks on; nobody would see what it returns.
/// The compiler says: observe
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.rcpt.observe([](const RcptHook&) { return deny(); });
#else
    hooks.rcpt.observe([](const RcptHook&) {});
#endif
}
