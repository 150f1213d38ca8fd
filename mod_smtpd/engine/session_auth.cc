/// session_auth.cc: AUTH (RFC 4954): who may try when, the exchange line by line, and what the plugins' verdict leads to.
///
/// Credentials live in the mechanism's object, from the client's octets to the end of the last hook; all else they pass through is overwritten.
#include "engine/session.h"

#include "smtp/octets.h"
#include "support/base64.h"
#include "support/random.h"

#include <algorithm>
#include <iterator>

namespace smtpd::engine {
namespace {

/// RFC 4954 4: a line of the exchange has at most 12288 octets; and CRLF.
constexpr std::size_t max_exchange_line = 12288 + 2;

struct Offer {
    std::string_view mechanism;
    HookId hook;
    bool tells_password;  ///< so that plugins at `auth` can do with it, too
};
/// Sorted, as EHLO lists them.
constexpr Offer auth_offers[] = {{"CRAM-MD5", HookId::auth_cram_md5, false}, {"LOGIN", HookId::auth_login, true}, {"PLAIN", HookId::auth_plain, true}};

const Offer* find_offer(std::string_view mechanism) {
    const auto* found = std::find_if(std::begin(auth_offers), std::end(auth_offers),
                                     [&](const Offer& offer) { return smtp::equals_folded(offer.mechanism, mechanism); });
    return found == std::end(auth_offers) ? nullptr : found;
}

/// The rest of a string of which it is known what it was for.
struct Wiped {
    std::string& octets;
    ~Wiped() { wipe(octets); }
};

}  // namespace

// ---- what there is

bool Session::is_served(std::string_view mechanism) const {
    const Offer* const offer = find_offer(mechanism);
    return offer != nullptr && (hooks_.can_accept(offer->hook) || (offer->tells_password && hooks_.can_accept(HookId::auth)));
}

bool Session::has_mechanisms() const {
    return std::any_of(std::begin(auth_offers), std::end(auth_offers), [this](const Offer& offer) { return is_served(offer.mechanism); });
}

/// " LOGIN PLAIN": those that some plugin can judge, each behind a blank.
std::string Session::mechanisms() const {
    std::string out;
    for (const auto& offer : auth_offers)
        if (is_served(offer.mechanism)) out.append(" ").append(offer.mechanism);
    return out;
}

/// Never the same twice: a response that was overheard must be worth nothing.
std::string Session::nonce() {
    ++exchanges_;
    if (!nonce_.empty()) return format_text("{}.{}", nonce_, exchanges_);
    return format_text("{}.{}", support::random_bits(), support::random_bits());
}

// ---- the command

void Session::auth(std::string_view rest) {
    if (greeted_ != Greeted::ehlo) return respond(Say::ehlo_first);
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
    sasl_ = smtp::make_sasl(name, nonce(), server_name_);
    if (response.empty()) return challenge(sasl_->first_challenge());
    if (sasl_->begins_with_challenge()) return give_up_exchange(Say::no_initial_response);
    take_response(response == "=" ? std::string_view() : response);
}

// ---- the exchange

void Session::challenge(std::string_view octets) {
    lines_.set_limit(max_exchange_line);
    put({334, {}, support::base64(octets), true});
}

void Session::auth_response(const smtp::LineSplitter::Line& line) {
    if (log_.enabled(LogLevel::trace)) write_log(LogLevel::trace, "<<< (a line of AUTH, not shown)");
    if (line.status == smtp::LineSplitter::Status::too_long) give_up_exchange(Say::auth_line_too_long);
    else if ((line.bare_lf || line.bare_cr) && bare_newline_ == smtp::BareNewline::reject) give_up_exchange(Say::bare_newline_in_command);
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
        case smtp::SaslMechanism::Status::refused:
            note_auth_failure(reply(Say::auth_failed));
            return give_up_exchange(Say::auth_failed);
        case smtp::SaslMechanism::Status::complete: break;
    }
    stage(find_offer(sasl_->credentials().mechanism())->hook);
}

void Session::end_exchange(bool is_good, const Reply& reply) {
    if (hooks_.has(HookId::auth_result)) {
        AuthResultHook context(*this, sasl_->credentials(), is_good, reply);
        (void)hooks_.run(context);
    }
    sasl_.reset();
    lines_.set_limit(settings_.max_command_line);
}

void Session::give_up_exchange(Say why) {
    const Reply words = reply(why);
    end_exchange(false, words);
    respond(words);
}

/// The mechanism's own hook has had its say, then `auth`.
void Session::after_auth(HookId hook, const Answer& answer) {
    if (hook != HookId::auth && answer.verdict == Verdict::declined) return stage(HookId::auth);
    const Outcome outcome = outcome_of(hook, answer, {});
    if (outcome.proceeds) {
        auth_user_ = sasl_->credentials().user();
        auth_mechanism_ = sasl_->credentials().mechanism();
        set_relay_client(true);
        note(LogLevel::info, "authenticated mechanism={} user=\"{}\"", auth_mechanism_, quoted(auth_user_));
    } else {
        note_auth_failure(outcome.reply);
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
