/// session.h: the SMTP state machine (RFC 5321), without sockets, threads or clocks of its own: octets go in, octets
/// and the next action come out.
///
/// Its driver (httpd's connection driver, a test, a fuzzer) calls start() once, then feed() with the input. After each
/// call it sends the content of output() and does what the returned Step says. Calls must not overlap, but they may
/// come from different threads. The session calls plugins through a HookRunner; plugins see the Session as their
/// Connection.
///
/// The session contains the line loop and the lifetime of the connection. It sends replies, calls plugins, and writes
/// the log. Parts with state of their own are separate objects, which the session owns and asks what to do: Stage (a
/// hook that is waited for), ClientState (what is known about the client), AuthExchange, MessageIntake and
/// MessagePipeline. Which command is allowed when is a table (command_table.h). The session's side of each part has its
/// own file: session_commands.cc, session_tls.cc, session_proxy.cc, session_auth.cc, session_data.cc, session_chunks.cc
/// (BDAT), session_results.cc, session_work.cc, session_history.cc.
#pragma once

#include "engine/auth_exchange.h"
#include "engine/auth_offer.h"
#include "engine/client_state.h"
#include "engine/command_table.h"
#include "engine/final_replies.h"
#include "engine/hook_runner.h"
#include "engine/mail_parameters.h"
#include "engine/mail_transaction.h"
#include "engine/message_intake.h"
#include "engine/message_pipeline.h"
#include "engine/message_streams.h"
#include "engine/replies.h"
#include "engine/services.h"
#include "engine/settings.h"
#include "engine/stage.h"
#include "smtp/client_attributes.h"
#include "smtp/command.h"
#include "smtp/line_splitter.h"

#include <smtpd/connection.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace smtpd::engine {

enum class Step {
    need_input,  ///< send the output, then feed() the next input
    more,        ///< send the output, then call resume(): more input is available than may be answered at once
    start_tls,   ///< send the output unencrypted, make the handshake, then call tls_started() or tls_failed(); do not
                 ///< call feed() meanwhile
    park,   ///< send the output, then call resume() at wake_at() or when the NameService has all answers; feed() input
            ///< meanwhile
    close,  ///< send the output and close
    /// Call try_work(). If work is left, send the output, then call do_work() on a thread that may block and has a slot
    /// in work_lane(); do not call feed() meanwhile.
    work
};

/// Why the driver ends a session.
enum class Interruption {
    idle_timeout,
    session_timeout,
    too_slow,
    shutting_down,
    overloaded,
    too_many_sessions,
    internal_error
};

/// What a session is created with: who is connected, and what the server knows about the connection.
struct Peer {
    std::string id;
    Endpoint client;
    Endpoint local;
    std::string host;  ///< by reverse DNS, "" if not looked up
    std::uint32_t sessions_of_client = 0;
    std::string tls_protocol;
    std::string tls_cipher;
    bool is_dry_run = false;  ///< a simulated session: plugins are told that no client is connected
    std::string nonce;        ///< the basis of AUTH challenges, for reproducible tests; "" = unpredictable
};

/// The state shown on a status page.
enum class Phase : std::uint8_t { connecting, greeting, command, transaction, receiving, waiting, handshake, closing };
std::string_view phase_name(Phase phase) noexcept;

/// A base class of Session, so that it is constructed before the Connection that refers to it.
struct HasClientState {
    ClientState state_;
};

/// One session. See above for the protocol of calls.
class Session final : private HasClientState, public Connection, private MessageIntake::Observer, private StageOwner {
public:
    /// All objects referred to must outlive the session.
    Session(const Settings& settings, HookRunner& hooks, const Clock& clock, LogSink& log, Peer peer,
            Services services = {});
    ~Session() override;

