/// session.cc: the lifetime of a session, its input and output, and its stages. The commands are in
/// session_commands.cc, the message in session_data.cc, BDAT in session_chunks.cc.
#include "engine/session.h"

#include "engine/recipient_results.h"
#include "engine/server_access.h"
#include "engine/transaction_delivery.h"
#include "support/strings.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace smtpd::engine {
namespace {

/// Replies are collected until there is no input left, but not beyond this limit: a client that sends without reading
/// must not fill our memory.
constexpr std::size_t output_limit = 32 * 1024;

/// A command line without an end: RFC 5321 4.5.3.1.4 allows 512 octets; a client that sends this much does not speak
/// SMTP.
constexpr std::uint64_t endless_line = 256 * 1024;

/// Names from the DNS are shown to people and written into fields, so they must look like names.
bool is_host_name(std::string_view name) {
    const auto is_allowed = [](char c) {
        return support::is_alpha(c) || support::is_digit(c) || c == '.' || c == '-' || c == '_';
    };
    return name.size() <= 255 && std::all_of(name.begin(), name.end(), is_allowed);
}

}  // namespace

std::string_view phase_name(Phase phase) noexcept {
    switch (phase) {
        case Phase::connecting: return "connecting";
        case Phase::greeting: return "greeting";
        case Phase::command: return "command";
        case Phase::transaction: return "transaction";
        case Phase::receiving: return "receiving";
        case Phase::waiting: return "waiting";
        case Phase::handshake: return "handshake";
        case Phase::closing: return "closing";
    }
    return "";
}

Session::Session(const Settings& settings, HookRunner& hooks, const Clock& clock, LogSink& log, Peer peer,
                 Services services)
    : HasClientState{ClientState(settings, peer.client.address)},
      Connection(state_),
      settings_(settings),
      hooks_(hooks),
      clock_(clock),
      log_(log),
      services_(services),
      lines_(settings.max_command_line),
      may_wait_(!services.has_workers) {
    id_ = std::move(peer.id);
    client_ = peer.client;
    local_ = peer.local;
    if (is_host_name(peer.host)) state_.host = std::move(peer.host);
    state_.sessions_of_client = peer.sessions_of_client;
    tls_.protocol = std::move(peer.tls_protocol);
    tls_.cipher = std::move(peer.tls_cipher);
    nonce_ = std::move(peer.nonce);
    is_dry_run_ = peer.is_dry_run;
    is_lmtp_ = settings.protocol == Protocol::lmtp;
    server_name_ = settings.server_name;
    started_ = clock_.now();
    if (settings_.is_trusted_proxy(client_.address)) proxy_ = client_;
}

/// Destroying a session that is not over may block.
Session::~Session() {
    may_wait_ = true;
    finish();
    if (has_work()) conclude();
}

Phase Session::phase() const noexcept {
    if (over_) return Phase::closing;
    if (handshake_) return Phase::handshake;
    if (!begun_) return Phase::connecting;
    if (is_busy()) return Phase::waiting;
    if (is_receiving()) return Phase::receiving;
    if (transaction_) return Phase::transaction;
    return state_.greeted == Greeted::no ? Phase::greeting : Phase::command;
}

Session::Progress Session::progress() const noexcept {
    if (stage_ && stage_->hook() == HookId::data_chunk) return {};  // the session does not wait for the client
    if (chunk_) return {true, chunk_->since, chunk_->size - chunk_->left};
    if (!is_receiving()) return {};
    return {true, intake()->since(), intake()->octets_so_far()};
}

// ---- arguments of hooks

