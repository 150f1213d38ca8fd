/// notes.cc: which note has which slot, for the whole process.
///
/// Names and types are kept as text: a DSO may go and come back, and takes its type_info objects with it. Slots are
/// never given back; there are as many as names in the source texts of the plugins.
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
    static Registry instance;  // made on first use: keys are made while a DSO is loaded, before its own statics in
                               // other files
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
    if (other_type) known.complaints.push_back(format_text("the note \"{}\" is known with another type", name));
    known.slots.emplace_back(name, type.name());
    return static_cast<unsigned>(known.slots.size() - 1);
}

std::vector<std::string> host::take_note_complaints() {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    return std::exchange(known.complaints, {});
}

}  // namespace smtpd
