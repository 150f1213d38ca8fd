/// At data_chunk there are streams, which look on.
/// The compiler says: add
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.data_chunk.add([](const MessageHook&) { return deny(); });
#else
    hooks.data.add([](const DataHook&) { return deny(); });
#endif
}