/// Creates the handlers' argument from the stage's argument and the session's state; the same again after a wait.
template <class F>
std::invoke_result_t<F, HookContext&> Session::call_with_context(HookId hook, StageArgument& argument, F&& call) {
    switch (hook) {
        case HookId::helo:
        case HookId::ehlo: {
            const auto& said = std::get<HelloArgument>(argument);
            HelloHook context(hook, *this, said.host, said.rest);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::auth_plain:
        case HookId::auth_login:
        case HookId::auth_cram_md5:
        case HookId::auth_scram_sha_1:
        case HookId::auth_scram_sha_256:
        case HookId::auth_external:
        case HookId::auth_bearer:
        case HookId::auth: {
            AuthHook context(hook, *this, exchange_->credentials(), &exchange_->findings());
            return call(static_cast<HookContext&>(context));
        }
        case HookId::mail: {
            MailHook context(*this, *transaction_);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::rcpt: {
            RcptHook context(*this, *transaction_, std::get<RcptArgument>(argument).recipient);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::data_post_rcpt: {
            DataPostRcptHook context(*this, *transaction_,
                                     transaction_->recipients()[transaction_->pipeline->recipient()]);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::data_post_headers:
        case HookId::data_post:
        case HookId::queue_pre: {
            DataPostHook context(hook, *this, *transaction_);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::queue: {
            TransactionDelivery context(*this, *transaction_);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::queue_post: {
            QueuePostHook context(*this, *transaction_, std::get<QueuePostArgument>(argument).reply_text);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::data:
        case HookId::data_headers_end:
        case HookId::reset_transaction: {
            MessageHook context(hook, *this, *transaction_);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::vrfy:
        case HookId::noop:
        case HookId::help: {
            CommandHook context(hook, *this, std::get<WordsArgument>(argument).rest);
            return call(static_cast<HookContext&>(context));
        }
        case HookId::unrecognized_command: {
            const auto& said = std::get<WordsArgument>(argument);
            UnrecognizedHook context(*this, said.verb, said.rest);
            return call(static_cast<HookContext&>(context));
        }
        default: {
            ConnectionContext context(hook, *this);
            return call(static_cast<HookContext&>(context));
        }
    }
}

// ---- driving

Step Session::start() {
    begun_ = true;
    if (!hand_over(Work::begin, {HookId::pre_connection})) begin();
    return step();
}

/// A client has connected: runs the hooks of a new connection.
void Session::begin() {
    if (log_.enabled(LogLevel::info))
        write_line(LogLevel::info, state_.host.empty() ? "connect" : format_text("connect ({})", quoted(host())),
                   format_text("from {} port {}", client_.address, client_.port));
    if (hooks_.has(HookId::pre_connection)) {
        StageArgument nothing;
        const Response response = call_with_context(HookId::pre_connection, nothing,
                                                    [&](HookContext& context) { return hooks_.run_through(context); });
        let_go();
        if (response_ends_stage(HookId::pre_connection, response)) return;
    }
    stage(HookId::connect);
}

Step Session::feed(std::string_view octets) {
    if (over_) return step();
    if (handshake_) {
        refuse_early_octets();
        return step();
    }
    if (is_busy()) {
        keep(octets);
        return look_at_park();
    }
    if (backlog_.empty()) {
        work_off(octets);
    } else {
        keep(octets);
        work_off_backlog();
    }
    return step();
}

Step Session::resume() {
    if (over_) return step();
    if (is_busy()) return look_at_park();
    if (!handshake_) work_off_backlog();
    return step();
}

Step Session::end_of_input() {
    if (over_) return step();
    if (handshake_) return tls_failed("the client has closed the connection");
    at_eof_ = true;
    if (awaits_answers() && stage_->hook() == HookId::connect && backlog_.empty())
        return abandon();  // no client is left to greet
    if (is_busy()) return look_at_park();
    return step();
}

Step Session::abandon() {
    finish();
    return step();
}

Step Session::interrupt(Interruption why) {
    if (over_) return step();
    static constexpr StandardReply words[] = {StandardReply::idle_timeout,  StandardReply::session_timeout,
                                              StandardReply::too_slow,      StandardReply::shutting_down,
                                              StandardReply::overloaded,    StandardReply::too_many_sessions,
                                              StandardReply::internal_error};
    const StandardReply last_words = words[static_cast<std::size_t>(why)];
    if (handshake_)
        return tls_failed(reply(last_words).text);  // unencrypted text would be taken for a part of the handshake
    stage_.reset();
    work_ = Work::none;
    end_connection(last_words);
    return step();
}

Step Session::stop_soon() {
    stopping_ = true;
    return step();
}

/// The driver's next action. Also ends a session that has nothing left to wait for.
Step Session::step() {
    if (!over_ && !is_busy() && !handshake_ && backlog_.empty()) {
        if (at_eof_) {
            if (is_receiving()) respond(StandardReply::incomplete_message);
            finish();
        } else if (stopping_ && !transaction_ && lines_.pending() == 0) {
            end_connection(StandardReply::shutting_down);
        }
    }
    if (has_work()) return Step::work;
    if (over_) return Step::close;
    if (stage_) return Step::park;
    if (handshake_) return Step::start_tls;
    return backlog_.empty() ? Step::need_input : Step::more;
}

// ---- input

void Session::keep(std::string_view octets) {
    if (is_parked() && !octets.empty()) stage_->client_spoke();
    backlog_ += octets;
}

void Session::work_off(std::string_view octets) {
    rest_ = octets;
    process();
    backlog_ += rest_;
    rest_ = {};
}

void Session::work_off_backlog() {
    std::string taken = std::move(backlog_);
    backlog_.clear();
    work_off(taken);
    wipe(taken);  // a client that did not wait may have sent its password
}

void Session::process() {
    while (!over_ && !is_busy() && !handshake_ && output_.size() < output_limit && !rest_.empty()) {
        if ((chunk_ || is_receiving()) && wait_for_streams()) return;
        const bool awaits_header = is_receiving() && intake() && !intake()->has_header();
        if (awaits_header && hand_over(Work::input, {HookId::data_headers_end})) return;
        if (chunk_) receive_chunk();
        else if (is_receiving()) receive();
        else if (!next_command()) return;
        enforce_error_limit();
    }
}

/// Removes a line from rest_ and executes it; false if there is none yet.
bool Session::next_command() {
    if (exchange_ && hand_over(Work::input, {HookId::auth_result})) return false;
    if (lines_.pending() == 0 && is_foreign_protocol()) {
        end_connection(StandardReply::foreign_protocol);
        return true;
    }
    const auto at_hand = lines_.pending() + rest_.size();
    const auto line = lines_.next(rest_);
    const bool is_whole = line.status != smtp::LineSplitter::Status::need_more;
    if ((is_whole ? at_hand - rest_.size() - 1 : lines_.pending()) > endless_line) {
        end_connection(StandardReply::endless_line);
        lines_.wipe();
        return true;
    }
    if (!is_whole) return false;
    // RFC 5321 2.3.8: the line has not ended, so what follows is not a command.
    if (line.bare_lf && state_.bare_newline == smtp::BareNewline::reject) {
        write_log(LogLevel::notice, "a command ends in a bare LF: the session ends, and what follows is ignored");
        end_connection(reply(StandardReply::bare_newline_in_command));
        lines_.wipe();
        return true;
    }
    if (exchange_) {
        auth_response(line);
        return true;
    }
    ++commands_;
    if (stopping_ && !transaction_) end_connection(StandardReply::shutting_down);
    else if (line.status == smtp::LineSplitter::Status::too_long || is_too_long(line.text))
        respond(StandardReply::line_too_long);
    else if (line.nul) refuse_line(line.text, StandardReply::nul_in_command);
    else if (line.bare_cr && state_.bare_newline == smtp::BareNewline::reject)
        refuse_line(line.text, StandardReply::bare_newline_in_command);
    else command(line.text);
    if (state_.secrets_may_follow) lines_.wipe();
    return true;
}

/// BDAT is followed by its chunk, which must not be executed as commands.
void Session::refuse_line(std::string_view line, StandardReply why) {
    if (smtp::parse_command(line).verb == smtp::Verb::bdat) return end_connection(why);
    respond(why);
}

/// A TLS handshake record instead of a command: the client expects TLS from the first octet (port 465).
bool Session::is_foreign_protocol() const noexcept { return rest_.front() == '\x16'; }

// ---- output

void Session::put(const Reply& reply) {
    const std::size_t before = output_.size();
    if (settings_.extensions.has(Extension::enhanced_status_codes)) {
        reply.append_to(output_);
    } else {
        Reply plain = reply;
        plain.plain = true;
        plain.append_to(output_);
    }
    if (log_.enabled(LogLevel::trace))
        write_log(LogLevel::trace, ">>> " + quoted(std::string_view(output_).substr(before)));
}

void Session::respond(const Reply& reply) {
    if (reply.empty()) return;
    put(reply);
    if (reply.code < 400) return;
    remember_reply(reply);
    count_error();
}

void Session::send(const Reply& reply) { respond(reply); }

void Session::count_error() { ++state_.errors; }

void Session::enforce_error_limit() {
    if (settings_.max_errors != 0 && state_.errors >= settings_.max_errors && !over_ && !is_busy())
        end_connection(StandardReply::too_many_errors);
}

void Session::write_line(LogLevel level, std::string_view text, std::string_view peer) const {
    const std::string client = client_.address.to_string();
    LogLine line;
    line.level = level;
    line.session = id_;
    if (transaction_) line.transaction = transaction_->id();
    line.text = text;
    line.client = client;
    line.peer = peer;
    log_.write(line);
}

// ---- stages

std::unique_ptr<Stage> Session::make_stage(HookId hook, StageArgument argument) {
    return std::unique_ptr<Stage>(new Stage(hook, std::move(argument), hooks_, services_, clock_, *this));
}

void Session::stage(HookId hook, StageArgument argument) {
    if (!hooks_.has(hook)) return after(hook, argument, Response());
    if (!hooks_.asks(hook)) {
        ChainState chain;
        return run_chain(hook, argument, Answers(), chain);
    }
    stage_ = make_stage(hook, std::move(argument));
    stage_->begin(unread() > 0);
    if (stage_->is_over(at_eof_)) leave_park();
}

/// Runs the chain as far as this thread may; the rest becomes work.
void Session::run_chain(HookId hook, StageArgument& argument, const Answers& answers, ChainState& chain) {
    using Access = ChainState::Access;
    const bool is_resumed = chain.lane != nullptr;
    if (!is_resumed && hand_over(Work::chain, hooks_behind(hook))) {
        if (stage_) return;
        stage_ = make_stage(hook, std::move(argument));
        return stage_->end_wait();
    }
    chain.access = held_lane_ != nullptr ? Access::one_lane : may_wait_ ? Access::any : Access::none;
    if (!is_resumed) chain.lane = held_lane_;
    const int karma = state_.karma;
    const Response response = call_with_context(hook, argument, [&](HookContext& context) {
        ServerAccess::set_answers(context, answers);
        return hooks_.run(context, chain);
    });
    chain.is_late = false;
    if (!hooks_.waits_at().intersects(hooks_behind(hook) | hooks_everywhere)) let_go();
    if (hook == HookId::helo || hook == HookId::ehlo) state_.hello_karma += state_.karma - karma;
    if (chain.lane == nullptr) {
        StageArgument said = std::move(argument);  // the stage may own it
        stage_.reset();
        return after(hook, said, response);
    }
    if (!stage_) {
        stage_ = make_stage(hook, std::move(argument));
        stage_->end_wait();
        stage_->chain() = std::move(chain);
    }
    work_ = Work::chain;
    work_lane_ = stage_->chain().lane;
    is_work_mixed_ = false;  // the chain stops again before a handler of another lane
}

void Session::with_context(HookId hook, StageArgument& argument, const std::function<void(HookContext&)>& call) {
    call_with_context(hook, argument, call);
}

void Session::log_answer(const DnsQuestion& question, const DnsAnswer& answer) const {
    write_log(LogLevel::debug, "dns {}: {}", question, answer);
}

void Session::log_late_task(std::string_view key) const {
    write_log(LogLevel::notice, "task {} did not end in time", key);
}

void Session::leave_park() {
    stage_->end_wait();
    continue_stage();
    enforce_error_limit();
}

/// The stage owns the chain, and is destroyed with it while the response of its last handler is processed.
void Session::continue_stage() {
    if (stage_->hook() == HookId::data_chunk) return after_streams();
    Stage& stage = *stage_;
    run_chain(stage.hook(), stage.argument(), stage.answers(), stage.chain());
}

Step Session::look_at_park() {
    if (has_work() || !stage_->is_over(at_eof_)) return step();
    leave_park();
    if (!over_ && !is_busy()) work_off_backlog();
    return step();
}

/// Runs a hook whose response has no effect.
void Session::notify(HookId hook, StageArgument argument) {
    if (!hooks_.has(hook)) return;
    call_with_context(hook, argument, [&](HookContext& context) { (void)hooks_.run_through(context); });
}

/// Sends the reply that the response requires. True if the stage is over; false if the command takes effect (then
/// `accepted` was sent only if it was given).
bool Session::response_ends_stage(HookId hook, const Response& response, Reply accepted, const Recipient* recipient) {
    StageResult result = apply_response(hook, response, std::move(accepted));
    if (result.proceeds) {
        respond(result.reply);
        return false;
    }
    if (!result.reply.empty() && log_.enabled(LogLevel::info)) log_refusal(hook, result.reply, recipient);
    if (result.disconnects) end_connection(result.reply);
    else respond(result.reply);
    return true;
}

void Session::log_refusal(HookId hook, const Reply& reply, const Recipient* recipient) const {
    std::string who;
    if (transaction_) who += " from=" + quoted(transaction_->sender().path());
    if (recipient != nullptr) who += " to=" + quoted(recipient->address().path());
    else if (hook == HookId::data) who += recipients_text(*transaction_);
    write_log(LogLevel::info, "{} refused{}{} reply=\"{}\"", hook_name(hook), who, rejection_cause(),
              quoted(format_text("{} {}", reply.code, reply.text)));
}

void Session::end_connection(const Reply& last_words) {
    respond(last_words);
    finish();
}

/// The engine's own decision, not the client's QUIT or a plugin's verdict. Logs the reason, because nothing else does.
void Session::end_connection(StandardReply why) {
    const Reply last_words = reply(why);
    write_log(LogLevel::info, "the server ends the session: reply=\"{} {}\"", last_words.code, last_words.text);
    end_connection(last_words);
}

/// Nothing more is done for the client. The final hooks of its plugins may have to be left to another thread.
void Session::finish() noexcept {
    if (over_) return;
    over_ = true;
    exchange_.reset();
    chunk_.reset();
    stage_.reset();
    work_ = Work::none;
    if (!begun_) return;
    HookSet hooks{HookId::disconnect, HookId::post_connection};
    if (transaction_) hooks |= {HookId::reset_transaction};
    if (!hand_over(Work::conclude, hooks)) conclude();
}

/// If memory runs out, a step is skipped (a log line, perhaps), but none of the following ones.
void Session::conclude() noexcept {
    work_ = Work::none;
    const auto try_to = [](auto&& step) {
        try {
            step();
        } catch (const std::bad_alloc&) {}
    };
    try_to([this] { notify(HookId::disconnect); });
    try_to([this] { reset_transaction(); });
    try_to([this] { notify(HookId::post_connection); });
    try_to([this] { tell_history(); });
    try_to([this] {
        write_log(LogLevel::info, "disconnect after {} commands, {} messages, {} errors", commands_, state_.messages,
                  state_.errors);
    });
}

void Session::reset_transaction() {
    if (transaction_) {
        transaction_->pipeline.reset();
        transaction_->intake.reset();
        transaction_->streams.reset();
    }
    chunk_failed_ = false;
    if (transaction_) {
        notify(HookId::reset_transaction);
        transaction_.reset();
        state_.forget_complaints_of_transaction();
        ServerAccess::set_transaction(history_, 0);
    }
    // Also if no transaction followed: after RSET, EHLO and STARTTLS the proxy starts over.
    state_.forwarded.reset();
}

void Session::after(HookId hook, StageArgument& argument, const Response& response) {
    switch (hook) {
        case HookId::connect: return after_connect(response);
        case HookId::helo:
        case HookId::ehlo: return after_hello(hook, std::get<HelloArgument>(argument), response);
        case HookId::auth_plain:
        case HookId::auth_login:
        case HookId::auth_cram_md5:
        case HookId::auth_scram_sha_1:
        case HookId::auth_scram_sha_256:
        case HookId::auth_external:
        case HookId::auth_bearer:
        case HookId::auth: return go_on(exchange_->answered(hook, response));
        case HookId::mail: return after_mail(response);
        case HookId::rcpt: return after_rcpt(std::get<RcptArgument>(argument), response);
        case HookId::data: return after_data(response);
        case HookId::data_post_headers:
        case HookId::data_post:
        case HookId::data_post_rcpt:
        case HookId::queue_pre:
        case HookId::queue: return after_message_stage(response);
        default: return after_simple(hook, response);
    }
}

// ---- configuration values

std::vector<std::string> Session::config(std::string_view name) {
    if (hooks_.has(HookId::config)) {
        std::vector<std::string> values;
        ConfigHook context(HookId::config, *this, name, nullptr, values);
        if (hooks_.run_through(context).verdict == Verdict::ok) return values;
    }
    return hooks_.control_lines(name);
}

std::vector<std::string> Session::config(std::string_view name, const Address& user) {
    if (hooks_.has(HookId::user_config)) {
        std::vector<std::string> values;
        ConfigHook context(HookId::user_config, *this, name, &user, values);
        if (hooks_.run_through(context).verdict == Verdict::ok) return values;
    }
    return config(name);
}

}  // namespace smtpd::engine
