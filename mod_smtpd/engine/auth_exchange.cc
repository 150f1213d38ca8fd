#include "engine/auth_exchange.h"

#include "engine/auth_mechanisms.h"
#include "engine/replies.h"
#include "smtp/octets.h"
#include "support/base64.h"

#include <utility>

namespace smtpd::engine {
namespace {

AuthExchange::Next given_up(StandardReply why) { return {AuthExchange::Result{.reply = reply(why)}}; }

}  // namespace

std::optional<AuthArgument> parse_auth(std::string_view argument) {
    const auto blank = argument.find_first_of(" \t");
    const auto mechanism = argument.substr(0, blank);
    const auto response = blank == argument.npos ? std::string_view() : smtp::trim_left(argument.substr(blank));
    if (mechanism.empty() || response.find_first_of(" \t") != response.npos) return std::nullopt;
    return AuthArgument{mechanism, response};
}

AuthExchange::AuthExchange(std::string_view mechanism, std::string_view nonce, std::string_view server_name,
                           const smtp::ScramServer& scram)
    : sasl_(smtp::make_sasl(mechanism, nonce, server_name, scram)) {
    findings_.scram = sasl_->scram();
}

AuthExchange::Next AuthExchange::begin(std::string_view initial_response) {
    if (initial_response.empty()) return {Challenge{sasl_->first_challenge()}};
    if (sasl_->begins_with_challenge()) return given_up(StandardReply::no_initial_response);
    return take_response(initial_response == "=" ? std::string_view() : initial_response);
}

AuthExchange::Next AuthExchange::take(const smtp::LineSplitter::Line& line, bool rejects_bare_cr) {
    if (last_words_) return {Result{.reply = *std::exchange(last_words_, std::nullopt), .is_known = true}};
    if (line.status == smtp::LineSplitter::Status::too_long) return given_up(StandardReply::auth_line_too_long);
    if (line.bare_cr && rejects_bare_cr) return given_up(StandardReply::bare_newline_in_command);
    if (line.text == "*") return given_up(StandardReply::auth_cancelled);
    return take_response(line.text);
}

AuthExchange::Next AuthExchange::take_response(std::string_view base64) {
    auto octets = support::from_base64(base64);
    if (!octets) return given_up(StandardReply::bad_base64);
    const Wiped wiped{*octets};
    auto step = sasl_->take(*octets);
    switch (step.status) {
        case smtp::SaslMechanism::Status::challenge: return {Challenge{std::move(step.challenge)}};
        case smtp::SaslMechanism::Status::malformed: return given_up(StandardReply::bad_auth_response);
        case smtp::SaslMechanism::Status::refused: return refused_by_mechanism();
        case smtp::SaslMechanism::Status::proved: return judged(lookup_->hook, lookup_->response);
        case smtp::SaslMechanism::Status::lookup:
        case smtp::SaslMechanism::Status::complete: break;
    }
    findings_.login = credentials().user();
    return {Ask{find_auth_mechanism(credentials().mechanism())->hook}};
}

/// The mechanism's own hook has responded, then perhaps `auth`.
AuthExchange::Next AuthExchange::answered(HookId hook, const Response& response) {
    if (sasl_->scram() != nullptr) return looked_up(hook, response);
    const bool is_open = hook != HookId::auth && response.verdict == Verdict::declined;
    if (is_open && find_auth_mechanism(credentials().mechanism())->is_for_auth) return {Ask{HookId::auth}};
    return judged(hook, response);
}

/// The plugins have responded about SCRAM's user. If the user is unknown, or a plugin refuses it, the client is told
/// only after it has sent its proof.
AuthExchange::Next AuthExchange::looked_up(HookId hook, const Response& response) {
    const bool is_ok = response.verdict == Verdict::ok;
    const bool is_told_later = is_ok || response.verdict == Verdict::declined || response.verdict == Verdict::deny;
    if (!is_told_later) return judged(hook, response);
    const bool is_known = is_ok && sasl_->scram()->keys;
    if (!is_known) sasl_->scram()->keys = {};
    lookup_.emplace(Lookup{hook, is_ok && !is_known ? deny() : response});
    Next next{Challenge{sasl_->first_of_server(is_known)}};
    if (is_ok && !is_known)
        next.fault = format_text("{} returned ok without anything to check the client's proof with", hook_name(hook));
    return next;
}

AuthExchange::Next AuthExchange::judged(HookId hook, const Response& response) {
    StageResult result = apply_response(hook, response, {});
    std::string fault;
    if (result.proceeds && !smtp::is_user_name(login())) {
        fault = format_text("{} returned ok without the client's name", hook_name(hook));
        result = apply_response(hook, deny(), {});
    }
    const bool may_answer = !result.proceeds && !result.disconnects && result.reply.code / 100 == 5;
    Next next = may_answer ? refused(std::move(result.reply))
                           : Next{Result{.reply = std::move(result.reply),
                                         .is_authenticated = result.proceeds,
                                         .disconnects = result.disconnects,
                                         .is_refusal = !result.proceeds}};
    next.fault = std::move(fault);
    return next;
}

/// No plugin could decide. After SCRAM's lookup, the reason may be a plugin's response about the user.
AuthExchange::Next AuthExchange::refused_by_mechanism() {
    if (lookup_ && lookup_->response.verdict != Verdict::ok) return judged(lookup_->hook, lookup_->response);
    return refused(reply(StandardReply::auth_failed));
}

/// Some mechanisms have their own refusal message, which the client must answer before the reply. A client that
/// disconnects instead has failed too.
AuthExchange::Next AuthExchange::refused(Reply words) {
    Result result{.reply = std::move(words), .is_refusal = true, .last_challenge = std::string(sasl_->refusal())};
    if (!result.last_challenge.empty()) last_words_ = result.reply;
    return {std::move(result)};
}

}  // namespace smtpd::engine
