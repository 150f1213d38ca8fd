/// known_notes.h: the notes by which plugins tell each other something. Each has one owner, named here, who gives it its meaning.
#pragma once

#include <smtpd/notes.h>
#include <smtpd/waiting.h>

#include <string>

namespace smtpd::notes {

/// earlytalker, connection: where the client spoke before its turn.
struct EarlyTalk {
    std::string where;     ///< "CONNECT" or "DATA"
    bool counted = false;  ///< the finding that goes with it was given
};
inline const NoteKey<EarlyTalk> earlytalker{"earlytalker"};

/// earlytalker, connection: how long this client has to be silent, instead of the option `wait`. Set by others at pre_connection.
inline const NoteKey<Duration> earlytalker_wait{"earlytalker_wait"};

/// random_error, connection: the percentage for this client, instead of the option. Set by others, at any time.
inline const NoteKey<double> random_error_percent{"random_error_percent"};

}  // namespace smtpd::notes
