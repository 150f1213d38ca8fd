/// mpm_event.h: what has to be known about the event MPM from inside.
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// Makes a virtual host's own Timeout count while the MPM waits for its connection. Until a request has been read,
/// mpm_event takes the main server's; there are no requests here. Does nothing under another MPM, or where both are the
/// same.
void use_timeout_of_virtual_host(conn_rec* connection, const server_rec* main_server);

/// What process_connection returns where it wants to be called again when there is input, or the Timeout is over. Only
/// where the MPM can (AP_MPMQ_CAN_WAITIO).
int wait_for_input(conn_rec* connection);
/// The same, to be called again when the client's socket takes more octets.
int wait_for_room(conn_rec* connection);

/// What there is of the server beside this child.
enum class RestOfServer {
    restarted,  ///< this child is of an earlier generation
    serves,     ///< other children of this generation take connections
    none        ///< no other child does
};
/// For the MPMs that mark children which take no more connections (event, worker); by any thread.
RestOfServer rest_of_server() noexcept;

/// Lets the MPM's listener look again whether it may accept connections, where it has stopped doing so. mpm_event (seen
/// in 2.4.71) stops when it finds all threads at work, and is woken by a thread that becomes idle; if all have become
/// idle between the two, nobody wakes it, and new clients of this child wait until something happens on another
/// connection, perhaps for the whole Timeout. Under the event MPM, once a second, by any thread.
void nudge_listener() noexcept;

}  // namespace smtpd::httpd
