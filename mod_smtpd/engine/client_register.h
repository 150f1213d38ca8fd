/// client_register.h: the server's register of connected clients. A session's driver implements it, because only the
/// driver knows about other sessions.
#pragma once

#include <smtpd/connection.h>

#include <cstdint>
#include <optional>

namespace smtpd::engine {

class ClientRegister {
public:
    virtual ~ClientRegister() = default;
    /// From now on the session belongs to this client (XCLIENT). Returns the client's number of sessions, this one
    /// included; nothing if the limit is reached. An unspecified `local` means unknown.
    virtual std::optional<std::uint32_t> change_client(const Endpoint& client, const Endpoint& local) = 0;
};

}  // namespace smtpd::engine
