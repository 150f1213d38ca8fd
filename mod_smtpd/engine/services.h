/// services.h: what a session has its driver do: only the driver can wake it, make a handshake, and knows of other
/// sessions.
#pragma once

#include "engine/client_register.h"
#include "engine/name_service.h"
#include "engine/task_service.h"
#include "engine/tls_service.h"

namespace smtpd::engine {

/// Each may be missing: then every question to the DNS fails, there is no STARTTLS,
/// clients are not counted, and tasks run at once, in the thread that calls the session. They must outlive the session.
struct Services {
    NameService* names = nullptr;
    TlsService* tls = nullptr;
    ClientRegister* clients = nullptr;
    TaskService* tasks = nullptr;
    /// The driver has threads that may wait (Step::work). Otherwise plugins wait in whatever thread calls the session.
    bool has_workers = false;
};

}  // namespace smtpd::engine
