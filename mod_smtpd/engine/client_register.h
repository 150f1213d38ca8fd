/// client_register.h: the server's book of who is connected. The driver of a session implements it, because only it
/// knows of the others.
#pragma once

#include <smtpd/connection.h>

#include <cstdint>
#include <optional>

namespace smtpd::engine {

class ClientRegister {
public:
    virtual ~ClientRegister() = default;
    /// From now on the session is this client's (XCLIENT). How many sessions that client has then, this one included;
    /// nothing where it may have no more. An unspecified `local` is not known.
    virtual std::optional<std::uint32_t> change_client(const Endpoint& client, const Endpoint& local) = 0;
};

}  // namespace smtpd::engine
