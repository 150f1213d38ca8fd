/// services.h: what a session delegates to its driver: only the driver can wake it, perform a handshake, and see other
/// sessions.
#pragma once

#include "engine/client_register.h"
#include "engine/name_service.h"
#include "engine/task_service.h"
#include "engine/tls_service.h"

namespace smtpd::engine {

/// Each may be missing: then every DNS question fails, there is no STARTTLS, clients are not counted, and tasks run
/// immediately, in the thread that calls the session. They must outlive the session.
struct Services {
    NameService* names = nullptr;
    TlsService* tls = nullptr;
    ClientRegister* clients = nullptr;
    TaskService* tasks = nullptr;
    /// The driver has threads that may block (Step::work). Otherwise plugins block whatever thread calls the session.
    bool has_workers = false;
};

}  // namespace smtpd::engine
