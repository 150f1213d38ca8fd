/// connection_handshake.cc: TLS on a connection: its start, from the first octet or with STARTTLS, and the handshake,
/// which occupies no thread for long.
#include "httpd/connection_driver.h"

#include "httpd/channel_bindings.h"

#include <smtpd/base/format.h>

namespace smtpd::httpd {

bool ConnectionDriver::can_start_tls() const noexcept { return server_.lender() != nullptr; }

engine::TlsStart ConnectionDriver::prepare_tls() {
    if (server_.lender() == nullptr) return engine::TlsStart::unavailable;
    if (channel_.has_input()) return engine::TlsStart::early_octets;
    channel_.keep_clear();
    auto handshake = TlsHandshake::prepare(connection_, *server_.lender());
    if (!handshake) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, connection_,
                      "SMTPD0030: mod_ssl cannot begin TLS with the certificate of %s",
                      server_.lender()->name().c_str());
        channel_.look_again();
        return engine::TlsStart::unavailable;
    }
    begin_handshake(std::move(handshake));
    return engine::TlsStart::ready;
}

void ConnectionDriver::begin_handshake(std::unique_ptr<TlsHandshake> handshake) {
    handshake_ = std::move(handshake);
    handshake_ends_ = server_.clock().now() + server_.handshake_timeout();
}

ConnectionDriver::Handshake ConnectionDriver::advance_handshake() {
    channel_.look_again();
    switch (handshake_->advance()) {
        case TlsHandshake::State::done:
            session_.tls_started(std::exchange(handshake_, nullptr)->facts(), channel_bindings_of(connection_));
            return Handshake::over;
        case TlsHandshake::State::failed:
            session_.tls_failed(std::exchange(handshake_, nullptr)->why());
            return Handshake::over;
        case TlsHandshake::State::again: break;
    }
    return Handshake::again;
}

/// For a session that is over. Otherwise mod_ssl would continue the handshake when httpd closes the connection, and
/// wait for the client without limit.
void ConnectionDriver::give_up_handshake() {
    if (std::exchange(handshake_, nullptr)) connection_->aborted = 1;
}

void ConnectionDriver::check_handshake() {
    if (child_.is_ending()) {
        session_.interrupt(engine::Interruption::shutting_down);
    } else if (server_.clock().now() >= handshake_ends_) {
        const auto limit = std::chrono::duration_cast<std::chrono::seconds>(server_.handshake_timeout());
        session_.tls_failed(format_text("it took longer than {} seconds", limit.count()));
    }
}

}  // namespace smtpd::httpd
