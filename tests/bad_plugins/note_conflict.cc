/// note_conflict.cc: uses one note with two types.
#include <smtpd/plugin.h>

namespace smtpd::plugins {
namespace {

const NoteKey<int> as_number{"note_conflict.value"};
const NoteKey<std::string> as_text{"note_conflict.value"};

}  // namespace

class NoteConflict final : public Plugin {
public:
    explicit NoteConflict(Setup& setup) {
        setup.hooks.connect.observe([](const ConnectHook& hook) {
            hook.connection.notes().get(as_number) = 1;
            hook.connection.notes().get(as_text) = "one";
        });
    }
};

SMTPD_PLUGIN("note_conflict", NoteConflict);
}  // namespace smtpd::plugins
