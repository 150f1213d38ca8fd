/// plugin_under_test.h: one plugin in a world made for a test: options as in a configuration, control files, a clock
/// that the test moves, a client, a transaction, a log.
///
///     PluginUnderTest plugin("badrcptto", "reject=yes", {{"badrcptto", "bad@example.com\n"}});
///     const Response answer = plugin.rcpt("bad@example.com");
///     CPPUNIT_ASSERT(answer.verdict == Verdict::deny);
///     CPPUNIT_ASSERT_EQUAL(std::string("fail: bad@example.com is listed"), plugin.log().last());
///
/// A queue plugin can get a message without a session (fakes/parcel.h):
///
///     Parcel parcel("Subject: x\r\n\r\n");
///     const DeliveryResult result = plugin.deliver(parcel.to("user@example.com"));
///
///     plugin.dns({"1.2.0.192.bl.example A 127.0.0.2", "1.2.0.192.slow.example TIMEOUT"});
///
/// The plugin is the built DSO, found in $SMTPD_TEST_PLUGIN_DIR or $SMTPD_TEST_BAD_PLUGIN_DIR, or in the build tree. If
/// the plugin waits at a stage, the clock moves on.
#pragma once

#include "engine/running_task.h"
#include "engine/server_access.h"
#include "engine/transaction_delivery.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_log.h"
#include "fakes/fake_session.h"
#include "fakes/fake_store.h"
#include "fakes/parcel.h"
#include "fakes/temp_directory.h"
#include "host/control_files.h"
#include "host/options.h"
#include "host/plugin_set.h"
#include "net/zone_resolver.h"

#include <smtpd/hooks.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

/// The folder with the plugins of this build.
inline std::string test_plugin_dir() {
    if (const char* const given = std::getenv("SMTPD_TEST_PLUGIN_DIR")) return given;
#ifdef SMTPD_BUILD_DIR
    return SMTPD_BUILD_DIR "/stage/plugins";
#else
    return ".";
#endif
}

/// The folder with the defective plugins of tests/bad_plugins.
inline std::string bad_plugin_dir() {
    if (const char* const given = std::getenv("SMTPD_TEST_BAD_PLUGIN_DIR")) return given;
#ifdef SMTPD_BUILD_DIR
    return SMTPD_BUILD_DIR "/tests/bad_plugins/.libs";
#else
    return ".";
#endif
}

class PluginUnderTest {
public:
    using Files = std::vector<std::pair<std::string, std::string>>;  ///< name and content

    /// Loads the plugin "name" or "name:label". problems() has the mistakes in the plugin or its options; after a
    /// mistake, using the plugin throws.
    explicit PluginUnderTest(std::string_view name, std::string_view options = {}, const Files& control_files = {},
                             std::vector<std::string> plugin_dirs = {test_plugin_dir(), bad_plugin_dir()})
        : PluginUnderTest(name, options, control_files, std::move(plugin_dirs), nullptr, LocalPartCase::insensitive) {}
    /// On a server with that SmtpLocalPartCase.
    PluginUnderTest(std::string_view name, std::string_view options, const Files& control_files, LocalPartCase rule)
        : PluginUnderTest(name, options, control_files, {test_plugin_dir()}, nullptr, rule) {}
    /// The same with a plugin linked into the test: `constexpr auto descriptor =
    /// smtpd::detail::describe<Class>("name");`.
    explicit PluginUnderTest(const PluginDescriptor& plugin, std::string_view options = {},
                             const Files& control_files = {})
        : PluginUnderTest(plugin.name, options, control_files, {}, &plugin, LocalPartCase::insensitive) {}

    // The world
    FakeClock& clock() noexcept { return clock_; }
    FakeLog& log() noexcept { return log_; }
    FakeStore& store() noexcept { return store_; }
    FakeConnection& connection() noexcept { return *connection_; }
    FakeTransaction& transaction() noexcept { return *transaction_; }
    host::PluginSet& plugins() { return usable(); }
    host::PluginCounters& counters() { return usable().instances().front()->counters(); }
    const TempDirectory& directory() const noexcept { return directory_; }  ///< what relative paths are relative to
    /// Problems found while loading, as configtest would print them.
    std::string problems() const {
        std::string out;
        for (const auto& problem : problems_) out += (out.empty() ? "" : "\n") + problem.text;
        return out;
    }
    bool is_usable() const noexcept { return is_usable_; }

