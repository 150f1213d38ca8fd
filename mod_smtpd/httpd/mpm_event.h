/// mpm_event.h: code that depends on internals of the event MPM.
#pragma once

#include "httpd/apache.h"

namespace smtpd::httpd {

/// Applies a virtual host's own Timeout while the MPM waits for its connection. mpm_event uses the main server's until
/// a request has been read, but there are no requests here. Does nothing under another MPM, or if both are the same.
void use_timeout_of_virtual_host(conn_rec* connection, const server_rec* main_server);

/// The return value of process_connection that asks the MPM to call again when there is input or the Timeout has
/// passed. Only if the MPM can do that (AP_MPMQ_CAN_WAITIO).
int wait_for_input(conn_rec* connection);
/// The same, to be called when the client's socket takes more output.
int wait_for_room(conn_rec* connection);

/// The state of the server's other children.
enum class RestOfServer {
    restarted,  ///< this child belongs to an earlier generation
    serves,     ///< other children of this generation accept connections
    none        ///< no other child does
};
/// For MPMs that mark children that accept no more connections (event, worker). Thread-safe.
RestOfServer rest_of_server() noexcept;

/// Makes the MPM's listener check again whether it may accept connections. mpm_event (seen in 2.4.71) stops accepting
/// when it finds all threads busy, and a thread that becomes idle wakes it; if all threads become idle between the two,
/// nothing wakes it, and new clients of this child wait until something happens on another connection, perhaps for the
/// whole Timeout. Call it under the event MPM, once a second, from any thread.
void nudge_listener() noexcept;

}  // namespace smtpd::httpd
