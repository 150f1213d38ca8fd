/// A question where the session cannot be parked.
/// The compiler says: takes_questions
#include <smtpd/plugin.h>

using namespace smtpd;

void add_handlers(Hooks& hooks) {
#ifdef WRONG
    hooks.helo_parse.ask([](const ParseHook&, Questions& questions) { questions.a("example.com"); })
        .add([](const ParseHook&) { return ok(); });
#else
    hooks.helo.ask([](const HelloHook&, Questions& questions) { questions.a("example.com"); })
        .add([](const HelloHook&) { return ok(); });
#endif
}