    /// Writes a control file; the plugin sees the new content at once.
    void write_control(const std::string& name, std::string_view content) {
        const std::string fresh = control_directory_.write(".new", content);
        std::filesystem::rename(fresh, control_directory_.path(name));
    }
    void remove_control(const std::string& name) { std::filesystem::remove(control_directory_.path(name)); }
    std::string control_path(std::string_view name) const { return control_directory_.path(name); }
    Result<void> child_start() { return usable().child_start(); }

    /// A new client, a new transaction.
    void reconnect() {
        connection_ = std::make_unique<FakeConnection>(clock_, usable_log());
        connection_->other_config = [this](std::string_view name) { return plugins_->control_lines(name); };
        reset();
    }
    void reset() { transaction_ = std::make_unique<FakeTransaction>(); }

    // The stage before a hook: what the plugin wanted to wait for in the last one, and whether the client speaks while
    // it waits.
    const engine::Wait& waited_for() const noexcept { return wait_; }
    /// The plugin's task of that name will not end in time; with "", all tasks will.
    void let_task_be_late(std::string key) { late_task_ = std::move(key); }
    void let_client_speak(bool speaks = true) noexcept { client_speaks_ = speaks; }

    /// Sets the DNS that the plugin sees: records as in a zone file (net/zone_resolver.h), "slow.example TIMEOUT" and
    /// so on. Nothing else exists.
    void dns(std::initializer_list<std::string_view> records) {
        for (const auto record : records)
            if (const auto added = dns_.add(record); !added) throw std::runtime_error(added.error().what);
    }
    /// The questions so far, in order: "1.2.0.192.bl.example A".
    const std::vector<std::string>& questions() const noexcept { return questions_; }

