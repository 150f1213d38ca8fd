#include "dry_run/dry_run.h"

#include "support/base64.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <ctime>

namespace smtpd::dry_run {
namespace {

/// The plugins, except those that deliver.
class Rehearsal final : public engine::HookRunner {
public:
    explicit Rehearsal(host::PluginSet& plugins) : plugins_(plugins) {}

    std::vector<std::string> take_deliverers() { return std::exchange(deliverers_, {}); }
    std::vector<RefusedRecipient> take_refused() { return std::exchange(refused_, {}); }

    bool has(HookId hook) const noexcept override {
        // The end of a transaction shows its results.
        return hook == HookId::reset_transaction || (hook != HookId::queue_post && plugins_.has(hook));
    }
    bool can_accept(HookId hook) const noexcept override { return plugins_.can_accept(hook); }
    bool asks(HookId hook) const noexcept override { return hook != HookId::queue && plugins_.asks(hook); }
    bool reads_body() const noexcept override { return plugins_.reads_body(); }
    bool judges_recipients() const noexcept override { return plugins_.judges_recipients(); }
    void ask(HookContext& context, engine::Wait& wait) noexcept override { plugins_.ask(context, wait); }
    Response run(HookContext& context, engine::ChainState& state) noexcept override {
        if (context.hook == HookId::reset_transaction)
            record_refused(static_cast<const MessageHook&>(context).transaction);
        if (context.hook != HookId::queue) return plugins_.run(context, state);
        try {
            for (const auto& member : plugins_.chain(HookId::queue)) deliverers_.push_back(member.instance->name());
        } catch (const std::bad_alloc&) {  // then they are not named
        }
        return Response(Verdict::ok);
    }
    engine::MessageObservers observe_message(MessageHook& context) noexcept override {
        return plugins_.observe_message(context);
    }
    std::vector<std::string> control_lines(std::string_view name) noexcept override {
        return plugins_.control_lines(name);
    }

private:
    void record_refused(const Transaction& transaction) noexcept {
        try {
            for (const auto& recipient : transaction.refused_recipients()) {
                const Fate& fate = recipient.fate();
                const std::string why = fate.why();
                refused_.push_back({recipient.address().path(),
                                    fate.reply.code,
                                    fate.reply.text,
                                    {fate.plugin, "", "", why.empty() ? fate.reply.text : why}});
            }
        } catch (const std::bad_alloc&) {  // then they are not named
        }
    }

