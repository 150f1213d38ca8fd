/// connection_handshake.cc: TLS on a connection: how it begins, from the first octet or with STARTTLS, and the handshake, for which no thread waits long.
#include "httpd/connection_driver.h"

#include "httpd/channel_bindings.h"

#include <smtpd/format.h>

namespace smtpd::httpd {

using engine::Step;

namespace {

/// How often in a row a thread waits a moment for the next part of a handshake; the client of an honest one needs a round trip or two.
constexpr unsigned handshake_patience = 3;

}  // namespace

bool ConnectionDriver::can_start_tls() const noexcept { return server_.lender() != nullptr; }

engine::TlsStart ConnectionDriver::prepare_tls() {
    if (server_.lender() == nullptr) return engine::TlsStart::unavailable;
    if (channel_.has_input()) return engine::TlsStart::early_octets;
    channel_.keep_clear();
    auto handshake = TlsHandshake::prepare(connection_, *server_.lender());
    if (!handshake) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, connection_, "SMTPD0030: mod_ssl cannot begin TLS with the certificate of %s",
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

/// Goes on with the handshake. Between its parts no thread waits for the client, or only for a moment.
Step ConnectionDriver::shake_hands(bool& hand_back) {
    channel_.look_again();
    for (unsigned waits = 0;;) {
        switch (handshake_->advance()) {
            case TlsHandshake::State::done:
                return session_.tls_started(std::exchange(handshake_, nullptr)->facts(), channel_bindings_of(connection_));
            case TlsHandshake::State::failed: return session_.tls_failed(std::exchange(handshake_, nullptr)->why());
            case TlsHandshake::State::again: break;
        }
        if (const Step step = check_handshake(); step == Step::close) return step;
        if (!child_.is_async) {
            channel_.wait(slice);
            continue;
        }
        if (waits++ < handshake_patience && child_.may_linger()) {
            const Child::Lingering lingering(child_);
            if (channel_.wait(Child::linger_time)) continue;
        }
        hand_back = true;
        return Step::start_tls;
    }
}

/// Of a session that is over. Left alone, mod_ssl would go on with it when httpd closes the connection, and wait for the client as long as it likes.
void ConnectionDriver::give_up_handshake() {
    if (std::exchange(handshake_, nullptr)) connection_->aborted = 1;
}

Step ConnectionDriver::check_handshake() {
    if (child_.is_ending()) return session_.interrupt(engine::Interruption::shutting_down);
    if (server_.clock().now() < handshake_ends_) return Step::start_tls;
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(server_.handshake_timeout());
    return session_.tls_failed(format_text("it took longer than {} seconds", limit.count()));
}

}  // namespace smtpd::httpd
