/// plugin.h: everything that a plugin needs.
///
///     class NoMondays final : public smtpd::PolicyPlugin {
///     public:
///         explicit NoMondays(smtpd::Setup& setup) {
///             setup.hooks.mail.decide([](const smtpd::MailHook& hook) {
///                 return is_monday(hook.clock().wall()) ? smtpd::fail("monday") : smtpd::pass();
///             });
///         }
///     };
///     SMTPD_PLUGIN("no_mondays", NoMondays);
///
/// A plugin is one source file and one DSO. The server creates the object once for each `SmtpPlugin` line while it
/// reads the configuration (`apachectl configtest` does so too), so a constructor must have no side effects. Whatever
/// must happen in the serving process belongs in child_start(). All threads of a child share the object.
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

/// The defaults of a policy plugin's standard options; each instance can change them in the configuration.
struct PolicyDefaults {
    enum class Reject : std::uint8_t { no, yes, naughty };
    enum class OnError : std::uint8_t { accept, tempfail };

    Reject reject = Reject::yes;  ///< reject=
    /// reject_type= perm, temp, disconnect, temp_disconnect. `declined` means not specified: then the type is perm, and
    /// `naughty` decides about deferred refusals.
    Verdict reject_type = Verdict::declined;
    OnError onerror = OnError::accept;  ///< onerror=
    int karma_fail = 0;                 ///< karma_fail=: points for each fail
    int karma_pass = 0;                 ///< karma_pass=
    /// Skip exempt clients, senders and recipients (SessionContext::exemption()). If the client already has a
    /// complaint, a failure is not told to it but becomes another complaint. False: the plugin judges every client, and
    /// every failure is told at once.
    bool exempts_immune = true;
};

/// The words of `reject_type`, for options with the same meaning.
inline std::vector<std::pair<std::string, Verdict>> refusal_words() {
    return {{"perm", Verdict::deny},
            {"temp", Verdict::denysoft},
            {"disconnect", Verdict::deny_disconnect},
            {"temp_disconnect", Verdict::denysoft_disconnect},
            {"hard", Verdict::deny},
            {"soft", Verdict::denysoft}};
}

/// A file that a plugin uses, and how: configtest checks its permissions and looks for dangerous content. A path
/// without a slash is the name of a control file. (The server already knows which control files its children read.)
struct FileUse {
    enum class Kind : std::uint8_t {
        reads,          ///< the serving process reads it
        appends,        ///< the serving process appends lines; it creates the file, and its directory, if missing
        fills,          ///< a directory in which the serving process creates files; created if its parent exists
        passwords,      ///< contains passwords or keys: only the server should be able to read it
        own_domains,    ///< a control file with the domains that mail is accepted for
        relay_networks  ///< a control file with the networks whose clients may relay
    };
    Kind kind = Kind::reads;
    std::string path;
};

/// The interface between the server and a plugin that is being constructed.
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
    /// The server's own log (httpd's ErrorLog), regardless of logging plugins: a logging plugin forwards lines to it,
    /// or falls back to it.
    virtual LogSink& server_log() const noexcept = 0;
    /// The instance's final `reject`, `reject_type`, … A constructor may change them, for options with the same meaning
    /// under another name.
    virtual PolicyDefaults& policy() noexcept = 0;
    /// This server handles simulated sessions only: an administrator tests what would happen. See
    /// Connection::is_dry_run(); the same applies in child_start().
    virtual bool is_dry_run() const noexcept = 0;
    /// Resolves a path from the configuration: expands `~`, and makes it absolute with the server's root.
    virtual std::string path(std::string_view from_configuration) const = 0;
    /// The site's password check of that name ("" = the one without a name): `<SmtpAuth>` under httpd. Null, with an
    /// error(), if there is none.
    virtual const PasswordCheck* password_check(std::string_view name) = 0;
    /// A query to the site's database (mod_dbd under httpd); each %s in it is a parameter. Null, with an error(), if
    /// there is no database.
    virtual const SqlQuery* sql_query(std::string_view statement) = 0;
    /// A namespace of the store, with values of type T. It can be used from child_start() on; handlers use
    /// `hook.store(space)`.
    template <class T = std::string>
    Store<T> store(std::string_view name) {
        return Store<T>(store_space(name));
    }

    /// Declares that this instance uses a file, so that configtest can check it.
    virtual void uses(FileUse use) = 0;

    /// Reports an error in this instance's configuration: the server does not start, and configtest shows file and
    /// line. May be called more than once.
    template <class... Arguments>
    void error(PatternFor<Arguments...> pattern, const Arguments&... arguments) {
        report(true, format_text<Arguments...>(pattern, arguments...));
    }
    /// Reports a questionable configuration; the server starts nevertheless.
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

