/// plugin.h: all that a plugin needs.
///
///     class NoMondays final : public smtpd::PolicyPlugin {
///     public:
///         explicit NoMondays(smtpd::Setup& setup) {
///             setup.hooks.mail.decide([](const smtpd::MailHook& hook) { return is_monday(hook.clock().wall()) ?
///             smtpd::fail("monday") : smtpd::pass(); });
///         }
///     };
///     SMTPD_PLUGIN("no_mondays", NoMondays);
///
/// One plugin is one source file and one DSO. The object is made once per `SmtpPlugin` line while the configuration is
/// read (also by `apachectl configtest`), so a constructor must have no effect outside itself; what has to happen in
/// the serving process goes into child_start(). All threads of a child share the object.
#pragma once

#include <smtpd/auth/password_check.h>
#include <smtpd/backend/sql.h>
#include <smtpd/base/api.h>
#include <smtpd/control.h>
#include <smtpd/hooks.h>
#include <smtpd/options.h>
#include <smtpd/store/store.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace smtpd {

/// How a policy plugin starts out; every instance can change it with its options of the same meaning.
struct PolicyDefaults {
    enum class Reject : std::uint8_t { no, yes, naughty };
    enum class OnError : std::uint8_t { accept, tempfail };

    Reject reject = Reject::yes;  ///< reject=
    /// reject_type= perm, temp, disconnect, temp_disconnect. `declined`: not said, which is perm, and leaves a deferred
    /// refusal to `naughty`.
    Verdict reject_type = Verdict::declined;
    OnError onerror = OnError::accept;  ///< onerror=
    int karma_fail = 0;                 ///< karma_fail=: points for each fail
    int karma_pass = 0;                 ///< karma_pass=
    /// Exempt clients, senders and recipients (SessionContext::exemption()) are not judged. What the plugin has against
    /// a client about which there is a complaint already is not told: it becomes another complaint. False: everybody is
    /// judged, and told at once.
    bool exempts_immune = true;
};

/// The words of `reject_type`, for options that say the same.
inline std::vector<std::pair<std::string, Verdict>> refusal_words() {
    return {{"perm", Verdict::deny},
            {"temp", Verdict::denysoft},
            {"disconnect", Verdict::deny_disconnect},
            {"temp_disconnect", Verdict::denysoft_disconnect},
            {"hard", Verdict::deny},
            {"soft", Verdict::denysoft}};
}

/// A file that a plugin uses, and what for: configtest checks permissions and dangerous content. A path without a slash
/// is the name of a control file. (The server knows by itself which control files its children read.)
struct FileUse {
    enum class Kind : std::uint8_t {
        reads,          ///< the serving process reads it
        appends,        ///< the serving process adds lines to it, and makes it, and the directory above it, if missing
        fills,          ///< a directory in which the serving process makes files; made if only itself is missing
        passwords,      ///< has passwords or keys: nobody but the server should read it
        own_domains,    ///< a control file with the domains that mail is accepted for
        relay_networks  ///< a control file with the networks whose clients may relay
    };
    Kind kind = Kind::reads;
    std::string path;
};

/// What a plugin is given while it is made.
class SMTPD_API Setup {
public:
    virtual ~Setup() = default;

    Hooks hooks;

    virtual const std::string& name() const noexcept = 0;         ///< "queue/maildir"
    virtual const std::string& instance() const noexcept = 0;     ///< "queue/maildir:archive"
    virtual const std::string& server_name() const noexcept = 0;  ///< qpsmtpd's `me`
    virtual ControlFiles& control() = 0;
    virtual const Clock& clock() const noexcept = 0;
    virtual LogSink& log() const noexcept = 0;
    /// The server's own log (httpd's ErrorLog), whatever logging plugins there are: what a logging plugin hands on to,
    /// or falls back to.
    virtual LogSink& server_log() const noexcept = 0;
    /// What this instance's `reject`, `reject_type`, … came to. A constructor may change it: for options that mean the
    /// same in other words.
    virtual PolicyDefaults& policy() noexcept = 0;
    /// This server will serve nobody: an administrator tries out what would happen. See Connection::is_dry_run(); in
    /// child_start() the same holds.
    virtual bool is_dry_run() const noexcept = 0;
    /// Resolves a path from the configuration: `~`, and relative to the server's root.
    virtual std::string path(std::string_view from_configuration) const = 0;
    /// The site's own check of passwords of that name ("" = the one without a name): `<SmtpAuth>` under httpd. Null,
    /// with an error(), where there is none.
    virtual const PasswordCheck* password_check(std::string_view name) = 0;
    /// A query to the site's database (mod_dbd under httpd), each %s in it a parameter. Null, with an error(), where
    /// there is no database.
    virtual const SqlQuery* sql_query(std::string_view statement) = 0;
    /// A namespace of the store, with values of type T. The store can be used from child_start() on; in handlers, as
    /// `hook.store(space)`.
    template <class T = std::string>
    Store<T> store(std::string_view name) {
        return Store<T>(store_space(name));
    }