    // Hooks: each runs the chain as the engine does and gives its answer.
    Response pre_connection() { return run_connection(HookId::pre_connection); }
    Response connect() { return run_connection(HookId::connect); }
    Response helo(std::string_view host) { return hello(HookId::helo, Greeted::helo, host); }
    Response ehlo(std::string_view host) { return hello(HookId::ehlo, Greeted::ehlo, host); }
    Response mail_parse(std::string& argument) { return run(ParseHook(HookId::mail_parse, *connection_, argument)); }
    Response rcpt_parse(std::string& argument) { return run(ParseHook(HookId::rcpt_parse, *connection_, argument)); }
    Response helo_parse(std::string& argument) { return run(ParseHook(HookId::helo_parse, *connection_, argument)); }
    Response ehlo_parse(std::string& argument) { return run(ParseHook(HookId::ehlo_parse, *connection_, argument)); }
    /// auth-plain, auth-login, auth-cram-md5 or auth.
    Response auth(HookId id, const Credentials& credentials) { return run(AuthHook(id, *connection_, credentials)); }
    /// AUTH PLAIN at both hooks, in the engine's order.
    Response auth_plain(std::string_view user, std::string_view password) {
        Credentials credentials("PLAIN");
        credentials.set_user(user);
        credentials.set_password(password);
        const Response response = auth(HookId::auth_plain, credentials);
        return response.verdict != Verdict::declined ? response : auth(HookId::auth, credentials);
    }
    /// Ends an exchange of AUTH; `code` is the reply code.
    void auth_result(std::string_view user, int code) {
        Credentials credentials("PLAIN");
        credentials.set_user(user);
        const Reply reply{code, {}, "text"};
        (void)run(AuthResultHook(*connection_, credentials, code == 235, reply));
    }
    Response mail_pre(std::string& path, const Parameters& parameters = {}) {
        return run(PathHook(HookId::mail_pre, *connection_, path, parameters));
    }
    Response rcpt_pre(std::string& path, const Parameters& parameters = {}) {
        return run(PathHook(HookId::rcpt_pre, *connection_, path, parameters));
    }
    /// "" is the null sender.
    Response mail(std::string_view sender) {
        transaction_->set_sender(FakeTransaction::address(sender, local_part_case_));
        return run(MailHook(*connection_, *transaction_));
    }
    /// Adds a recipient with an `ok` to the transaction. "postmaster" needs no domain. `whitelisted`: the reason for
    /// which an earlier handler has exempted it.
    Response rcpt(std::string_view mailbox, std::string whitelisted = {}) {
        const bool is_bare = mailbox.find('@') == std::string_view::npos;
        Recipient recipient(is_bare ? Address::from_parts(std::string(mailbox), {}, local_part_case_)
                                    : FakeTransaction::address(mailbox, local_part_case_),
                            Parameters());
        recipient.set_whitelisted(std::move(whitelisted));
        Response response = run(RcptHook(*connection_, *transaction_, recipient));
        if (response.verdict == Verdict::ok) transaction_->recipients().push_back(std::move(recipient));
        return response;
    }
    Response data() { return run_message(HookId::data); }
    /// Begins a message: its streams get each of the pieces.
    void begin_streams() {
        MessageHook hook(HookId::data_chunk, *connection_, *transaction_);
        streams_ = usable().observe_message(hook);
    }
    void data_chunk(std::string_view chunk) {
        for (const auto& stream : streams_) stream->chunk(chunk);
    }
    /// Ends the message, complete or not.
    void end_streams() {
        for (const auto& stream : streams_) stream->end();
        streams_.clear();
    }
    void abort_streams() {
        for (const auto& stream : streams_) stream->abort();
        streams_.clear();
    }
    Response data_headers_end() { return run_message(HookId::data_headers_end); }
    Response data_post_headers() { return run_message(HookId::data_post_headers); }
    Response received_line(std::string_view protocol, std::string& value) {
        return run(ReceivedLineHook(*connection_, *transaction_, protocol, value));
    }
    Response data_post() { return run_message(HookId::data_post); }
    /// The same with that message.
    Response data_post(std::string_view message) {
        transaction_->set_message(message);
        return data_post();
    }
    /// One of transaction().recipients(), with the current message.
    Response data_post_rcpt(std::size_t index = 0) {
        return run(DataPostRcptHook(*connection_, *transaction_, transaction_->recipients().at(index)));
    }
    Response queue_pre() { return run_message(HookId::queue_pre); }
    /// A session's message: transaction().refused_recipients() has the recipients whose fate differs from the response.
    Response queue() {
        Response response = run(engine::TransactionDelivery(*connection_, *transaction_));
        ServerAccess::move_refused(*transaction_);
        return response;
    }
    Response queue(std::string_view message) {
        transaction_->set_message(message);
        return queue();
    }
    /// A message without a session. The result has a fate for each of parcel.recipients.
    DeliveryResult deliver(const Parcel& parcel) {
        Delivery delivery = parcel.delivery(clock_, usable_log());
        (void)run(delivery);
        return ServerAccess::result(delivery);
    }
    Response queue_post(std::string_view reply_text) {
        return run(QueuePostHook(*connection_, *transaction_, reply_text));
    }
    Response reset_transaction() { return run_message(HookId::reset_transaction); }
    Response vrfy(std::string_view argument) { return run(CommandHook(HookId::vrfy, *connection_, argument)); }
    Response noop(std::string_view argument = {}) { return run(CommandHook(HookId::noop, *connection_, argument)); }
    Response help(std::string_view argument = {}) { return run(CommandHook(HookId::help, *connection_, argument)); }
    Response unrecognized_command(std::string_view verb, std::string_view argument = {}) {
        return run(UnrecognizedHook(*connection_, verb, argument));
    }
    Response quit() { return run_connection(HookId::quit); }
    Response disconnect() { return run_connection(HookId::disconnect); }
    Response post_connection() { return run_connection(HookId::post_connection); }
    Response config(std::string_view name, std::vector<std::string>& values) {
        return run(ConfigHook(HookId::config, *connection_, name, nullptr, values));
    }
    Response user_config(std::string_view name, const Address& user, std::vector<std::string>& values) {
        return run(ConfigHook(HookId::user_config, *connection_, name, &user, values));
    }
    /// A line for logging plugins.
    void write_log(const LogLine& line) { usable().log().write(line); }