    /// Instead of start(): the connection begins with a handshake, and the session with tls_started().
    Step expect_tls();
    /// The handshake is complete. Forgets everything that the client said before. SCRAM-…-PLUS uses `bindings`.
    Step tls_started(Tls facts, smtp::ChannelBindings bindings = {});
    /// The handshake failed; `why` is for the log. The session is over.
    Step tls_failed(std::string_view why);
    /// The connection was accepted: pre_connection and connect hooks, then the greeting.
    Step start();
    /// Passes octets from the client, in order.
    Step feed(std::string_view octets);
    /// The time of wake_at() has come, or the output of `more` was sent.
    Step resume();
    /// The client will send nothing more; input received before is still answered.
    Step end_of_input();
    /// The connection is lost: nothing can be sent any more, and unread input is discarded.
    Step abandon();
    /// Sends the reason with a 421 and ends the session. The connection may already be lost.
    Step interrupt(Interruption why);
    /// The server is about to stop: the session ends with a 421 at the next command outside a transaction, or now if it
    /// is idle.
    Step stop_soon();
    /// The driver's next action: the result of the last call, or of the end of the client's input since then.
    Step next_step() { return step(); }
    /// After Step::work, when the thread has a slot in the lane: does the work. The connection may be lost.
    Step do_work();
    /// The same on a thread that must not block, as far as the lane is free (support::Lane::try_hold()). False if work
    /// is left that needs another thread.
    bool try_work();
    /// Instead of do_work(): work_deadline() has passed. On any thread.
    Step give_up_work();
    support::Lane& work_lane() const noexcept { return *work_lane_; }
    MonotonicTime work_deadline() const noexcept {
        return work_ == Work::chain && stage_->chain().lane ? stage_->chain().deadline : MonotonicTime::max();
    }
    bool has_work() const noexcept { return work_ != Work::none; }

    std::string& output() noexcept { return output_; }  ///< the driver sends and clears it
    MonotonicTime wake_at() const noexcept { return is_parked() ? stage_->wake_at() : MonotonicTime(); }
    /// Nothing is left to do, not even work.
    bool is_over() const noexcept { return over_ && !has_work(); }
    bool is_parked() const noexcept { return stage_ && !has_work(); }
    bool is_shaking_hands() const noexcept { return handshake_ && !over_; }
    /// The session is parked, and not only until a time: questions are pending.
    bool awaits_answers() const noexcept { return is_parked() && stage_->awaits_answers(); }
    /// All answers have come. Another thread may call this while the one that owns the session waits.
    bool has_all_answers() const noexcept { return is_parked() && stage_->has_all_answers(); }
    bool backlog_is_full() const noexcept { return backlog_.size() >= settings_.max_input_backlog; }
    bool is_at_end_of_input() const noexcept { return at_eof_; }
    Phase phase() const noexcept;
    smtp::Verb last_command() const noexcept { return last_verb_; }
    /// DATA, or a chunk of BDAT, has been in progress since then, and this many octets have come.
    struct Progress {
        bool receiving = false;
        MonotonicTime since;
        std::uint64_t octets = 0;
    };
    Progress progress() const noexcept;

    // Connection
    void send(const Reply& reply) override;
    void add_capability(std::string line) override { state_.capabilities.push_back(std::move(line)); }
    std::vector<std::string> config(std::string_view name) override;
    std::vector<std::string> config(std::string_view name, const Address& user) override;
    std::size_t unread() const noexcept override {
        return chunk_ ? 0 : rest_.size() + backlog_.size();
    }  // a chunk may come with its command
    const Clock& clock() const noexcept override { return clock_; }
    LogSink& log() const noexcept override { return log_; }

private:
    void begin();

    // session.cc: input and output
    Step step();
    void keep(std::string_view octets);
    void work_off(std::string_view octets);
    void work_off_backlog();
    void process();
    bool next_command();
    bool is_foreign_protocol() const noexcept;
    void refuse_line(std::string_view line, StandardReply why);
    void put(const Reply& reply);
    void respond(const Reply& reply);
    void respond(StandardReply what) { respond(reply(what)); }
    void count_error();
    void enforce_error_limit();
    void finish() noexcept;
    void write_line(LogLevel level, std::string_view text, std::string_view peer) const;
    void write_log(LogLevel level, std::string_view text) const { write_line(level, text, {}); }
    template <class... Arguments>
    void write_log(LogLevel level, PatternFor<Arguments...> pattern, const Arguments&... arguments) const {
        if (log_.enabled(level)) write_log(level, format_text(pattern, arguments...));
    }

    // session.cc: stages. A stage runs the ask handlers of a hook, perhaps waits, then runs the chain, and continues in
    // after().
    void stage(HookId hook, StageArgument argument = {});
    std::unique_ptr<Stage> make_stage(HookId hook, StageArgument argument = {});
    void run_chain(HookId hook, StageArgument& argument, const Answers& answers, ChainState& chain);
    void after(HookId hook, StageArgument& argument, const Response& response);
    template <class F>
    std::invoke_result_t<F, HookContext&> call_with_context(HookId hook, StageArgument& argument, F&& call);
    void with_context(HookId hook, StageArgument& argument, const std::function<void(HookContext&)>& call) override;
    void log_answer(const DnsQuestion& question, const DnsAnswer& answer) const override;
    void log_late_task(std::string_view key) const override;
    bool may_ask_for_silence() const noexcept override {
        return !chunk_;
    }  // a chunk comes with its command, and more may follow it (RFC 3030 4.2)
    void leave_park();
    void continue_stage();
    Step look_at_park();