    /// Says that this instance uses a file, so that configtest can check it.
    virtual void uses(FileUse use) = 0;

    /// A mistake in this instance's configuration: the server does not start, configtest names file and line. More than
    /// one may be reported.
    template <class... Arguments>
    void error(PatternFor<Arguments...> pattern, const Arguments&... arguments) {
        report(true, format_text<Arguments...>(pattern, arguments...));
    }
    /// Doubtful, but the server starts.
    template <class... Arguments>
    void warning(PatternFor<Arguments...> pattern, const Arguments&... arguments) {
        report(false, format_text<Arguments...>(pattern, arguments...));
    }

protected:
    Setup(HookRegistrar& registrar, std::vector<std::pair<LogLevel, std::function<void(const LogLine&)>>>& log_sinks)
        : hooks(registrar, log_sinks) {}
    virtual void report(bool is_error, std::string text) = 0;
    virtual StoreSpace& store_space(std::string_view name) = 0;
};

/// A plugin that looks at no message's body says so with `static constexpr bool reads_body = false;`. Where that is
/// true of all plugins with handlers from data_headers_end to queue_post, bodies are counted and checked while they
/// arrive, but not kept.
///
/// One that calls DataPostHook::refuse() says `static constexpr bool judges_recipients = true;`, and PRDR is offered.
/// So does a queue plugin that may deliver to some recipients and not to others, in other words: `static constexpr bool
/// delivers_to_each = true;`. Where that depends on its options, it has a function of that name: `static bool
/// delivers_to_each(const Options& options) noexcept`. A handler at data_post_rcpt says so by itself. A queue plugin
/// that informs the sender itself about Delivery::turned_away() says `static constexpr bool sends_bounces = true;`,
/// which `SmtpMixedResults split` needs.
///
/// Three more facts are for the checks of configtest, and each may be a function of the options as well. A plugin that
/// has a handler with verdicts at rcpt and never answers `ok` says `static constexpr bool accepts_recipients = false;`.
/// A queue plugin that never returns not_mine(), so that no queue plugin after it is asked, says `static constexpr bool
/// takes_every_message = true;`. A plugin that refuses clients because of complaints about them, as naughty does,
/// says `static constexpr bool settles_complaints = true;`. Files that it uses are declared with Setup::uses().
///
/// One that waits for something other than the DNS (a socket, a database, a program, the disk) says so with `static
/// constexpr bool waits_for_backend = true;`, or, if only some of its handlers wait, `static constexpr HookSet
/// waits_for_backend{HookId::rcpt, HookId::disconnect};`. Where that depends on its options, it has a function of that
/// name: `static HookSet waits_for_backend(const Options& options) noexcept`. Such handlers are called in threads of
/// their own, so that they never delay clients of others, and no more than `concurrency` of them at a time, an option
/// that such plugins have. One whose ask handlers have tasks (task.h) says `static constexpr bool runs_tasks = true;`.
/// A plugin that opens a namespace of the store says with `static constexpr HookSet uses_store_at{…};` which of its
/// handlers use it; without that, all are taken to do so.
class SMTPD_API Plugin {
public:
    virtual ~Plugin();
    /// Once in every serving process, after it has changed to its user: the place for threads, sockets, log files
    /// (qpsmtpd's post-fork).
    virtual void child_start() {}

protected:
    Plugin() = default;
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;
};

/// A plugin whose handlers give findings. It has the options reject, reject_type, onerror, karma_fail and karma_pass
/// without mentioning them; other starting values than PolicyDefaults' come from `static constexpr PolicyDefaults
/// policy_defaults{…};` in the class.
class SMTPD_API PolicyPlugin : public Plugin {
public:
    ~PolicyPlugin() override;
};

/// What a DSO exports: the symbol `smtpd_plugin`. The first two members never move.
struct PluginDescriptor {
    std::uint32_t magic;    ///< api_magic
    std::uint32_t version;  ///< api_version
    const char* name;
    bool is_policy;
    bool reads_body;     ///< whether its handlers look at more of a message than its header fields
    bool sends_bounces;  ///< whether, delivering, it informs the sender about those
    PolicyDefaults defaults;
    OptionTable (*options)();  ///< may throw
    void* (*make_options)();   ///< an Options with its initial values; null where the plugin has none
    void (*free_options)(void* options);
    bool (*judges_recipients)(const void* options) noexcept;  ///< whether its handlers may refuse single recipients
                                                              ///< after DATA
    /// Whether it may deliver to some recipients, and not to others.
    bool (*delivers_to_each)(const void* options) noexcept;
    bool (*accepts_recipients)(const void* options) noexcept;   ///< whether a verdict of it at rcpt may be `ok`
    bool (*takes_every_message)(const void* options) noexcept;  ///< whether no queue plugin after it is ever asked
    bool (*settles_complaints)(const void* options) noexcept;   ///< whether it refuses clients for their complaints
    /// With some options, at some hook, or in a task: it has the option concurrency.
    bool may_wait;
    bool runs_tasks;                                             ///< its ask handlers have tasks
    HookSet (*waits_for_backend)(const void* options) noexcept;  ///< where its handlers wait for something other than
                                                                 ///< the DNS
    HookSet uses_store_at;                                       ///< where they use the store, if it opens a namespace
    Plugin* (*create)(Setup& setup, const void* options);        ///< may throw
    void (*destroy)(Plugin* plugin);
};