    /// Any hook: asks, waits, runs.
    template <class Hook>
    Response run(Hook&& hook) {
        host::PluginSet& set = usable();
        wait_ = {};
        if (set.asks(hook.hook)) ask(set, hook);
        const bool spoke = wait_.silence.count() > 0 && (client_speaks_ || connection_->unread() > 0);
        const Duration waited = spoke ? wait_.delay : std::max(wait_.delay, wait_.silence);
        clock_.advance(waited);
        ServerAccess::set_answers(hook, Answers(spoke, waited, answers_, task_results_));
        engine::ChainState state;
        state.wait = wait_;
        state.access = engine::ChainState::Access::any;
        return set.run(hook, state);
    }

private:
    PluginUnderTest(std::string_view name, std::string_view options, const Files& control_files,
                    std::vector<std::string> plugin_dirs, const PluginDescriptor* built_in, LocalPartCase rule)
        : control_({control_directory_.path()}, clock_, log_, Duration(0)), local_part_case_(rule) {
        control_.set_local_part_case(rule);
        for (const auto& [file, content] : control_files) write_control(file, content);
        host::Environment environment;
        environment.plugin_dirs = std::move(plugin_dirs);
        if (built_in) environment.built_in = {built_in};
        environment.control = &control_;
        environment.server_name = "mx.example.com";
        environment.clock = &clock_;
        environment.log = &log_;
        environment.stores = &store_;
        environment.resolve_path = [this](std::string_view path) {
            return path.starts_with('/') ? std::string(path) : directory_.path(path);
        };
        host::PluginLine line;
        host::split_instance(name, line.name, line.label);
        auto words = host::split_option_words(options);
        if (!words) throw std::runtime_error(words.error().what);
        line.words = std::move(*words);
        plugins_ = host::PluginSet::build({line}, environment, problems_);
        is_usable_ = std::none_of(problems_.begin(), problems_.end(),
                                  [](const host::Problem& problem) { return problem.is_error; });
        control_.started();
        connection_ = std::make_unique<FakeConnection>(clock_, plugins_->log());
        connection_->other_config = [this](std::string_view wanted) { return plugins_->control_lines(wanted); };
        reset();
    }

    host::PluginSet& usable() {
        if (!is_usable_) throw std::runtime_error("the plugin could not be loaded: " + problems());
        return *plugins_;
    }
    LogSink& usable_log() { return usable().log(); }

    /// The rounds of a stage. Answers and results of tasks arrive at once; the clock does not move for missing ones.
    void ask(host::PluginSet& set, HookContext& hook) {
        answers_ = std::make_shared<DnsAnswers>();
        task_results_ = std::make_shared<TaskResults>();
        do {
            wait_.questions.clear();
            wait_.tasks.clear();
            ServerAccess::set_answers(hook, Answers(false, Duration(0), answers_, task_results_));
            set.ask(hook, wait_);
            for (auto& task : wait_.tasks) run_task(std::move(task));
            for (const auto& [question, limit] : wait_.questions) {
                questions_.push_back(question.to_string());
                answers_->add(question, dns_.answer(question).value_or(DnsAnswer(DnsStatus::timed_out)));
            }
        } while (!wait_.questions.empty() || !wait_.tasks.empty());
    }

    void run_task(engine::Wait::Task task) {
        engine::RunningTask running(std::move(task.work), clock_.now() + task.limit, clock_);
        if (task.name.key != late_task_) running.run();
        task_results_->add(task.name.instance, std::move(task.name.key), running.result());
    }

    Response run_connection(HookId hook) { return run(ConnectionContext(hook, *connection_)); }
    Response run_message(HookId hook) {
        if (traits(hook).has(HookTraits::refuses_recipients))
            return run(DataPostHook(hook, *connection_, *transaction_));
        return run(MessageHook(hook, *connection_, *transaction_));
    }
    Response hello(HookId hook, Greeted greeted, std::string_view host) {
        Response response = run(HelloHook(hook, *connection_, host, {}));
        if (!is_denial(response.verdict)) connection_->set_greeted(greeted, std::string(host));
        return response;
    }

    FakeClock clock_;
    FakeLog log_;
    FakeStore store_{clock_};
    TempDirectory directory_;
    TempDirectory control_directory_;
    host::DirectoryControlFiles control_;
    const LocalPartCase local_part_case_;
    host::Problems problems_;
    bool is_usable_ = false;
    std::unique_ptr<host::PluginSet> plugins_;  ///< before the session: notes may hold objects of the plugins
    engine::Wait wait_;
    net::ZoneResolver dns_;
    std::vector<std::string> questions_;
    std::shared_ptr<DnsAnswers> answers_;
    std::shared_ptr<TaskResults> task_results_;
    engine::MessageObservers streams_;
    std::string late_task_;
    bool client_speaks_ = false;
    std::unique_ptr<FakeConnection> connection_;
    std::unique_ptr<FakeTransaction> transaction_;
};

}  // namespace smtpd::fakes
