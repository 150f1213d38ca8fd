/// admission.h: which connections become sessions: those whose client is known and for whom the limits have a place.
#pragma once

#include "httpd/child.h"
#include "httpd/server.h"

#include <memory>
#include <string_view>

namespace smtpd::httpd {

class ConnectionDriver;

/// A place for a session of that client, if the limits have one left. A trusted proxy speaks for many, and has no limit
/// of its own.
SessionTable::Admission admit(Child& child, Server& server, std::string_view id, const IpAddress& client);
void log_refusal(conn_rec* connection, SessionTable::Refusal why, const Server& server);

/// The driver of a connection to a server with the engine on, made at the first call. Null for other connections, for
/// clients that were rejected, and where it is not known yet for whom a proxy connects: then `is_awaited` is set, and
/// there is to be another call when there is input.
struct Admitted {
    std::shared_ptr<ConnectionDriver> driver;
    bool is_awaited = false;
};
Admitted driver_of(conn_rec* connection);
/// The same without making one.
std::shared_ptr<ConnectionDriver> existing_driver_of(conn_rec* connection);

}  // namespace smtpd::httpd
