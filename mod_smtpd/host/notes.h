/// notes.h: which note has which slot, for the whole process.
#pragma once

#include <string>
#include <vector>

namespace smtpd::host {

/// What was wrong with the note keys that were made since the last call ("note \"a.b\" …"). The loader asks after it
/// has opened a DSO.
std::vector<std::string> take_note_complaints();

}  // namespace smtpd::host