namespace detail {

template <class P>
concept HasOptions = requires {
    typename P::Options;
};

constexpr HookSet hook_set(bool everywhere) noexcept { return everywhere ? HookSet::all() : HookSet(); }
constexpr HookSet hook_set(HookSet hooks) noexcept { return hooks; }

/// A function of the options that gives a fact about plugin P: P's constant of that name, its function of that name, or
/// `otherwise`.
#define SMTPD_PLUGIN_FACT(fact, otherwise)                                                      \
    descriptor.fact = [](const void* options) noexcept -> bool {                                \
        if constexpr (requires { P::fact(*static_cast<const typename P::Options*>(options)); }) \
            return P::fact(*static_cast<const typename P::Options*>(options));                  \
        else if constexpr (requires { P::fact; }) return P::fact;                               \
        else return otherwise;                                                                  \
    }

template <class P>
consteval PluginDescriptor describe(const char* name) {
    PluginDescriptor descriptor{};
    descriptor.magic = api_magic;
    descriptor.version = api_version;
    descriptor.name = name;
    descriptor.is_policy = std::is_base_of_v<PolicyPlugin, P>;
    descriptor.reads_body = true;
    if constexpr (requires { P::reads_body; }) descriptor.reads_body = P::reads_body;
    SMTPD_PLUGIN_FACT(judges_recipients, false);
    SMTPD_PLUGIN_FACT(delivers_to_each, false);
    SMTPD_PLUGIN_FACT(accepts_recipients, true);
    SMTPD_PLUGIN_FACT(takes_every_message, false);
    SMTPD_PLUGIN_FACT(settles_complaints, false);
    if constexpr (requires { P::runs_tasks; }) descriptor.runs_tasks = P::runs_tasks;
    descriptor.may_wait = descriptor.runs_tasks || requires { P::waits_for_backend; };
    descriptor.waits_for_backend = [](const void* options) noexcept {
        if constexpr (requires { P::waits_for_backend(*static_cast<const typename P::Options*>(options)); })
            return hook_set(P::waits_for_backend(*static_cast<const typename P::Options*>(options)));
        else if constexpr (requires { P::waits_for_backend; }) return hook_set(P::waits_for_backend);
        else return HookSet();
    };
    descriptor.uses_store_at = HookSet::all();
    if constexpr (requires { P::uses_store_at; }) descriptor.uses_store_at = P::uses_store_at;
    if constexpr (requires { P::sends_bounces; }) descriptor.sends_bounces = P::sends_bounces;
    if constexpr (requires { P::policy_defaults; }) descriptor.defaults = P::policy_defaults;
    descriptor.destroy = [](Plugin* plugin) { delete plugin; };
    if constexpr (HasOptions<P>) {
        descriptor.options = [] { return P::Options::table(); };
        descriptor.make_options = []() -> void* { return new typename P::Options; };
        descriptor.free_options = [](void* options) { delete static_cast<typename P::Options*>(options); };
        descriptor.create = [](Setup& setup, const void* options) -> Plugin* {
            return new P(setup, *static_cast<const typename P::Options*>(options));
        };
    } else {
        descriptor.options = [] { return OptionTable(); };
        descriptor.make_options = []() -> void* { return nullptr; };
        descriptor.free_options = [](void*) {};
        descriptor.create = [](Setup& setup, const void*) -> Plugin* { return new P(setup); };
    }
    return descriptor;
}
#undef SMTPD_PLUGIN_FACT

}  // namespace detail
}  // namespace smtpd

/// Ends a plugin's source file. `Class` has a constructor (Setup&), or (Setup&, Options) when it has a nested struct
/// Options.
#define SMTPD_PLUGIN(plugin_name, Class)                                                            \
    extern "C" __attribute__((visibility("default"))) const ::smtpd::PluginDescriptor smtpd_plugin; \
    extern "C" constinit const ::smtpd::PluginDescriptor smtpd_plugin = ::smtpd::detail::describe<Class>(plugin_name)
