/// session_auth.cc: AUTH (RFC 4954) in a session: the output of an exchange, and the effect of its result. The exchange
/// itself is an AuthExchange.
#include "engine/session.h"

#include "smtp/octets.h"
#include "support/base64.h"
#include "support/random.h"

#include <algorithm>

namespace smtpd::engine {

AuthOffer Session::auth_offer() const noexcept {
    const bool has_certificate = tls_.certificate && tls_.certificate->is_verified && introduced_by().is_unspecified();
    return {settings_.auth_mechanisms, hooks_, has_certificate, state_.channel_bindings != nullptr};
}

/// Never the same twice, so that an intercepted response is worthless.
std::string Session::nonce() {
    ++state_.exchanges;
    if (!nonce_.empty()) return format_text("{}.{}", nonce_, state_.exchanges);
    return format_text("{}.{}", support::random_bits(), support::random_bits());
}

void Session::auth(std::string_view rest) {
    std::string storage;
    const Wiped wiped{storage};
    if (rewritten(HookId::auth_parse, rest, storage)) begin_exchange(rest);
}

void Session::begin_exchange(std::string_view argument) {
    const auto parsed = parse_auth(argument);
    if (!parsed) return respond(StandardReply::auth_syntax);
    if (!auth_offer().has(parsed->mechanism)) return respond(StandardReply::unknown_mechanism);
    exchange_ = std::make_unique<AuthExchange>(parsed->mechanism, nonce(), server_name_,
                                               scram_server(parsed->mechanism));
    go_on(exchange_->begin(parsed->initial_response));
}

smtp::ScramServer Session::scram_server(std::string_view mechanism) const {
    smtp::ScramServer server;
    if (state_.channel_bindings) server.bindings = *state_.channel_bindings;
    server.offers_binding = auth_offer().has(std::string(mechanism) + "-PLUS");
    server.salt_secret = settings_.scram_secret;
    return server;
}

// ---- the exchange

void Session::go_on(AuthExchange::Next next) {
    if (!next.fault.empty()) write_log(LogLevel::error, "{}", next.fault);
    if (const auto* const sent = std::get_if<AuthExchange::Challenge>(&next.step)) return challenge(sent->octets);
    if (const auto* const asked = std::get_if<AuthExchange::Ask>(&next.step)) return stage(asked->hook);
    conclude_exchange(std::get<AuthExchange::Result>(std::move(next.step)));
}

void Session::challenge(std::string_view octets) {
    lines_.set_limit(max_exchange_line);
    put({334, {}, support::base64(octets), true});
}

void Session::auth_response(const smtp::LineSplitter::Line& line) {
    if (log_.enabled(LogLevel::trace)) write_log(LogLevel::trace, "<<< (a line of AUTH, not shown)");
    go_on(exchange_->take(line, state_.bare_newline == smtp::BareNewline::reject));
    lines_.wipe();
}

void Session::conclude_exchange(AuthExchange::Result result) {
    if (result.is_authenticated) {
        state_.auth_user = exchange_->login();
        state_.auth_mechanism = exchange_->credentials().mechanism();
        state_.record_login();
        set_relay_client(true);
        write_log(LogLevel::info, "authenticated mechanism={} user=\"{}\"", state_.auth_mechanism, quoted(auth_user()));
    }
    if (result.is_refusal) log_auth_failure(result.reply);
    if (!result.is_known) tell_result(result.is_authenticated, result.reply);
    if (!result.last_challenge.empty()) return challenge(result.last_challenge);
    exchange_.reset();
    lines_.set_limit(line_limit());
    result.disconnects ? end_connection(result.reply) : respond(result.reply);
}

void Session::tell_result(bool is_authenticated, const Reply& reply) {
    if (!hooks_.has(HookId::auth_result)) return;
    AuthResultHook context(*this, exchange_->credentials(), is_authenticated, reply);
    (void)hooks_.run_through(context);
}

/// For tools that watch the log for password guessing: the address comes first, what the client chose comes last and
/// quoted.
void Session::log_auth_failure(const Reply& reply) const {
    const auto& credentials = exchange_->credentials();
    write_log(LogLevel::notice, "authentication failed for {} mechanism={} code={} user=\"{}\"", client_.address,
              credentials.mechanism(), reply.code, quoted(credentials.user()));
}

// ---- the length of lines

/// With an initial response, AUTH may be as long as a line of its exchange: bearer tokens have several thousand octets.
std::size_t Session::line_limit() const {
    const std::size_t usual = settings_.max_command_line;
    return is_auth_offered() && !is_authenticated() ? std::max(usual, max_exchange_line) : usual;
}

bool Session::is_too_long(std::string_view command) const noexcept {
    constexpr std::size_t crlf_size = 2;
    return command.size() + crlf_size > settings_.max_command_line && !smtp::starts_with_folded(command, "AUTH ");
}

}  // namespace smtpd::engine
