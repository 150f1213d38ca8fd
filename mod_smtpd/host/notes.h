/// notes.h: the assignment of notes to slots, for the whole process.
#pragma once

#include <string>
#include <vector>

namespace smtpd::host {

/// The errors of note keys that were created since the last call ("note \"a.b\" …"). The loader asks after it has
/// opened a DSO.
std::vector<std::string> take_note_complaints();

}  // namespace smtpd::host
