/// What a builder returns is a value; an object with a name is not built on.
/// The compiler says: reply
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.mail.decide([](const MailHook&) {
        auto finding = fail("no");
        finding.reply("Not today");
        return finding;
    });
#else
    hooks.mail.decide([](const MailHook&) {
        auto finding = fail("no").reply("Not today");
        return finding;
    });
#endif
}