    // session_work.cc: work, which requires a thread that may block
    enum class Work : std::uint8_t {
        none,
        begin,        ///< the hooks of a new connection
        command,      ///< the line in deferred_line_
        input,        ///< input that has arrived
        chain,        ///< stage_'s chain
        encrypted,    ///< TLS has started: a transaction ends
        message_end,  ///< the message is complete or aborted
        conclude      ///< the hooks at the end of a connection
    };
    static constexpr HookSet hooks_everywhere = hooks_where(
        [](const HookTraits& row) { return row.has(HookTraits::within_others); });
    bool hand_over(Work work, HookSet hooks) noexcept;
    void let_go() noexcept;
    Step do_work(bool may_wait);
    void do_work(Work work, bool may_wait);
    /// Hooks that run directly at the end of a message, without a stage.
    static constexpr HookSet end_of_message_hooks{HookId::reset_transaction, HookId::queue_post, HookId::received_line};
    bool is_busy() const noexcept { return stage_ || has_work(); }
    HookSet hooks_of(smtp::Verb verb) const noexcept;
    HookSet hooks_behind(HookId stage) const noexcept;
    void notify(HookId hook, StageArgument argument = {});
    bool response_ends_stage(HookId hook, const Response& response, Reply accepted = {},
                             const Recipient* recipient = nullptr);
    void log_refusal(HookId hook, const Reply& reply, const Recipient* recipient = nullptr) const;
    void end_connection(const Reply& last_words);
    void conclude() noexcept;
    void end_of_message_input();
    void end_connection(StandardReply why);
    void reset_transaction();

    // session_proxy.cc
    std::optional<smtp::ClientAttributes> attributes_of(smtp::AttributeCommand command, std::string_view rest);
    void xforward(std::string_view rest);
    void xclient(std::string_view rest);
    void become(const smtp::ClientAttributes& attributes);

    // session_history.cc
    void remember_reply(const Reply& reply) noexcept;
    std::string rejection_cause() const;
    void tell_history() const;

    // session_commands.cc
    void command(std::string_view line);
    void dispatch(std::string_view line);
    Situation situation() const noexcept;
    struct Action {
        smtp::Verb verb;
        void (Session::*run)(std::string_view rest);
    };
    static const Action actions[];
    void unrecognized(const smtp::Command& command);
    void helo(std::string_view rest) { hello(false, rest); }
    void ehlo(std::string_view rest) { hello(true, rest); }
    void rset(std::string_view rest);
    void quit(std::string_view rest);
    void noop(std::string_view rest);
    void help(std::string_view rest);
    void hello(bool extended, std::string_view rest);
    void mail(std::string_view rest);
    void rcpt(std::string_view rest);
    void data(std::string_view rest);
    void after_connect(const Response& response);
    void after_hello(HookId hook, const HelloArgument& argument, const Response& response);
    void after_mail(const Response& response);
    void after_rcpt(RcptArgument& argument, const Response& response);
    void after_data(const Response& response);
    void after_simple(HookId hook, const Response& response);
    void vrfy(std::string_view rest);
    bool rewritten(HookId hook, std::string_view& argument, std::string& storage);
    bool offers(Extension extension) const;
    ExtensionSet offered() const;
    ParameterRules parameter_rules() const;
    AddressSyntax address_syntax(bool is_smtputf8) const noexcept;
    bool takes_one_recipient() const noexcept;
    bool has_room_for_recipient(const Address& address);
    Reply hello_reply(HookId hook);
    std::string announcement(Extension extension) const;
    std::string_view showable(std::string_view line);

    // session_tls.cc
    bool offers_tls() const noexcept;
    void starttls(std::string_view rest);
    void refuse_early_octets();
    void forget_clear_text();
    void log_tls() const;

