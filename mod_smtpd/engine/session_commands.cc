/// session_commands.cc: the commands of RFC 5321 4.1.1: is it legal now, what do the plugins say, do it.
#include "engine/session.h"

#include "smtp/path_argument.h"
#include "support/strings.h"

#include <algorithm>
#include <array>
#include <limits>

namespace smtpd::engine {
namespace {

/// Methods with which an HTTP client would begin. A browser must not be made to speak SMTP for somebody else.
bool is_http(std::string_view verb, std::string_view rest) {
    static constexpr std::array<std::string_view, 10> methods = {"GET",     "POST",  "PUT",   "HEAD", "DELETE",
                                                                 "CONNECT", "TRACE", "PATCH", "PRI",  "OPTIONS"};
    return !rest.empty() && std::any_of(methods.begin(), methods.end(), [&](auto method) { return support::equals_folded(verb, method); });
}

bool is_junk(smtp::Verb verb) {
    switch (verb) {
        case smtp::Verb::noop:
        case smtp::Verb::rset:
        case smtp::Verb::helo:
        case smtp::Verb::ehlo:
        case smtp::Verb::vrfy:
        case smtp::Verb::help: return true;
        default: return false;
    }
}

constexpr std::size_t max_host_octets = 255;  ///< RFC 5321 4.5.3.1.2

/// RFC 1870: up to 20 digits, so more than 64 bits can hold.
std::optional<std::uint64_t> parse_size(std::string_view digits) {
    if (digits.empty() || digits.size() > 20 || !std::all_of(digits.begin(), digits.end(), support::is_digit)) return std::nullopt;
    return support::parse_unsigned(digits).value_or(std::numeric_limits<std::uint64_t>::max());
}

constexpr const char* help_text =
    "Commands: HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\n"
    "See RFC 5321";

}  // namespace

void Session::command(std::string_view line) {
    const auto parsed = smtp::parse_command(line);
    last_verb_ = parsed.verb;
    const auto shown = showable(line);
    last_line_.assign(shown);
    if (log_.enabled(LogLevel::trace))
        write_log(LogLevel::trace, "<<< " + quoted(shown) + (shown.size() < line.size() ? " (the rest is not shown)" : ""));
    if (is_junk(parsed.verb) && ++junk_commands_ > settings_.max_junk_commands) count_error();
    dispatch(parsed);
}

/// What of a command line may be kept and logged. Of AUTH that is no more than a known mechanism; and what follows AUTH and is no command may be the
/// password of a client that did not wait for our answer.
std::string_view Session::showable(std::string_view line) {
    const auto trimmed = support::trim(line);
    constexpr std::string_view auth = "AUTH";
    const auto words = smtp::parse_command(trimmed);
    if (!support::starts_with_folded(trimmed, auth)) {
        if (words.verb != smtp::Verb::unknown) secrets_may_follow_ = false;
        return secrets_may_follow_ ? std::string_view() : line;
    }
    secrets_may_follow_ = true;
    const auto mechanism = words.rest.substr(0, words.rest.find_first_of(" \t"));
    const bool shows_mechanism = words.verb == smtp::Verb::auth && is_served(mechanism);
    const auto* const end = shows_mechanism ? mechanism.data() + mechanism.size() : trimmed.data() + auth.size();
    return line.substr(0, static_cast<std::size_t>(end - line.data()));
}

void Session::dispatch(const smtp::Command& command) {
    using smtp::Verb;
    switch (command.verb) {
        case Verb::helo: return hello(false, command.rest);
        case Verb::ehlo: return hello(true, command.rest);
        case Verb::auth:
            if (!mechanisms().empty()) return auth(command.rest);
            break;
        case Verb::mail: return mail(command.rest);
        case Verb::rcpt: return rcpt(command.rest);
        case Verb::data: return command.rest.empty() ? data() : respond(Say::syntax_error);
        case Verb::rset:
            if (!command.rest.empty()) return respond(Say::syntax_error);
            reset_transaction();
            return respond(Say::reset_ok);
        case Verb::quit: return command.rest.empty() ? stage(HookId::quit) : respond(Say::syntax_error);
        case Verb::noop: argument_ = command.rest; return stage(HookId::noop);
        case Verb::help: argument_ = command.rest; return stage(HookId::help);
        case Verb::vrfy:
            if (command.rest.empty()) return respond(Say::syntax_error);
            argument_ = command.rest;
            return stage(HookId::vrfy);
        default: break;
    }
    if (is_http(command.verb_text, command.rest)) return end_connection(reply(Say::foreign_protocol));
    const auto shown = smtp::parse_command(last_line_);
    verb_text_ = shown.verb_text;
    argument_ = shown.rest;
    stage(HookId::unrecognized_command);
}

/// Lets the plugins of a parse hook change the argument. False when they refused it (and the client was told).
bool Session::rewritten(HookId hook, std::string_view& argument, std::string& storage) {
    if (!hooks_.has(hook)) return true;
    storage.assign(argument);
    ParseHook context(hook, *this, storage);
    if (answer_ends_stage(hook, hooks_.run(context))) return false;
    argument = storage;
    return true;
}

// ---- connect

void Session::after_connect(const Answer& answer) {
    std::string text = settings_.greeting;
    if (text.empty())
        if (const auto lines = config("smtpgreeting"); !lines.empty()) text = lines.front();
    if (text.empty()) text = format_text("{} ESMTP {} ready", server_name_, settings_.software);
    else if (text.find("ESMTP") == std::string::npos) text += " ESMTP";
    if (max_message_size_ == 0)
        if (const auto lines = config("databytes"); !lines.empty()) max_message_size_ = support::parse_unsigned(lines.front()).value_or(0);
    answer_ends_stage(HookId::connect, answer, {220, {}, text + " " + id_, true});
}

// ---- HELO, EHLO

void Session::hello(bool extended, std::string_view rest) {
    std::string storage;
    if (!rewritten(extended ? HookId::ehlo_parse : HookId::helo_parse, rest, storage)) return;
    const auto host = smtp::host_argument(rest);
    if (!host || host->size() > max_host_octets) return respond(Say::hello_needs_host);
    extended_hello_ = extended;
    hello_argument_ = *host;
    hello_rest_ = support::trim(rest.substr(static_cast<std::size_t>(host->data() - rest.data()) + host->size()));
    capabilities_.clear();
    stage(extended ? HookId::ehlo : HookId::helo);
}

void Session::after_hello(const Answer& answer) {
    const HookId hook = extended_hello_ ? HookId::ehlo : HookId::helo;
    Outcome outcome = outcome_of(hook, answer, hello_reply());
    if (!outcome.proceeds) {
        answer_ends_stage(hook, answer);
        return;
    }
    reset_transaction();  // RFC 5321 4.1.4: a second EHLO is an implicit RSET
    greeted_ = extended_hello_ ? Greeted::ehlo : Greeted::helo;
    hello_host_ = hello_argument_;
    respond(outcome.reply);
}

Reply Session::hello_reply() {
    std::string text = format_text("{} Hi {} {}", server_name_, host_.empty() ? "there" : host_, client_.address.literal());
    if (extended_hello_) {
        text += "\nPIPELINING\n8BITMIME\nENHANCEDSTATUSCODES\nHELP\nSIZE";
        if (max_message_size_ != 0) text += " " + std::to_string(max_message_size_);
        for (const auto& capability : capabilities_) text += "\n" + capability;
        if (const auto list = is_auth_allowed() ? mechanisms() : std::string(); !list.empty()) text += "\nAUTH" + list;
    }
    return {250, {}, std::move(text), true};
}

// ---- MAIL

void Session::mail(std::string_view rest) {
    if (greeted_ == Greeted::no) return respond(Say::hello_first);
    if (transaction_) return respond(Say::nested_mail);
    std::string storage;
    if (!rewritten(HookId::mail_parse, rest, storage)) return;
    auto parsed = smtp::parse_mail(rest);
    if (const auto* refused = std::get_if<Reply>(&parsed)) return respond(*refused);
    auto& argument = std::get<smtp::PathArgument>(parsed);
    std::string path(argument.path);
    if (hooks_.has(HookId::mail_pre)) {
        PathHook context(HookId::mail_pre, *this, path, argument.parameters);
        if (answer_ends_stage(HookId::mail_pre, hooks_.run(context))) return;
    }
    std::string why;
    auto sender = Address::parse_path(path, {.smtputf8 = false, .allow_null = true, .allow_postmaster = false}, &why);
    if (!sender) return respond(smtp::bad_sender_reply(why));
    auto transaction = std::make_unique<MailTransaction>(format_text("{}-{}", id_, transactions_ + 1), settings_.spool);
    transaction->set_sender(std::move(*sender));
    transaction->set_parameters(std::move(argument.parameters));
    if (!accept_mail_parameters(*transaction)) return;
    history_.set_transaction(++transactions_);
    surplus_recipients_ = 0;
    transaction_ = std::move(transaction);
    stage(HookId::mail);
}

/// SIZE (RFC 1870), BODY (RFC 6152) and AUTH (RFC 4954 5). False when one is refused (and the client was told).
bool Session::accept_mail_parameters(MailTransaction& transaction) {
    for (const auto& parameter : transaction.sender_parameters()) {
        if (parameter.keyword == "SIZE") {
            const auto octets = parse_size(parameter.value.value_or(""));
            if (!octets) return respond(Say::bad_size), false;
            if (max_message_size_ != 0 && *octets > max_message_size_) return respond(Say::size_exceeded), false;
            transaction.set_declared_size(*octets);
        } else if (parameter.keyword == "BODY") {
            const std::string_view body = parameter.value ? std::string_view(*parameter.value) : std::string_view();
            if (support::equals_folded(body, "8BITMIME")) transaction.set_8bitmime();
            else if (!support::equals_folded(body, "7BIT")) return respond(Say::bad_body), false;
        } else if (parameter.keyword == "AUTH" && is_auth_offered()) {
            if (!accept_submitter(transaction, parameter.value.value_or(""))) return respond(Say::bad_submitter), false;
        } else if (!settings_.ignore_unknown_parameters) {
            return respond(Say::unknown_parameter), false;
        }
    }
    return true;
}

void Session::after_mail(const Answer& answer) {
    const Outcome outcome = outcome_of(HookId::mail, answer, {250, {2, 1, 0}, transaction_->sender().path() + ", sender OK"});
    if (outcome.proceeds) return respond(outcome.reply);
    answer_ends_stage(HookId::mail, answer);
    reset_transaction();
}

// ---- RCPT

void Session::rcpt(std::string_view rest) {
    if (!transaction_) return respond(greeted_ == Greeted::no ? Say::hello_first : Say::mail_first);
    std::string storage;
    if (!rewritten(HookId::rcpt_parse, rest, storage)) return;
    auto parsed = smtp::parse_rcpt(rest);
    if (const auto* refused = std::get_if<Reply>(&parsed)) return respond(*refused);
    auto& argument = std::get<smtp::PathArgument>(parsed);
    std::string path(argument.path);
    if (hooks_.has(HookId::rcpt_pre)) {
        PathHook context(HookId::rcpt_pre, *this, path, argument.parameters);
        if (answer_ends_stage(HookId::rcpt_pre, hooks_.run(context))) return;
    }
    std::string why;
    auto address = Address::parse_path(path, {.smtputf8 = false, .allow_null = false, .allow_postmaster = true}, &why);
    if (!address) return respond(smtp::bad_recipient_reply(why));
    if (!argument.parameters.empty() && !settings_.ignore_unknown_parameters) return respond(Say::unknown_parameter);
    if (transaction_->recipients().size() >= settings_.max_recipients) {
        // RFC 5321 4.5.3.1.10: no fault of the client, who sends the message for those accepted and comes again
        if (++surplus_recipients_ > settings_.max_recipients) return respond(Say::too_many_recipients);
        remember_reply(reply(Say::too_many_recipients));
        return put(reply(Say::too_many_recipients));
    }
    recipient_.emplace(std::move(*address), std::move(argument.parameters));
    stage(HookId::rcpt);
}

void Session::after_rcpt(const Answer& answer) {
    const Outcome outcome = outcome_of(HookId::rcpt, answer, {250, {2, 1, 5}, recipient_->address().path() + ", recipient OK"});
    if (outcome.proceeds) {
        transaction_->recipients().push_back(std::move(*recipient_));
        respond(outcome.reply);
    } else {
        answer_ends_stage(HookId::rcpt, answer);
    }
    recipient_.reset();
}

// ---- DATA

void Session::data() {
    if (!transaction_) return respond(greeted_ == Greeted::no ? Say::hello_first : Say::mail_first);
    if (transaction_->recipients().empty()) return respond(Say::rcpt_first);
    stage(HookId::data);
}

void Session::after_data(const Answer& answer) {
    const Outcome outcome = outcome_of(HookId::data, answer, reply(Say::go_ahead));
    if (!outcome.proceeds) {
        answer_ends_stage(HookId::data, answer);
        return reset_transaction();
    }
    transaction_->begin_message();
    constexpr std::uint64_t crlf_size = 2;
    decoder_.emplace(bare_newline_, settings_.max_text_line == 0 ? 0 : settings_.max_text_line + crlf_size);
    headers_seen_ = drop_data_ = hang_up_ = false;
    refusal_.reset();
    final_text_.clear();
    last_line_.clear();
    data_since_ = clock_.now();
    respond(outcome.reply);
}

// ---- the others

void Session::after_simple(HookId hook, const Answer& answer) {
    switch (hook) {
        case HookId::quit: {
            const Outcome outcome = outcome_of(hook, answer, {221, {2, 0, 0}, format_text("{} closing connection", server_name_)});
            return end_connection(outcome.reply);
        }
        case HookId::noop: answer_ends_stage(hook, answer, reply(Say::noop_ok)); return;
        case HookId::help: answer_ends_stage(hook, answer, {214, {2, 0, 0}, help_text}); return;
        case HookId::vrfy:
            if (answer_ends_stage(hook, answer, {252, {2, 5, 2}, "Send mail to find out"}) && answer.verdict != Verdict::done) reset_transaction();
            return;
        default: break;
    }
    const bool is_known = last_verb_ != smtp::Verb::unknown && answer.verdict != Verdict::deny && !is_disconnect(answer.verdict);
    if (is_known && answer.verdict != Verdict::done) return respond(Say::not_implemented);
    answer_ends_stage(hook, answer);
}

}  // namespace smtpd::engine
