/// admission.h: decides which connections become sessions: the client must be known, and the limits must allow another
/// session.
#pragma once

#include "httpd/child.h"
#include "httpd/server.h"

#include <memory>
#include <string_view>

namespace smtpd::httpd {

class ConnectionDriver;

/// Takes a row for a session of that client if the limits allow it. A trusted proxy speaks for many clients, so the
/// per-client limit does not apply to it.
SessionTable::Admission admit(Child& child, Server& server, std::string_view id, const IpAddress& client);
void log_refusal(conn_rec* connection, SessionTable::Refusal why, const Server& server);

/// The driver of a connection to a server with the engine on, created at the first call. Null for other connections,
/// for rejected clients, and while the client of a proxy is still unknown: then `is_awaited` is set, and the caller
/// must call again when there is input.
struct Admitted {
    std::shared_ptr<ConnectionDriver> driver;
    bool is_awaited = false;
};
Admitted driver_of(conn_rec* connection);
/// The existing driver, if any; creates none.
std::shared_ptr<ConnectionDriver> existing_driver_of(conn_rec* connection);

}  // namespace smtpd::httpd