    // session_auth.cc
    AuthOffer auth_offer() const noexcept;
    bool is_auth_offered() const {
        return state_.greeted == Greeted::ehlo && situation().allows_auth() && !auth_offer().empty();
    }
    void auth(std::string_view rest);
    void begin_exchange(std::string_view argument);
    void go_on(AuthExchange::Next next);
    void challenge(std::string_view octets);
    void auth_response(const smtp::LineSplitter::Line& line);
    void conclude_exchange(AuthExchange::Result result);
    void tell_result(bool is_authenticated, const Reply& reply);
    void log_auth_failure(const Reply& reply) const;
    smtp::ScramServer scram_server(std::string_view mechanism) const;
    std::size_t line_limit() const;
    bool is_too_long(std::string_view command) const noexcept;
    std::string nonce();

    // session_chunks.cc
    void bdat(std::string_view rest);
    void after_chunk_data(const Response& response);
    void begin_chunks();
    void refuse_chunk(Reply refusal);
    void receive_chunk();
    void end_of_chunk();
    void answer_refused_chunk(const Chunk& chunk);

    // session_data.cc
    const MessageIntake* intake() const noexcept {
        return transaction_ && transaction_->intake ? &*transaction_->intake : nullptr;
    }
    bool is_receiving() const noexcept { return chunk_ || (intake() && intake()->is_receiving()); }
    void begin_message(MessageIntake::Source source);
    void receive();
    void message_octets(std::string_view piece) override;
    StageResult header_arrived() override;
    void log_defect() const;
    void record_fault();
    void end_of_data();
    void complete_submission();
    const std::string& authserv_id() const noexcept {
        return settings_.authserv_id.empty() ? server_name_ : settings_.authserv_id;
    }
    static constexpr std::string_view no_authserv_id = "none";  ///< the field is neither added nor examined
    void add_trace_fields();
    void add_authentication_results();

    // session_results.cc
    void judge_message();
    void begin_pipeline();
    bool wait_for_streams();
    void after_streams();
    void run_pipeline();
    void after_message_stage(const Response& response);
    void conclude_message(MessagePipeline::Result result);
    void log_result(const Reply& told, bool has_own_reason) const;
    ReplyRules reply_rules() const noexcept;
    void tell(const FinalReplies& replies, bool has_own_reason);
    void respond_to_each(const std::vector<Reply>& replies);
    void end_refused_message();

    const Settings& settings_;
    HookRunner& hooks_;
    const Clock& clock_;
    LogSink& log_;
    const Services services_;

    // Input and output
    std::string output_;
    std::string backlog_;    ///< received, but not processed yet
    std::string_view rest_;  ///< the same, for the current call
    smtp::LineSplitter lines_;
    bool begun_ = false;
    bool over_ = false;
    bool at_eof_ = false;
    bool stopping_ = false;
    smtp::Verb last_verb_ = smtp::Verb::unknown;

    // Waiting
    std::unique_ptr<Stage> stage_;  ///< the parked stage, or the one whose chain has reached a handler that blocks
    Work work_ = Work::none;
    std::string deferred_line_;
    support::Lane* work_lane_ = nullptr;
    support::Lane* held_lane_ = nullptr;  ///< in which the calling thread has a slot, or which it holds
    bool is_work_mixed_ = false;          ///< the work also waits in other lanes
    bool may_wait_;                       ///< the calling thread may block

    // STARTTLS
    bool handshake_ = false;  ///< the driver is performing it
    // XCLIENT, XFORWARD
    std::optional<Endpoint> proxy_;  ///< who connected, if trusted to speak for others

    // AUTH
    std::unique_ptr<AuthExchange> exchange_;  ///< in progress, or being decided
    std::string nonce_;

    // BDAT
    std::optional<Chunk> chunk_;  ///< the command was read, its octets follow
    bool chunk_failed_ = false;   ///< a chunk was refused, and the client may not know it yet

    // Transaction
    std::uint32_t transactions_ = 0;
    /// A transaction with the parts that its message needs. Idle sessions do not occupy their memory.
    struct OpenTransaction final : MailTransaction {
        using MailTransaction::MailTransaction;
        std::optional<MessageStreams> streams;    ///< of its message, if any plugin observes it
        std::optional<MessageIntake> intake;      ///< of its message, from 354 or the first chunk on
        std::optional<MessagePipeline> pipeline;  ///< of its message, when that is complete
    };
    std::unique_ptr<OpenTransaction> transaction_;
    std::uint32_t surplus_recipients_ = 0;
    bool is_in_pipeline_ = false;  ///< the pipeline's loop continues when the stage is over
};

}  // namespace smtpd::engine
