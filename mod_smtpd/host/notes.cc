/// notes.cc: the assignment of notes to slots, for the whole process.
///
/// Names and types are stored as text: a DSO may be unloaded and loaded again, and its type_info objects disappear with
/// it. Slots are never freed; their number is limited by the names in the plugins' source code.
#include "host/notes.h"

#include <smtpd/base/format.h>
#include <smtpd/notes.h>

#include <mutex>
#include <utility>

namespace smtpd {
namespace {

struct Registry {
    std::mutex mutex;
    std::vector<std::pair<std::string, std::string>> slots;  ///< name and type, by slot
    std::vector<std::string> complaints;
};

Registry& registry() {
    // Created on first use: keys are created while a DSO is loaded, before its statics in other files.
    static Registry instance;
    return instance;
}

}  // namespace

unsigned detail::note_slot(const char* name, const std::type_info& type) {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    bool other_type = false;
    for (unsigned slot = 0; slot < known.slots.size(); ++slot) {
        if (known.slots[slot].first != name) continue;
        if (known.slots[slot].second == type.name()) return slot;
        other_type = true;
    }
    if (other_type) known.complaints.push_back(format_text("the note \"{}\" already exists with another type", name));
    known.slots.emplace_back(name, type.name());
    return static_cast<unsigned>(known.slots.size() - 1);
}

std::vector<std::string> host::take_note_complaints() {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    return std::exchange(known.complaints, {});
}

}  // namespace smtpd
