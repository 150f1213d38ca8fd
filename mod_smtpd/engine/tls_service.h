/// tls_service.h: what a session needs from its driver for STARTTLS (RFC 3207).
#pragma once

#include <cstdint>

namespace smtpd::engine {

enum class TlsStart : std::uint8_t {
    ready,        ///< what is sent next still goes out in the clear, what comes behind it is the handshake
    unavailable,  ///< it cannot be done now; the connection is as it was
    early_octets  ///< the client has sent something without waiting for the answer to STARTTLS
};

class TlsService {
public:
    virtual ~TlsService() = default;

    /// Whether STARTTLS is worth announcing.
    virtual bool can_start_tls() const noexcept = 0;
    /// Everything that can fail on our side is done here, before the client is told to go ahead.
    virtual TlsStart prepare_tls() = 0;
};

}  // namespace smtpd::engine