    host::PluginSet& plugins_;
    std::vector<std::string> deliverers_;
    std::vector<RefusedRecipient> refused_;
};

class GatheredLog final : public LogSink {
public:
    explicit GatheredLog(LogLevel up_to) : up_to_(up_to) {}
    std::vector<std::string> take() { return std::exchange(lines_, {}); }
    bool enabled(LogLevel level) const noexcept override { return level <= up_to_; }
    void write(const LogLine& line) noexcept override {
        if (!enabled(line.level)) return;
        try {
            LogLine short_line = line;
            short_line.session = short_line.transaction = {};
            lines_.push_back(format_text("{} {}", log_level_name(line.level), short_line.to_string()));
        } catch (const std::bad_alloc&) {  // only a line is missing
        }
    }

private:
    const LogLevel up_to_;
    std::vector<std::string> lines_;
};

std::string shown_time(WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    char text[32] = "";
    if (::gmtime_r(&seconds, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

/// Converts a message to SMTP line ends. With `is_stuffed`, it has the form on the wire: a dot is added to each line
/// that begins with one, and the last line is a dot.
std::string with_crlf(std::string_view message, bool is_stuffed) {
    std::string out;
    while (!message.empty()) {
        auto line = take_line(message);
        if (line.ends_with('\n')) line.remove_suffix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (is_stuffed && line.starts_with('.')) out += '.';
        out.append(line).append("\r\n");
    }
    return is_stuffed ? out + ".\r\n" : out;
}

/// Announces STARTTLS as the server would, but the client never sends it.
class AnnouncedTls final : public engine::TlsService {
public:
    explicit AnnouncedTls(bool is_there) : is_there_(is_there) {}
    bool can_start_tls() const noexcept override { return is_there_; }
    engine::TlsStart prepare_tls() override { return engine::TlsStart::unavailable; }

private:
    const bool is_there_;
};

bool has_8bit(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; });
}

/// The beginning of the text shown instead of a message.
constexpr std::string_view message_shown = "(message, ";

/// One session with its client.
class Client {
public:
    Client(const Request& request, const Server& server, Rehearsal& plugins, GatheredLog& log, Names& names)
        : request_(request),
          plugins_(plugins),
          log_(log),
          tls_(server.can_start_tls),
          is_encrypted_(server.is_tls || !request.tls.empty()),
          session_(server.settings, plugins, server.clock, log, peer_of(request, server),
                   {.names = &names, .tls = &tls_}),
          conversation_(session_, server.clock, &names) {
        visit_.time = shown_time(server.clock.wall());
        if (request.takes_time) conversation_.take_time();
    }

    Visit play() {
        play_dialogue();
        if (!conversation_.is_over()) say("QUIT", "QUIT\r\n");
        conversation_.end();
        judge();
        return std::move(visit_);
    }

private:
    static engine::Peer peer_of(const Request& request, const Server& server) {
        engine::Peer peer;
        peer.id = "dry-run";
        peer.client = request.client;
        peer.local = server.local;
        peer.host = request.client_host;
        peer.sessions_of_client = 1;
        peer.is_dry_run = true;
        return peer;
    }

    std::string connect();
    void play_dialogue();
    bool authenticate();
    bool send_recipients();
    void send_message();
    std::string mail_command() const;
    bool needs_smtputf8() const;
    bool is_offered(std::string_view extension) const;
    bool say(std::string command, std::string_view octets);
    bool say(const std::string& command) { return say(command, command + "\r\n"); }
    int decisive_code(const std::vector<std::string>& lines) const;
    void gather(Exchange& exchange);
    Cause cause_of(const History::RejectionCause& rejection) const;
    bool has_outcome() const;
    void judge();

    const Request& request_;
    Rehearsal& plugins_;
    GatheredLog& log_;
    AnnouncedTls tls_;
    const bool is_encrypted_;
    engine::Session session_;
    Conversation conversation_;
    std::uint32_t known_ = 0;
    std::size_t hello_ = 0;  ///< the exchange in which the server announces its extensions
    Visit visit_;
};

/// On an encrypted connection, a channel binding for SCRAM-…-PLUS is announced; it cannot be used here.
std::string Client::connect() {
    if (!is_encrypted_) return conversation_.start();
    Tls facts;
    facts.protocol = request_.tls.empty() ? "TLSv1.3" : request_.tls;
    facts.cipher = "unknown";
    return conversation_.start_encrypted(std::move(facts), {.exporter = "dry run", .unique = {}, .end_point = {}});
}

void Client::play_dialogue() {
    if (!say("", {})) return;
    const std::string name = !request_.helo.empty()          ? request_.helo
                             : !request_.client_host.empty() ? request_.client_host
                                                             : request_.client.address.literal();
    const char* const hello = session_.is_lmtp() ? "LHLO " : request_.is_esmtp ? "EHLO " : "HELO ";
    hello_ = visit_.exchanges.size();
    if (!say(hello + name)) return;
    if (!request_.user.empty() && !authenticate()) return;
    if (!request_.from || !say(mail_command())) return;
    if (request_.to.empty() || !send_recipients()) return;
    if (request_.message) send_message();
}

bool Client::authenticate() {
    if (request_.mechanism == "LOGIN") {
        return say("AUTH LOGIN") &&
               say("(user " + quoted(request_.user) + ")", support::base64(request_.user) + "\r\n") &&
               say("(password)", support::base64(request_.password) + "\r\n");
    }
    const std::string response = '\0' + request_.user + '\0' + request_.password;
    return say("AUTH PLAIN (user " + quoted(request_.user) + " and password)",
               "AUTH PLAIN " + support::base64(response) + "\r\n");
}

std::string Client::mail_command() const {
    std::string command = "MAIL FROM:<" + *request_.from + ">";
    if (!request_.is_esmtp) return command;
    if (request_.message && is_offered("SIZE"))
        command += format_text(" SIZE={}", with_crlf(*request_.message, false).size());
    if (request_.message && has_8bit(*request_.message) && is_offered("8BITMIME")) command += " BODY=8BITMIME";
    if (needs_smtputf8() && is_offered("SMTPUTF8")) command += " SMTPUTF8";
    return command;
}

/// RFC 6531 3.4: an address, or the header of the message, is not ASCII.
bool Client::needs_smtputf8() const {
    if (has_8bit(*request_.from) || std::any_of(request_.to.begin(), request_.to.end(), has_8bit)) return true;
    if (!request_.message) return false;
    const std::string message = with_crlf(*request_.message, false);
    return has_8bit(std::string_view(message).substr(0, message.find("\r\n\r\n")));
}

/// According to the EHLO reply, whose first line has the server's name.
bool Client::is_offered(std::string_view extension) const {
    constexpr std::size_t code = 4;
    const auto& lines = visit_.exchanges[hello_].replies;
    return std::any_of(lines.begin() + (lines.empty() ? 0 : 1), lines.end(), [&](const std::string& line) {
        const auto words = support::split_words(std::string_view(line).substr(std::min(code, line.size())));
        return !words.empty() && support::equals_folded(words.front(), extension);
    });
}

/// True if the message may be sent, because at least one recipient was accepted.
bool Client::send_recipients() {
    bool any = false;
    for (const auto& recipient : request_.to)
        any = (!conversation_.is_over() && say("RCPT TO:<" + recipient + ">")) || any;
    return any && !conversation_.is_over();
}

void Client::send_message() {
    if (!say("DATA")) return;
    say(format_text("{}{} octets)", message_shown, request_.message->size()), with_crlf(*request_.message, true));
}

/// The code of the last reply. With LMTP a message has a reply for each recipient: then a positive one decides, because
/// that recipient would have received the message.
int Client::decisive_code(const std::vector<std::string>& lines) const {
    int code = 0;
    for (const auto& line : lines) {
        if (line.size() > 3 && line[3] == '-') continue;
        const int next = static_cast<int>(support::parse_unsigned(line.substr(0, 3)).value_or(0));
        if (code == 0 || code >= 400 || !session_.is_lmtp()) code = next;
    }
    return code;
}

/// An empty command stands for the connection. True if the session continues and nothing was refused.
bool Client::say(std::string command, std::string_view octets) {
    Exchange exchange;
    exchange.command = std::move(command);
    const std::string output = exchange.command.empty() ? connect() : conversation_.say(octets);
    std::string_view rest = output;
    while (!rest.empty()) exchange.replies.emplace_back(support::trim(take_line(rest)));
    exchange.code = decisive_code(exchange.replies);
    gather(exchange);
    visit_.exchanges.push_back(std::move(exchange));
    const Exchange& last = visit_.exchanges.back();
    return !conversation_.is_over() && last.code != 0 && !last.is_refusal();
}

/// Collects what was said since the last call.
void Client::gather(Exchange& exchange) {
    exchange.waited = conversation_.take_waited();
    exchange.deliverers = plugins_.take_deliverers();
    exchange.refused = plugins_.take_refused();
    exchange.log = log_.take();
    const History& history = session_.history();
    const auto& entries = history.entries();
    const auto fresh = std::min<std::size_t>(history.total() - known_, entries.size());
    visit_.dropped += history.total() - known_ - static_cast<std::uint32_t>(fresh);
    known_ = history.total();
    for (std::size_t i = entries.size() - fresh; i < entries.size(); ++i) {
        if (entries[i].kind != HistoryEntry::Kind::reply) exchange.said.push_back(entries[i]);
        else if (const auto cause = history.rejection_cause(i); cause.by) exchange.cause = cause_of(cause);
    }
    const auto decisive = std::find_if(exchange.refused.begin(), exchange.refused.end(),
                                       [&](const auto& one) { return one.code == exchange.code; });
    if (decisive != exchange.refused.end()) exchange.cause = decisive->cause;
}

Cause Client::cause_of(const History::RejectionCause& rejection) const {
    Cause cause;
    cause.by = rejection.by->plugin;
    if (rejection.complaint) cause.complaint = rejection.complaint->plugin;
    const HistoryEntry* const reason = rejection.reason() ? rejection.reason() : rejection.by;
    cause.hook = hook_name(reason->hook);
    cause.reason = reason->text;
    return cause;
}

/// Whether the server accepted the message, or the requested part of a transaction.
bool Client::has_outcome() const {
    const auto was_accepted = [this](std::string_view command) {
        return std::any_of(visit_.exchanges.begin(), visit_.exchanges.end(), [&](const Exchange& exchange) {
            return exchange.command.starts_with(command) && exchange.code / 100 == 2;
        });
    };
    return was_accepted(request_.message ? message_shown : request_.to.empty() ? "MAIL " : "RCPT ");
}

/// The first refusal decides.
void Client::judge() {
    const auto& exchanges = visit_.exchanges;
    const auto refusal = std::find_if(exchanges.begin(), exchanges.end(),
                                      [](const Exchange& exchange) { return exchange.is_refusal(); });
    if (refusal != exchanges.end()) {
        visit_.outcome = refusal->code < 500 ? MailOutcome::deferred : MailOutcome::rejected;
        visit_.decisive = static_cast<std::size_t>(refusal - exchanges.begin());
    } else if (!has_outcome()) {
        visit_.outcome = MailOutcome::none;
    }
    if (refusal == exchanges.end() && session_.is_naughty() && request_.message) {
        visit_.remarks.push_back(
            format_text("{} failed this client, and the refusal was postponed, but no plugin carried it out. Is the "
                        "plugin naughty loaded?",
                        session_.complaints().front().plugin));
    }
}

}  // namespace

Result<Report> run(const Request& request, const Server& server) {
    Report report;
    report.request = request;
    report.server = server.name;
    report.where = server.where;
    std::unique_ptr<net::Resolver> zone;
    if (request.zone) {
        auto read = read_zone(*request.zone);
        if (!read) return read.error();
        zone = std::move(*read);
    }
    Names names(zone ? *zone : server.resolver, server.clock);
    if (!zone) names.expect_answers();
    Rehearsal plugins(server.plugins);
    GatheredLog log(request.log);
    report.visits.push_back(Client(request, server, plugins, log, names).play());
    for (const auto pause : request.again) {
        server.clock.move_by(pause);
        report.visits.push_back(Client(request, server, plugins, log, names).play());
    }
    return report;
}

}  // namespace smtpd::dry_run
