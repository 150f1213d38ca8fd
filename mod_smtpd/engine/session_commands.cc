/// session_commands.cc: the commands of RFC 5321 4.1.1: checks whether a command is allowed, runs the plugins, and
/// executes it.
#include "engine/server_access.h"
#include "engine/session.h"

#include "smtp/path_argument.h"
#include "smtp/utf8.h"
#include "support/strings.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace smtpd::engine {
namespace {

/// Methods with which an HTTP client would begin. A web page must not be able to make a browser speak SMTP.
bool is_http(std::string_view verb, std::string_view rest) {
    static constexpr std::array<std::string_view, 10> methods = {"GET",     "POST",  "PUT",   "HEAD", "DELETE",
                                                                 "CONNECT", "TRACE", "PATCH", "PRI",  "OPTIONS"};
    return !rest.empty() && std::any_of(methods.begin(), methods.end(),
                                        [&](auto method) { return support::equals_folded(verb, method); });
}

constexpr std::size_t max_host_octets = 255;  ///< RFC 5321 4.5.3.1.2

/// Replies are ASCII (RFC 5321 4.2; RFC 6531 3.7.4 allows UTF-8 in only a few of them).
std::string accepted_text(const Address& address, const char* what) {
    return address.is_ascii() ? format_text("{}, {} OK", address.path(), what) : format_text("{} OK", what);
}

/// RFC 9422 3: a limit has six digits at most; announcing a lower limit than the actual one does no harm.
unsigned announced_limit(unsigned limit) { return std::min(limit, 999'999U); }

constexpr const char* help_text =
    "Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\n"
    "See RFC 5321";
constexpr const char* lmtp_help_text =
    "Commands: LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\n"
    "See RFC 2033 and RFC 5321";

}  // namespace

void Session::command(std::string_view line) {
    const auto parsed = smtp::parse_command(line);
    last_verb_ = parsed.verb;
    const auto shown = showable(line);
    state_.last_line.assign(shown);
    if (log_.enabled(LogLevel::trace))
        write_log(LogLevel::trace,
                  "<<< " + quoted(shown) + (shown.size() < line.size() ? " (the rest is not shown)" : ""));
    const auto* const row = find_command(parsed.verb);
    if (row && row->is_junk && ++state_.junk_commands > settings_.max_junk_commands) count_error();
    if (hand_over(Work::command, hooks_of(parsed.verb))) deferred_line_.assign(line);
    else dispatch(line);
}

/// The part of a command line that may be kept and logged. For AUTH that is no more than a known mechanism; and a line
/// after AUTH that is not a command may be the password of a client that did not wait for our reply.
std::string_view Session::showable(std::string_view line) {
    const auto trimmed = support::trim(line);
    constexpr std::string_view auth = "AUTH";
    const auto words = smtp::parse_command(trimmed);
    if (!support::starts_with_folded(trimmed, auth)) {
        if (words.verb != smtp::Verb::unknown) state_.secrets_may_follow = false;
        return state_.secrets_may_follow ? std::string_view() : line;
    }
    state_.secrets_may_follow = true;
    const auto mechanism = words.rest.substr(0, words.rest.find_first_of(" \t"));
    const bool shows_mechanism = words.verb == smtp::Verb::auth && auth_offer().has(mechanism);
    const auto* const end = shows_mechanism ? mechanism.data() + mechanism.size() : trimmed.data() + auth.size();
    return line.substr(0, static_cast<std::size_t>(end - line.data()));
}

Situation Session::situation() const noexcept {
    return {.settings = settings_,
            .auth = auth_offer(),
            .greeted = state_.greeted,
            .is_tls = is_tls(),
            .is_authenticated = is_authenticated(),
            .in_transaction = transaction_ != nullptr,
            .has_recipients = transaction_ && !transaction_->recipients().empty(),
            .is_binary = transaction_ && transaction_->envelope().is_binarymime(),
            .in_chunks = intake() && intake()->is_in_chunks(),
            .chunk_failed = chunk_failed_};
}

/// The function of each command that passes the checks in the rows of command_table.cc.
const Session::Action Session::actions[] = {
    {smtp::Verb::helo, &Session::helo},         {smtp::Verb::ehlo, &Session::ehlo},
    {smtp::Verb::lhlo, &Session::ehlo},         {smtp::Verb::starttls, &Session::starttls},
    {smtp::Verb::auth, &Session::auth},         {smtp::Verb::xclient, &Session::xclient},
    {smtp::Verb::xforward, &Session::xforward}, {smtp::Verb::mail, &Session::mail},
    {smtp::Verb::rcpt, &Session::rcpt},         {smtp::Verb::data, &Session::data},
    {smtp::Verb::bdat, &Session::bdat},         {smtp::Verb::rset, &Session::rset},
    {smtp::Verb::noop, &Session::noop},         {smtp::Verb::vrfy, &Session::vrfy},
    {smtp::Verb::help, &Session::help},         {smtp::Verb::quit, &Session::quit},
};

void Session::dispatch(std::string_view line) {
    const auto command = smtp::parse_command(line);
    if (command.verb == smtp::Verb::bdat) return bdat(command.rest);  // its octets are read first, whatever the reply
    const Situation now = situation();
    const CommandRow* const row = find_command(command.verb);
    if (now.must_encrypt() && !(row && row->works_in_clear))
        return is_http(command.verb_text, command.rest) ? end_connection(StandardReply::foreign_protocol)
                                                        : respond(StandardReply::encrypt_first);
    const auto objection = row ? objection_to(*row, command.rest, now) : Objection();
    if (objection) return objection->say ? respond(*objection->say) : unrecognized(command);
    const auto is_its_action = [&](const Action& action) { return action.verb == command.verb; };
    const auto* const action = std::find_if(std::begin(actions), std::end(actions), is_its_action);
    (this->*action->run)(command.rest);
}

void Session::unrecognized(const smtp::Command& command) {
    if (is_http(command.verb_text, command.rest)) return end_connection(StandardReply::foreign_protocol);
    const auto shown = smtp::parse_command(state_.last_line);
    stage(HookId::unrecognized_command, WordsArgument{std::string(shown.verb_text), std::string(shown.rest)});
}

/// Lets the plugins of a parse hook change the argument. False if they refused it (and the client was told).
bool Session::rewritten(HookId hook, std::string_view& argument, std::string& storage) {
    if (!hooks_.has(hook)) return true;
    storage.assign(argument);
    ParseHook context(hook, *this, storage);
    if (response_ends_stage(hook, hooks_.run_through(context))) return false;
    argument = storage;
    return true;
}

// ---- connect

void Session::after_connect(const Response& response) {
    std::string text = settings_.greeting;
    if (text.empty())
        if (const auto lines = config("smtpgreeting"); !lines.empty()) text = lines.front();
    const std::string_view protocol = is_lmtp_ ? "LMTP" : "ESMTP";
    if (text.empty()) text = format_text("{} {} {} ready", server_name_, protocol, settings_.software);
    else if (text.find(protocol) == std::string::npos) text += format_text(" {}", protocol);
    if (state_.max_message_size == 0)
        if (const auto lines = config("databytes"); !lines.empty())
            state_.max_message_size = support::parse_unsigned(lines.front()).value_or(0);
    response_ends_stage(HookId::connect, response, {220, {}, text + " " + id_, true});
}

// ---- HELO, EHLO

void Session::hello(bool extended, std::string_view rest) {
    std::string storage;
    if (!rewritten(extended ? HookId::ehlo_parse : HookId::helo_parse, rest, storage)) return;
    const auto host = smtp::host_argument(rest);
    if (!host || host->size() > max_host_octets)
        return respond(is_lmtp_ ? StandardReply::lhlo_needs_host : StandardReply::hello_needs_host);
    const auto behind = static_cast<std::size_t>(host->data() - rest.data()) + host->size();
    HelloArgument argument{std::string(*host), std::string(support::trim(rest.substr(behind)))};
    state_.capabilities.clear();
    if (!is_tls() && settings_.start_tls != StartTls::off) state_.remember_before_hello();
    stage(extended ? HookId::ehlo : HookId::helo, std::move(argument));
}

void Session::after_hello(HookId hook, const HelloArgument& argument, const Response& response) {
    StageResult result = apply_response(hook, response, hello_reply(hook));
    if (!result.proceeds) {
        response_ends_stage(hook, response);
        return;
    }
    reset_transaction();  // RFC 5321 4.1.4: a second EHLO is an implicit RSET
    state_.greeted = hook == HookId::ehlo ? Greeted::ehlo : Greeted::helo;
    state_.hello_host = argument.host;
    lines_.set_limit(line_limit());
    respond(result.reply);
}

/// Whether the extension is on, and works in the current state.
bool Session::offers(Extension extension) const {
    if (extension == Extension::auth) return is_auth_offered();
    if (!settings_.extensions.has(extension)) return false;
    switch (extension) {
        case Extension::require_tls: return is_tls();  // RFC 8689 2
        case Extension::prdr: return !is_lmtp_ && hooks_.judges_recipients();
        case Extension::xclient:
        case Extension::xforward: return proxy_.has_value();
        default: return true;
    }
}

/// The extension's line in the EHLO reply; "" if it is not announced.
std::string Session::announcement(Extension extension) const {
    std::string line(keyword_of(extension));
    switch (extension) {
        case Extension::auth: return {};  // follows the lines of plugins
        case Extension::vrfy:
            if (!hooks_.has(HookId::vrfy)) return {};
            break;
        case Extension::size:
            if (state_.max_message_size != 0) line += format_text(" {}", state_.max_message_size);
            break;
        case Extension::limits:
            if (settings_.max_transactions != 0)
                line += format_text(" MAILMAX={}", announced_limit(settings_.max_transactions));
            line += format_text(" RCPTMAX={}", takes_one_recipient() && !offers(Extension::prdr)
                                                   ? 1
                                                   : announced_limit(settings_.max_recipients));
            if (settings_.max_recipient_domains != 0)
                line += format_text(" RCPTDOMAINMAX={}", announced_limit(settings_.max_recipient_domains));
            break;
        case Extension::xclient: line = capability_of(smtp::AttributeCommand::xclient); break;
        case Extension::xforward: line = capability_of(smtp::AttributeCommand::xforward); break;
        default: break;
    }
    return offers(extension) ? line : std::string();
}

Reply Session::hello_reply(HookId hook) {
    std::string text = format_text("{} Hi {} {}", server_name_, state_.host.empty() ? "there" : state_.host,
                                   client_.address.literal());
    if (hook == HookId::ehlo) {
        for (unsigned i = 0; i < static_cast<unsigned>(Extension::count); ++i)
            if (const auto line = announcement(static_cast<Extension>(i)); !line.empty()) text += "\n" + line;
        if (offers_tls()) text += "\nSTARTTLS";
        for (const auto& capability : state_.capabilities) text += "\n" + capability;
        if (const auto list = situation().allows_auth() ? auth_offer().names() : std::string(); !list.empty())
            text += "\nAUTH" + list;
    }
    return {250, {}, std::move(text), true};
}

// ---- MAIL

void Session::mail(std::string_view rest) {
    if (settings_.max_transactions != 0 && ++state_.mail_commands > settings_.max_transactions)
        return end_connection(StandardReply::too_many_transactions);
    std::string storage;
    if (!rewritten(HookId::mail_parse, rest, storage)) return;
    const ParameterRules rules = parameter_rules();
    auto parsed = smtp::parse_mail(rest, rules.offered.has(Extension::smtputf8));
    if (const auto* refused = std::get_if<Reply>(&parsed)) return respond(*refused);
    auto& argument = std::get<smtp::PathArgument>(parsed);
    std::string path(argument.path);
    if (hooks_.has(HookId::mail_pre)) {
        PathHook context(HookId::mail_pre, *this, path, argument.parameters);
        if (response_ends_stage(HookId::mail_pre, hooks_.run_through(context))) return;
    }
    auto transaction = std::make_unique<OpenTransaction>(format_text("{}-{}", id_, transactions_ + 1), settings_.spool);
    transaction->envelope().parameters = std::move(argument.parameters);
    const bool is_smtputf8 = rules.offered.has(Extension::smtputf8) &&
                             transaction->envelope().parameters.has("SMTPUTF8");
    if (!is_smtputf8 && !support::is_ascii(path)) return respond(StandardReply::needs_smtputf8);
    std::string why;
    AddressSyntax syntax = address_syntax(is_smtputf8);
    syntax.allow_null = true;
    auto sender = Address::parse_path(path, syntax, &why);
    if (!sender) return respond(smtp::bad_sender_reply(why));
    transaction->set_sender(std::move(*sender));
    if (const auto refused = take_mail_parameters(rules, *transaction)) return respond(*refused);
    ServerAccess::set_transaction(history_, ++transactions_);
    surplus_recipients_ = 0;
    chunk_failed_ = false;
    transaction_ = std::move(transaction);
    stage(HookId::mail);
}

/// Without EHLO a client has no extensions; SIZE and BODY are accepted nevertheless, by tradition.
ExtensionSet Session::offered() const {
    ExtensionSet out;
    for (unsigned i = 0; i < static_cast<unsigned>(Extension::count); ++i) {
        const auto extension = static_cast<Extension>(i);
        const bool is_plain = extension == Extension::size || extension == Extension::eight_bit_mime;
        if (state_.greeted == Greeted::ehlo || is_plain) out.set(extension, offers(extension));
    }
    return out;
}

AddressSyntax Session::address_syntax(bool is_smtputf8) const noexcept {
    return {
        .smtputf8 = is_smtputf8, .strict = settings_.strict_addresses, .local_part_case = settings_.local_part_case};
}

ParameterRules Session::parameter_rules() const {
    return {.offered = offered(),
            .ignores_unknown = settings_.ignore_unknown_parameters,
            .believes_submitter = is_authenticated(),
            .grants_priority = is_relay_client(),
            .address_syntax = address_syntax(false),
            .max_message_size = state_.max_message_size,
            .spool = settings_.spool};
}

void Session::after_mail(const Response& response) {
    const StageResult result = apply_response(HookId::mail, response,
                                              {250, {2, 1, 0}, accepted_text(transaction_->sender(), "sender")});
    if (result.proceeds) return respond(result.reply);
    response_ends_stage(HookId::mail, response);
    reset_transaction();
}

// ---- RCPT

void Session::rcpt(std::string_view rest) {
    std::string storage;
    if (!rewritten(HookId::rcpt_parse, rest, storage)) return;
    const bool is_smtputf8 = transaction_->envelope().is_smtputf8;
    auto parsed = smtp::parse_rcpt(rest, is_smtputf8);
    if (const auto* refused = std::get_if<Reply>(&parsed)) return respond(*refused);
    auto& argument = std::get<smtp::PathArgument>(parsed);
    std::string path(argument.path);
    if (hooks_.has(HookId::rcpt_pre)) {
        PathHook context(HookId::rcpt_pre, *this, path, argument.parameters);
        if (response_ends_stage(HookId::rcpt_pre, hooks_.run_through(context))) return;
    }
    if (!is_smtputf8 && !support::is_ascii(path)) return respond(StandardReply::needs_smtputf8);
    std::string why;
    AddressSyntax syntax = address_syntax(is_smtputf8);
    syntax.allow_postmaster = true;
    auto address = Address::parse_path(path, syntax, &why);
    if (!address) return respond(smtp::bad_recipient_reply(why));
    Recipient recipient(std::move(*address), std::move(argument.parameters));
    if (!recipient.parameters().empty())
        if (const auto refused = take_rcpt_parameters(parameter_rules(), is_smtputf8, recipient))
            return respond(*refused);
    if (!has_room_for_recipient(recipient.address())) return;
    std::string said = recipient.address().is_ascii() ? recipient.address().path() : std::string();
    stage(HookId::rcpt, RcptArgument{std::move(recipient), std::move(said)});
}

/// False if there are too many recipients (and the client was told). RFC 5321 4.5.3.1.10: not a fault of the client,
/// which sends the message to those accepted and tries again later; so only many of these count as errors.
bool Session::has_room_for_recipient(const Address& address) {
    std::optional<StandardReply> limit;
    if (transaction_->recipients().size() >= settings_.max_recipients) limit = StandardReply::too_many_recipients;
    else if (takes_one_recipient() && !transaction_->recipients().empty()) limit = StandardReply::one_recipient_only;
    const auto most_domains = settings_.max_recipient_domains;
    if (!limit && most_domains != 0 && state_.recipient_domains.size() >= most_domains && address.has_domain() &&
        std::find(state_.recipient_domains.begin(), state_.recipient_domains.end(), address.domain_key()) ==
            state_.recipient_domains.end())
        limit = StandardReply::too_many_domains;
    if (!limit) return true;
    if (++surplus_recipients_ > settings_.max_recipients) {
        respond(*limit);
    } else {
        remember_reply(reply(*limit));
        put(reply(*limit));
    }
    return false;
}

/// SmtpMixedResults one-by-one: one recipient at a time, so that the one reply is right for all. PRDR and LMTP have a
/// reply for each.
bool Session::takes_one_recipient() const noexcept {
    return settings_.mixed_results == MixedResults::one_by_one && !is_lmtp_ &&
           !(transaction_ && transaction_->is_prdr());
}

void Session::after_rcpt(RcptArgument& argument, const Response& response) {
    const Address& address = argument.recipient.address();
    const StageResult result = apply_response(HookId::rcpt, response,
                                              {250, {2, 1, 5}, accepted_text(address, "recipient")});
    if (result.proceeds) {
        const auto domain = settings_.max_recipient_domains != 0 ? address.domain_key() : std::string();
        if (!domain.empty() && std::find(state_.recipient_domains.begin(), state_.recipient_domains.end(), domain) ==
                                   state_.recipient_domains.end())
            state_.recipient_domains.push_back(domain);
        chunk_failed_ = false;
        transaction_->add_recipient(std::move(argument.path), std::move(argument.recipient));
        respond(result.reply);
    } else {
        response_ends_stage(HookId::rcpt, response, {}, &argument.recipient);
    }
}

// ---- DATA

void Session::data(std::string_view) { stage(HookId::data); }

void Session::after_data(const Response& response) {
    if (chunk_) return after_chunk_data(response);
    const StageResult result = apply_response(HookId::data, response, reply(StandardReply::go_ahead));
    if (!result.proceeds) {
        response_ends_stage(HookId::data, response);
        return reset_transaction();
    }
    begin_message(MessageIntake::Source::data);
    state_.last_line.clear();
    respond(result.reply);
}

// ---- the others

void Session::rset(std::string_view) {
    reset_transaction();
    respond(StandardReply::reset_ok);
}

void Session::quit(std::string_view) { stage(HookId::quit); }

void Session::noop(std::string_view rest) { stage(HookId::noop, WordsArgument{{}, std::string(rest)}); }

void Session::help(std::string_view rest) { stage(HookId::help, WordsArgument{{}, std::string(rest)}); }

/// RFC 5321 4.1.1.6, with an optional SMTPUTF8 at the end (RFC 6531 3.7.4.2).
void Session::vrfy(std::string_view rest) {
    const auto blank = rest.find_last_of(" \t");
    const bool is_smtputf8 = offers(Extension::smtputf8) && state_.greeted == Greeted::ehlo && blank != rest.npos &&
                             support::equals_folded(rest.substr(blank + 1), "SMTPUTF8");
    if (is_smtputf8) rest = support::trim(rest.substr(0, blank));
    if (rest.empty()) return respond(StandardReply::syntax_error);
    if (!support::is_ascii(rest) && !is_smtputf8) return respond(StandardReply::needs_smtputf8);
    if (is_smtputf8 && !smtp::is_valid_utf8(rest)) return respond(StandardReply::bad_utf8_argument);
    stage(HookId::vrfy, WordsArgument{{}, std::string(rest)});
}

void Session::after_simple(HookId hook, const Response& response) {
    switch (hook) {
        case HookId::quit: {
            const StageResult result = apply_response(
                hook, response, {221, {2, 0, 0}, format_text("{} closing connection", server_name_)});
            return end_connection(result.reply);
        }
        case HookId::noop: response_ends_stage(hook, response, reply(StandardReply::noop_ok)); return;
        case HookId::help:
            response_ends_stage(hook, response, {214, {2, 0, 0}, is_lmtp_ ? lmtp_help_text : help_text});
            return;
        case HookId::vrfy:
            response_ends_stage(hook, response, {252, {2, 5, 2}, "Send mail to find out"});
            return;  // RFC 5321 4.1.1.6: at any time, without effect
        default: break;
    }
    const bool is_known = last_verb_ != smtp::Verb::unknown && response.verdict != Verdict::deny &&
                          !is_disconnect(response.verdict);
    if (is_known && response.verdict != Verdict::done) return respond(StandardReply::not_implemented);
    response_ends_stage(hook, response);
}

}  // namespace smtpd::engine
