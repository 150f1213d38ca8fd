/// session_auth.cc: AUTH (RFC 4954): who may try when, the exchange line by line, and what the plugins' verdict leads to.
///
/// Credentials live in the mechanism's object, from the client's octets to the end of the last hook; all else they pass through is overwritten.
#include "engine/session.h"

#include "engine/auth_mechanisms.h"
#include "smtp/octets.h"
#include "support/base64.h"
#include "support/random.h"

#include <algorithm>
#include <iterator>

namespace smtpd::engine {
namespace {

/// RFC 4954 4: a line of the exchange has at most 12288 octets; and CRLF.
constexpr std::size_t max_exchange_line = 12288 + 2;

/// The rest of a string of which it is known what it was for.
struct Wiped {
    std::string& octets;
    ~Wiped() { wipe(octets); }
};

}  // namespace

// ---- what there is

bool Session::is_served(const AuthMechanism& mechanism) const {
    if (!settings_.auth_mechanisms.contains(mechanism)) return false;
    if (!hooks_.can_accept(mechanism.hook) && !(mechanism.tells_password && hooks_.can_accept(HookId::auth))) return false;
    switch (mechanism.needs) {
        case AuthMechanism::Needs::nothing: break;
        case AuthMechanism::Needs::certificate: return tls_.certificate && tls_.certificate->is_verified && introduced_by().is_unspecified();
        case AuthMechanism::Needs::channel_binding: return state_.channel_bindings != nullptr;
    }
    return true;
}

bool Session::is_served(std::string_view name) const {
    const AuthMechanism* const mechanism = find_auth_mechanism(name);
    return mechanism != nullptr && is_served(*mechanism);
}

bool Session::has_mechanisms() const {
    return std::any_of(std::begin(auth_mechanisms), std::end(auth_mechanisms), [this](const AuthMechanism& mechanism) { return is_served(mechanism); });
}

/// " LOGIN PLAIN": those that some plugin can judge, each behind a blank.
std::string Session::mechanisms() const {
    std::string out;
    for (const auto& mechanism : auth_mechanisms)
        if (is_served(mechanism)) out.append(" ").append(mechanism.name);
    return out;
}

/// Never the same twice: a response that was overheard must be worth nothing.
std::string Session::nonce() {
    ++state_.exchanges;
    if (!nonce_.empty()) return format_text("{}.{}", nonce_, state_.exchanges);
    return format_text("{}.{}", support::random_bits(), support::random_bits());
}

// ---- the command

void Session::auth(std::string_view rest) {
    if (state_.greeted != Greeted::ehlo) return respond(Say::ehlo_first);
    if (is_authenticated()) return respond(Say::already_authenticated);
    if (transaction_) return respond(Say::auth_in_transaction);
    if (!is_auth_allowed()) return respond(Say::auth_needs_tls);
    std::string storage;
    const Wiped wiped{storage};
    if (rewritten(HookId::auth_parse, rest, storage)) begin_exchange(rest);
}

void Session::begin_exchange(std::string_view argument) {
    const auto blank = argument.find_first_of(" \t");
    const auto name = argument.substr(0, blank);
    const auto response = blank == argument.npos ? std::string_view() : smtp::trim_left(argument.substr(blank));
    if (name.empty() || response.find_first_of(" \t") != response.npos) return respond(Say::auth_syntax);
    if (!is_served(name)) return respond(Say::unknown_mechanism);
    sasl_ = smtp::make_sasl(name, nonce(), server_name_, scram_server(name));
    auth_findings_ = std::make_unique<AuthFindings>();
    auth_findings_->scram = sasl_->scram();
    if (response.empty()) return challenge(sasl_->first_challenge());
    if (sasl_->begins_with_challenge()) return give_up_exchange(Say::no_initial_response);
    take_response(response == "=" ? std::string_view() : response);
}

smtp::ScramServer Session::scram_server(std::string_view mechanism) const {
    smtp::ScramServer server;
    if (state_.channel_bindings) server.bindings = *state_.channel_bindings;
    server.offers_binding = is_served(std::string(mechanism) + "-PLUS");
    server.salt_secret = settings_.scram_secret;
    return server;
}

// ---- the exchange

void Session::challenge(std::string_view octets) {
    lines_.set_limit(max_exchange_line);
    put({334, {}, support::base64(octets), true});
}

void Session::auth_response(const smtp::LineSplitter::Line& line) {
    if (log_.enabled(LogLevel::trace)) write_log(LogLevel::trace, "<<< (a line of AUTH, not shown)");
    if (auth_refusal_) conclude_refusal();
    else if (line.status == smtp::LineSplitter::Status::too_long) give_up_exchange(Say::auth_line_too_long);
    else if (line.bare_cr && state_.bare_newline == smtp::BareNewline::reject) give_up_exchange(Say::bare_newline_in_command);
    else if (line.text == "*") give_up_exchange(Say::auth_cancelled);
    else take_response(line.text);
    lines_.wipe();
}

void Session::take_response(std::string_view base64) {
    auto octets = support::from_base64(base64);
    if (!octets) return give_up_exchange(Say::bad_base64);
    const Wiped wiped{*octets};
    const auto step = sasl_->take(*octets);
    switch (step.status) {
        case smtp::SaslMechanism::Status::challenge: return challenge(step.challenge);
        case smtp::SaslMechanism::Status::malformed: return give_up_exchange(Say::bad_auth_response);
        case smtp::SaslMechanism::Status::refused: return refuse_exchange();
        case smtp::SaslMechanism::Status::proved: return conclude_exchange(auth_lookup_->hook, auth_lookup_->answer);
        case smtp::SaslMechanism::Status::lookup:
        case smtp::SaslMechanism::Status::complete: break;
    }
    auth_findings_->login = sasl_->credentials().user();
    stage(find_auth_mechanism(sasl_->credentials().mechanism())->hook);
}

/// By the mechanism: no plugin could help. After SCRAM's lookup that may be because of what a plugin has said of the user.
void Session::refuse_exchange() {
    if (auth_lookup_ && auth_lookup_->answer.verdict != Verdict::ok) return conclude_exchange(auth_lookup_->hook, auth_lookup_->answer);
    Reply words = reply(Say::auth_failed);
    note_auth_failure(words);
    tell_refusal(std::move(words));
}

/// Some mechanisms have a word of their own for it, and the client one in return, before the reply. Who goes away instead of that has failed all the same.
void Session::tell_refusal(Reply words) {
    if (const auto last_challenge = sasl_->refusal(); !last_challenge.empty()) {
        tell_result(false, words);
        auth_refusal_ = std::make_unique<const Reply>(std::move(words));
        return challenge(last_challenge);
    }
    end_exchange(false, words);
    respond(words);
}

void Session::conclude_refusal() {
    const Reply words = *auth_refusal_;
    forget_exchange();
    lines_.set_limit(line_limit());
    respond(words);
}

void Session::tell_result(bool is_good, const Reply& reply) {
    if (!hooks_.has(HookId::auth_result)) return;
    AuthResultHook context(*this, sasl_->credentials(), is_good, reply);
    (void)hooks_.run(context);
}

void Session::end_exchange(bool is_good, const Reply& reply) {
    tell_result(is_good, reply);
    forget_exchange();
    lines_.set_limit(line_limit());
}

void Session::forget_exchange() noexcept {
    sasl_.reset();
    auth_findings_.reset();
    auth_lookup_.reset();
    auth_refusal_.reset();
}

/// An initial response makes AUTH as long as a line of its exchange: bearer tokens have some thousand octets.
std::size_t Session::line_limit() const {
    const std::size_t usual = settings_.max_command_line;
    return is_auth_offered() && !is_authenticated() ? std::max(usual, max_exchange_line) : usual;
}

bool Session::is_too_long(std::string_view command) const noexcept {
    constexpr std::size_t crlf_size = 2;
    return command.size() + crlf_size > settings_.max_command_line && !smtp::starts_with_folded(command, "AUTH ");
}

void Session::give_up_exchange(Say why) {
    const Reply words = reply(why);
    end_exchange(false, words);
    respond(words);
}

/// The mechanism's own hook has had its say, then perhaps `auth`.
void Session::after_auth(HookId hook, const Answer& answer) {
    if (sasl_->scram() != nullptr) return after_lookup(hook, answer);
    const bool is_open = hook != HookId::auth && answer.verdict == Verdict::declined;
    if (is_open && find_auth_mechanism(sasl_->credentials().mechanism())->is_for_auth) return stage(HookId::auth);
    conclude_exchange(hook, answer);
}

/// SCRAM has asked about its user. That nobody knows him, or that he is refused, is not told before the client has sent its proof.
void Session::after_lookup(HookId hook, const Answer& answer) {
    const bool is_told_later = answer.verdict == Verdict::ok || answer.verdict == Verdict::declined || answer.verdict == Verdict::deny;
    if (!is_told_later) return conclude_exchange(hook, answer);
    const bool is_known = answer.verdict == Verdict::ok && sasl_->scram()->keys;
    if (answer.verdict == Verdict::ok && !is_known) note(LogLevel::error, "{} said ok and gave nothing to check the client's proof with", hook_name(hook));
    if (!is_known) sasl_->scram()->keys = {};
    auth_lookup_ = std::make_unique<const Lookup>(Lookup{hook, answer.verdict == Verdict::ok && !is_known ? deny() : answer});
    challenge(sasl_->first_of_server(is_known));
}

void Session::conclude_exchange(HookId hook, const Answer& answer) {
    Outcome outcome = outcome_of(hook, answer, {});
    if (outcome.proceeds && !smtp::is_user_name(auth_findings_->login)) {
        note(LogLevel::error, "{} said ok and not who it is", hook_name(hook));
        outcome = outcome_of(hook, deny(), {});
    }
    if (outcome.proceeds) {
        state_.auth_user = auth_findings_->login;
        state_.auth_mechanism = sasl_->credentials().mechanism();
        set_relay_client(true);
        note(LogLevel::info, "authenticated mechanism={} user=\"{}\"", state_.auth_mechanism, quoted(auth_user()));
    } else {
        note_auth_failure(outcome.reply);
        if (!outcome.disconnects && outcome.reply.code / 100 == 5) return tell_refusal(std::move(outcome.reply));
    }
    end_exchange(outcome.proceeds, outcome.reply);
    outcome.disconnects ? end_connection(outcome.reply) : respond(outcome.reply);
}

/// For those who watch the log for people who try passwords: the address first, what the client chose last and quoted.
void Session::note_auth_failure(const Reply& reply) const {
    const auto& credentials = sasl_->credentials();
    note(LogLevel::notice, "authentication failed for {} mechanism={} code={} user=\"{}\"", client_.address, credentials.mechanism(), reply.code,
         quoted(credentials.user()));
}

}  // namespace smtpd::engine
