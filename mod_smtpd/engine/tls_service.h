/// tls_service.h: what a session needs from its driver for STARTTLS (RFC 3207).
#pragma once

#include <cstdint>

namespace smtpd::engine {

enum class TlsStart : std::uint8_t {
    ready,        ///< the next output is still unencrypted; the handshake follows it
    unavailable,  ///< not possible now; the connection is unchanged
    early_octets  ///< the client has sent something without waiting for the reply to STARTTLS
};

class TlsService {
public:
    virtual ~TlsService() = default;

    /// Whether to announce STARTTLS.
    virtual bool can_start_tls() const noexcept = 0;
    /// Does everything that can fail on our side before the client is told to proceed.
    virtual TlsStart prepare_tls() = 0;
};

}  // namespace smtpd::engine
