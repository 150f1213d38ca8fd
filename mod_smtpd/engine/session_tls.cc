/// session_tls.cc: STARTTLS (RFC 3207): when it is allowed, what must not follow it, and what is forgotten afterwards.
#include "engine/session.h"

#include <smtpd/known_notes.h>

namespace smtpd::engine {

bool Session::offers_tls() const noexcept {
    return settings_.start_tls != StartTls::off && !is_tls() && services_.tls != nullptr &&
           services_.tls->can_start_tls();
}

// ---- the command

/// An attacker may have injected what follows STARTTLS unencrypted, so that it is taken for the client's. The session
/// ignores it, and ends.
void Session::starttls(std::string_view) {
    if (unread() > 0) return refuse_early_octets();
    switch (services_.tls != nullptr ? services_.tls->prepare_tls() : TlsStart::unavailable) {
        case TlsStart::unavailable: return respond(StandardReply::tls_unavailable);
        case TlsStart::early_octets: return refuse_early_octets();
        case TlsStart::ready: break;
    }
    handshake_ = true;
    respond(StandardReply::tls_ready);
}

void Session::refuse_early_octets() {
    write_log(LogLevel::notice, "unencrypted octets after STARTTLS, from {}: the session ends, and they are ignored",
              client_.address);
    rest_ = {};
    if (handshake_) finish();  // the client was told to proceed
    else end_connection(reply(StandardReply::tls_early_octets));
    handshake_ = false;
}

// ---- the handshake

Step Session::expect_tls() {
    handshake_ = true;
    return step();
}

Step Session::tls_started(Tls facts, smtp::ChannelBindings bindings) {
    handshake_ = false;
    tls_ = std::move(facts);
    if (!bindings.empty()) state_.channel_bindings = std::make_unique<const smtp::ChannelBindings>(std::move(bindings));
    state_.notes.set(notes::tls_enabled, true);
    log_tls();
    if (!begun_) return start();
    if (!transaction_ || !hand_over(Work::encrypted, {HookId::reset_transaction})) forget_clear_text();
    return step();
}

Step Session::tls_failed(std::string_view why) {
    write_log(LogLevel::info, "tls handshake failed: {}", why);
    finish();
    handshake_ = false;
    return step();
}

void Session::log_tls() const {
    if (!log_.enabled(LogLevel::info)) return;
    std::string text = format_text("tls protocol={} cipher={}", tls_.protocol, tls_.cipher);
    if (tls_.key_bits != 0) text += format_text(" bits={}", tls_.key_bits);
    if (tls_.is_resumed) text += " resumed";
    if (!tls_.server_name.empty()) text += format_text(" sni=\"{}\"", quoted(tls_.server_name));
    if (const auto& shown = tls_.certificate) {
        text += format_text(" {} certificate=\"{}\" issuer=\"{}\"", shown->is_verified ? "verified" : "unverified",
                            quoted(shown->subject), quoted(shown->issuer));
        if (!shown->is_verified) text += format_text(" problem=\"{}\"", quoted(shown->problem));
    }
    write_log(LogLevel::info, text);
}

// ---- RFC 3207 4.2: what the client said before is forgotten

void Session::forget_clear_text() {
    reset_transaction();
    state_ = after_starttls(std::move(state_), settings_, client_.address);
    lines_.set_limit(line_limit());
}

}  // namespace smtpd::engine
