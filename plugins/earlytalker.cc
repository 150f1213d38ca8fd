/// earlytalker: refuse clients that speak before it is their turn.
///
/// A server speaks first (RFC 5321 3.1), and after DATA a client must wait for the 354 (RFC 2920 3.1). Spam programs
/// often do not wait. At the connect hook the plugin delays the greeting. A client that sends something before the
/// greeting is an early talker. With `check-at=DATA`, the plugin delays the 354 in the same way. Under the event MPM,
/// waiting clients hold no threads.
///
/// ## When it refuses
///
/// `check-at` says where the plugin watches: CONNECT (the default), DATA, or both. With `defer-reject`, the plugin
/// waits until MAIL before it refuses a client that spoke early at CONNECT. The log then shows the client's HELO name,
/// and a broken but honest client can read the reply. With `reject=naughty` the naughty plugin decides where to refuse.
/// `action` is an old form of `reject` and `reject_type`.
///
/// ## Replies
///
/// At CONNECT and MAIL, `550 5.7.1` with "Connecting host started transmitting before SMTP greeting". At DATA, `554
/// 5.7.1` with "You must wait for the reply to DATA before you send the message". With `reject_type=temp` the codes are
/// 4xx.
///
/// ## Notes
///
/// The plugin sets the connection's note `earlytalker` to the place where the client spoke early. If another plugin
/// sets the note `earlytalker_wait` at pre_connection, its value replaces `wait`. A client whose note `karma_history`
/// is above 5 does not wait at CONNECT. A `wait` below one second catches few clients. If it is above five seconds,
/// honest servers hang up.
///
/// ## Examples
///
///     SmtpPlugin earlytalker wait=2 reject=naughty
///     SmtpPlugin earlytalker check-at=CONNECT check-at=DATA reject_type=temp
///
/// ## Differences from qpsmtpd
///
/// Data that the server has already received after DATA counts; qpsmtpd looks at the socket only and misses that data.
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class EarlyTalker final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::deny, .karma_fail = -1};

    enum class Place { connect, data };
    enum class Action { unset, log, deny, denysoft };

    struct Options {
        Duration wait = std::chrono::seconds(1);
        std::vector<Place> check_at = {Place::connect};
        bool defer_reject = false;
        Action action = Action::unset;

        static OptionTable table() {
            return {
                option("wait", &Options::wait, "how long the client must stay silent").range("0s", "1min"),
                option("check-at", &Options::check_at, "where to watch for early talkers")
                    .choices({{"CONNECT", Place::connect}, {"DATA", Place::data}}),
                option("defer-reject", &Options::defer_reject, "refuse at MAIL a client that spoke early at CONNECT"),
                option("action", &Options::action, "log: reject=no; deny: reject_type=perm; denysoft: reject_type=temp")
                    .choices({{"log", Action::log}, {"deny", Action::deny}, {"denysoft", Action::denysoft}})};
        }
    };

    EarlyTalker(Setup& setup, const Options& options) : options_(options) {
        apply_action(setup.policy());
        for (const Place place : options_.check_at) {
            if (place == Place::connect) watch_greeting(setup.hooks);
            if (place == Place::data) watch_data(setup.hooks);
        }
    }

private:
    void apply_action(PolicyDefaults& policy) const {
        if (options_.action == Action::unset) return;
        policy.reject = options_.action == Action::log ? PolicyDefaults::Reject::no : PolicyDefaults::Reject::yes;
        policy.reject_type = options_.action == Action::denysoft ? Verdict::denysoft : Verdict::deny;
    }

    void watch_greeting(Hooks& hooks) {
        hooks.connect
            .ask([this](const ConnectHook& hook, Questions& questions) {
                if (!is_well_known(hook) && !is_introduced(hook)) questions.silence(wait_for(hook));
            })
            .decide([this](const ConnectHook& hook, const Answers& answers) { return judge_greeting(hook, answers); });
        if (options_.defer_reject) hooks.mail.decide([](const MailHook& hook) { return judge_mail(hook); });
    }

    void watch_data(Hooks& hooks) {
        hooks.data.ask([this](const DataHook& hook, Questions& questions) { questions.silence(wait_for(hook)); })
            .decide([](const DataHook& hook, const Answers& answers) {
                return answers.client_spoke() || hook.connection.unread() > 0 ? early(hook, "DATA") : pass();
            });
    }

    Duration wait_for(const SessionContext& hook) const {
        const auto* wait = hook.connection.notes().find(notes::earlytalker_wait);
        return wait ? *wait : options_.wait;
    }

    static bool is_well_known(const ConnectHook& hook) {
        const auto* history = hook.connection.notes().find(notes::karma_history);
        return history && *history > 5;
    }

    /// A mail server that introduces its client (XCLIENT) need not wait for the second greeting.
    static bool is_introduced(const ConnectHook& hook) { return !hook.connection.introduced_by().is_unspecified(); }

    Finding judge_greeting(const ConnectHook& hook, const Answers& answers) const {
        if (is_well_known(hook)) return skip("good karma");
        if (is_introduced(hook)) return skip("introduced by {}", hook.connection.introduced_by());
        if (!answers.client_spoke()) return pass();
        if (!options_.defer_reject) return early(hook, "CONNECT");
        hook.connection.notes().set(notes::earlytalker, {"CONNECT", false});
        return skip("spoke before the greeting; will be refused at MAIL");
    }

    static Finding judge_mail(const MailHook& hook) {
        auto* talk = hook.connection.notes().find(notes::earlytalker);
        if (!talk || talk->where != "CONNECT") return pass();
        return early(hook, "CONNECT", talk->counted);
    }

    static Finding early(const SessionContext& hook, const char* where, bool counted_before = false) {
        hook.connection.notes().set(notes::earlytalker, {where, true});
        auto finding = fail("spoke early at {}", where)
                           .reply(std::string_view(where) == "DATA"
                                      ? "You must wait for the reply to DATA before you send the message"
                                      : "Connecting host started transmitting before SMTP greeting");
        return counted_before ? std::move(finding).karma(0) : finding;
    }

    const Options options_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("earlytalker", smtpd::plugins::EarlyTalker);