/// A plugin class declares facts about itself with the constants below. A constant other than reads_body,
/// sends_bounces, runs_tasks and uses_store_at may be a function instead, if the fact depends on the options: `static
/// bool delivers_to_each(const Options& options) noexcept`.
///
/// - `static constexpr bool reads_body = false;`: the plugin does not look at message bodies. If that is true of all
///   plugins with handlers from data_headers_end to queue_post, the server counts and checks bodies while they arrive,
///   but does not keep them.
/// - `static constexpr bool judges_recipients = true;`: the plugin calls DataPostHook::refuse(), so the server offers
///   PRDR. A handler at data_post_rcpt needs no such declaration.
/// - `static constexpr bool delivers_to_each = true;`: a queue plugin that may deliver to some recipients and not to
///   others; the server offers PRDR as well.
/// - `static constexpr bool sends_bounces = true;`: a queue plugin that itself informs the sender about
///   Delivery::refused_recipients(). `SmtpMixedResults split` needs it.
/// - `static constexpr bool accepts_recipients = false;`: the plugin returns verdicts at rcpt but never `ok`. For
///   configtest.
/// - `static constexpr bool takes_every_message = true;`: a queue plugin that never returns not_mine(), so that queue
///   plugins after it are never asked. For configtest.
/// - `static constexpr bool settles_complaints = true;`: the plugin refuses clients because of complaints about them,
///   as naughty does. For configtest.
/// - `static constexpr bool waits_for_backend = true;`: the plugin waits for something other than the DNS (a socket, a
///   database, a program, the disk). If only some handlers wait: `static constexpr HookSet
///   waits_for_backend{HookId::rcpt, HookId::disconnect};`; as a function it returns a HookSet. The server calls such
///   handlers in separate threads, so that they do not delay other clients, and at most `concurrency` of them at a
///   time; such plugins have that option.
/// - `static constexpr bool runs_tasks = true;`: the ask handlers of the plugin have tasks (task.h).
/// - `static constexpr HookSet uses_store_at{…};`: which handlers use the store, if the plugin opens a namespace.
///   Without it, the server assumes that all handlers do.
///
/// Setup::uses() declares the files that a plugin uses.
class SMTPD_API Plugin {
public:
    virtual ~Plugin();
    /// Called once in every serving process, after it has changed to its user: the place to start threads and to open
    /// sockets and log files (qpsmtpd's post-fork).
    virtual void child_start() {}

protected:
    Plugin() = default;
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;
};

/// A plugin whose handlers return findings. It has the options reject, reject_type, onerror, karma_fail and karma_pass
/// automatically. For defaults other than those of PolicyDefaults, put `static constexpr PolicyDefaults
/// policy_defaults{…};` into the class.
class SMTPD_API PolicyPlugin : public Plugin {
public:
    ~PolicyPlugin() override;
};

/// What a DSO exports, as the symbol `smtpd_plugin`. The first two members never move.
struct PluginDescriptor {
    std::uint32_t magic;    ///< api_magic
    std::uint32_t version;  ///< api_version
    const char* name;
    bool is_policy;
    bool reads_body;     ///< its handlers look at more of a message than its header fields
    bool sends_bounces;  ///< as a queue plugin, it informs the sender about Delivery::refused_recipients()
    PolicyDefaults defaults;
    OptionTable (*options)();  ///< may throw
    void* (*make_options)();   ///< an Options with its initial values; null if the plugin has none
    void (*free_options)(void* options);
    bool (*judges_recipients)(const void* options) noexcept;  ///< its handlers may refuse single recipients after DATA
    /// It may deliver to some recipients and not to others.
    bool (*delivers_to_each)(const void* options) noexcept;
    bool (*accepts_recipients)(const void* options) noexcept;   ///< it may return the verdict `ok` at rcpt
    bool (*takes_every_message)(const void* options) noexcept;  ///< no queue plugin after it is ever asked
    bool (*settles_complaints)(const void* options) noexcept;   ///< it refuses clients because of complaints
    /// It waits for a back end with some options, at some hook, or in a task: it has the option concurrency.
    bool may_wait;
    bool runs_tasks;                                             ///< its ask handlers have tasks
    HookSet (*waits_for_backend)(const void* options) noexcept;  ///< where its handlers wait for something other than
                                                                 ///< the DNS
    HookSet uses_store_at;  ///< where they use the store, if the plugin opens a namespace
    Plugin* (*create)(Setup& setup, const void* options);  ///< may throw
    void (*destroy)(Plugin* plugin);
};

namespace detail {

template <class P>
concept HasOptions = requires {
    typename P::Options;
};

constexpr HookSet hook_set(bool everywhere) noexcept { return everywhere ? HookSet::all() : HookSet(); }
constexpr HookSet hook_set(HookSet hooks) noexcept { return hooks; }

/// Sets a member to a function of the options that returns a fact about plugin P: P's constant of that name, P's
/// function of that name, or `otherwise`.
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

/// Ends a plugin's source file. `Class` has a constructor (Setup&), or (Setup&, Options) if it has a nested struct
/// Options.
#define SMTPD_PLUGIN(plugin_name, Class)                                                            \
    extern "C" __attribute__((visibility("default"))) const ::smtpd::PluginDescriptor smtpd_plugin; \
    extern "C" constinit const ::smtpd::PluginDescriptor smtpd_plugin = ::smtpd::detail::describe<Class>(plugin_name)
