/// karma: remember how clients behave, and refuse badly behaved clients for a while.
///
/// The tests of other plugins give points to a connection: negative points for a fault, positive points for a good sign
/// (`karma_fail` and `karma_pass` of each plugin). This plugin adds some points, and decides by the total. When the
/// connection ends, the plugin records the result in the store. A client that ends at `strikes` points or more has had
/// a nice connection. A client that ends at minus `strikes` points or less has had a naughty one. A client's history is
/// the number of its nice connections minus the number of its naughty ones. A client with a bad history goes to the
/// penalty box for `penalty_days`.
///
/// Records are in the namespace `karma` of the store (SmtpStore), by address or by prefix (`ipv4_prefix`,
/// `ipv6_prefix`). The store keeps a record for 90 days plus the penalty after the last connection that counted.
/// smtpd-karma(1) lists and changes records. If the store does not work, clients are treated as unknown.
///
/// ## What it does at each hook
///
/// - pre_connection: looks up the client's history, before other plugins of that hook;
/// - connect: refuses a client in the penalty box. A client with a history of more than 10 gets a point;
/// - MAIL: takes 2 points for an address without angle brackets. Adds the points that `karma_tlds` gives the sender's
///   domain;
/// - RCPT: takes 2 points for an address without angle brackets. If karma or history is below zero, and neither is
///   above zero, the client may have `recipients` recipients for a message; whitelisted recipients after these are
///   still allowed. Exempt clients and senders may have more, and so may naughty clients, which are refused anyway;
/// - DATA and end of data: refuses a client with karma below `reject_below`;
/// - disconnect: records the result, unless karma is 0.
///
/// The penalty begins when a naughty connection brings a client's history to minus `negative` or below. A client with
/// no nice connection and a history below -5 stays one more day for each point below zero, at most 90.
///
/// ## Control file
///
/// `karma_tlds` lists domains with their points. If several lines match, all of them count.
///
///     info:-2
///     example.org:1
///
/// ## Replies
///
/// The replies are "You may connect again in <days> days" and "Too many tests have failed". `reject` and `reject_type`
/// say how the plugin refuses. By default it leaves the refusal to the plugin naughty, which must also be loaded. The
/// reply at RCPT is `452 4.5.3 Too many recipients`, whatever `reject` says: refusing one recipient must not refuse all
/// of them.
///
/// ## Notes
///
/// The plugin sets the connection's note `karma_history`. For clients with a good history, hosts_allow permits more
/// connections, earlytalker does not delay the greeting, and greylisting can be told to exempt them.
///
/// ## Example
///
///     SmtpPlugin karma negative=2 penalty_days=0.5 reject=naughty
///     SmtpPlugin naughty reject=data
///
/// ## Differences from qpsmtpd
///
/// This plugin counts naughty connections. qpsmtpd does not count connections of naughty clients, so it never punishes
/// a client if `negative` is above 1. qpsmtpd permanently refuses a second recipient to every client without good
/// karma, including new clients. A blank after `FROM:` is not a fault. IPv6 clients are grouped by /64. SmtpStore says
/// where records are kept, so db_dir and nfslock do not exist. Records expire by themselves. `reject=connect` is
/// `reject=1`. Only `karma_tlds` gives points for top-level domains; Debian's qpsmtpd has some built in.
#include <smtpd/base/domain.h>
#include <smtpd/base/text.h>
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>
#include <smtpd/store/records.h>

#include <algorithm>

namespace smtpd::plugins {

/// The client's record when it connected.
struct KarmaBefore {
    bool is_looked_up = false;
    std::optional<KarmaRecord> record;
    std::string error;
};
inline const NoteKey<KarmaBefore> karma_before{"karma.before"};

class Karma final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool accepts_recipients = false;
    static constexpr HookSet uses_store_at{HookId::pre_connection, HookId::disconnect};
    static constexpr PolicyDefaults policy_defaults{.reject = PolicyDefaults::Reject::naughty,
                                                    .reject_type = Verdict::deny_disconnect};

    struct Options {
        unsigned negative = 1;
        unsigned strikes = 3;
        double penalty_days = 1;
        unsigned recipients = 1;
        int reject_below = -4;
        unsigned ipv4_prefix = 32;
        unsigned ipv6_prefix = 64;

        static OptionTable table() {
            return {
                option("negative", &Options::negative, "a history this far below zero leads to the penalty box")
                    .range("1", "1000"),
                option("strikes", &Options::strikes,
                       "how many points make a connection nice; as many below zero make it naughty")
                    .range("1", "1000"),
                option("penalty_days", &Options::penalty_days, "how long the penalty lasts, in days")
                    .range("0", "1000")
                    .alias("penalty_box"),
                option("recipients", &Options::recipients,
                       "how many recipients a doubtful client may have for a message; 0 = no limit")
                    .range("0", "1000"),
                option("reject_below", &Options::reject_below, "refuse messages from clients with less karma than this")
                    .range("-1000", "0"),
                option("ipv4_prefix", &Options::ipv4_prefix, "how many bits of an IPv4 address count").range("8", "32"),
                option("ipv6_prefix", &Options::ipv6_prefix, "how many bits of an IPv6 address count")
                    .range("16", "128")};
        }
    };

    Karma(Setup& setup, const Options& options)
        : options_(options),
          records_(setup.store<KarmaRecord>(karma_space)),
          tlds_(setup.control().parsed<Tlds>("karma_tlds", parse_tlds)) {
        auto& hooks = setup.hooks;
        hooks.pre_connection.observe(Priority::early, [this](const PreConnectionHook& hook) { look_up(hook); });
        hooks.connect.decide([this](const ConnectHook& hook) { return at_connect(hook); });
        hooks.mail.observe([this](const MailHook& hook) { at_mail(hook); });
        hooks.rcpt.add([this](const RcptHook& hook) { return at_rcpt(hook); });
        hooks.data.decide([this](const DataHook& hook) { return judge(hook); });
        hooks.data_post.decide([this](const DataPostHook& hook) { return judge(hook); });
        hooks.disconnect.observe([this](const DisconnectHook& hook) { at_disconnect(hook); });
    }

private:
    using Tlds = std::vector<std::pair<std::string, int>>;

    const KarmaBefore& look_up(const SessionContext& hook) const {
        auto& before = hook.connection.notes().get(karma_before);
        if (std::exchange(before.is_looked_up, true)) return before;
        auto found = hook.store(records_).get(key(hook));
        if (!found) before.error = found.error().what;
        else before.record = *found;
        if (before.record) hook.connection.notes().set(notes::karma_history, before.record->history());
        return before;
    }

    Finding at_connect(const ConnectHook& hook) const {
        const KarmaBefore& before = look_up(hook);
        if (!before.error.empty()) return error("store: {}", before.error);
        if (!before.record) return pass("no record");
        const long history = before.record->history();
        const auto left = penalty_end(*before.record) - hook.clock().wall();
        if (before.record->has_penalty() && left.count() > 0) return penalised(hook, left);
        auto finding = pass("history {}", history);
        return history > 10 ? std::move(finding).karma(1) : finding;
    }

    Finding penalised(const ConnectHook& hook, WallTime::duration left) const {
        save(hook, [](KarmaRecord& record) { ++record.connects; });
        const auto hundredths = std::chrono::ceil<std::chrono::duration<long, std::ratio<864>>>(left).count();
        const auto days = format_text("{}.{}{}", hundredths / 100, hundredths / 10 % 10, hundredths % 10);
        return fail("penalty, {} days left", days).reply(format_text("You may connect again in {} days", days));
    }

    void at_mail(const MailHook& hook) const {
        if (is_bare(hook, "MAIL", "FROM:")) award(hook, -2, "no angle brackets");
        const auto domain = hook.sender().domain_key();
        const auto tlds = tlds_.get();
        for (const auto& [tld, points] : *tlds)
            if (domain == tld || domain.ends_with("." + tld)) award(hook, points, tld);
    }

    Response at_rcpt(const RcptHook& hook) const {
        if (is_bare(hook, "RCPT", "TO:")) award(hook, -2, "no angle brackets");
        const Connection& client = hook.connection;
        if (client.is_naughty() || hook.exemption()) return declined();
        const auto& record = look_up(hook).record;
        const long history = record ? record->history() : 0;
        const bool is_doubtful = std::min<long>(history, client.karma()) < 0 &&
                                 std::max<long>(history, client.karma()) <= 0;
        if (options_.recipients == 0 || !is_doubtful || hook.transaction.recipients().size() < options_.recipients)
            return declined();
        hook.log(LogLevel::info, "fail: too many recipients for karma {}, history {}", client.karma(), history);
        return denysoft("Too many recipients").with_code(452).with_status(status::too_many_rcpts.code);
    }

    Finding judge(const MessageHook& hook) const {
        const int karma = hook.connection.karma();
        if (karma >= options_.reject_below) return pass("karma {}", karma);
        return fail("karma {}", karma).reply("Too many tests have failed");
    }

    void at_disconnect(const DisconnectHook& hook) const {
        const long karma = hook.connection.karma(), strikes = options_.strikes;
        if (karma == 0) return;
        save(hook, [&](KarmaRecord& record) {
            ++record.connects;
            if (karma >= strikes) ++record.nice;
            if (karma > -strikes) return;
            ++record.naughty;
            const long history = record.history();
            if (history > -static_cast<long>(options_.negative)) return;
            record.penalty_start = hook.clock().wall();
            if (record.nice == 0 && history < -5)
                record.penalty_start += std::chrono::hours(24) * std::min(-history, 90L);
        });
    }

    template <class F>
    void save(const SessionContext& hook, F change) const {
        const auto saved = hook.store(records_).update(key(hook), karma_lifetime + penalty(), change);
        if (!saved) return hook.log(LogLevel::warning, "error: store: {}", saved.error().what);
        hook.log(LogLevel::info, "karma {}, now naughty {}, nice {}, connects {}{}", hook.connection.karma(),
                 saved->naughty, saved->nice, saved->connects,
                 penalty_end(*saved) > hook.clock().wall() && saved->has_penalty() ? ", penalty" : "");
    }

    void award(const SessionContext& hook, int points, const std::string& why) const {
        hook.connection.adjust_karma(points);
        hook.log(LogLevel::info, "karma {} for {}, is now {}", points, why, hook.connection.karma());
    }

    /// Whether the path of that command begins without "<". Blanks before it are common, and harmless.
    static bool is_bare(const SessionContext& hook, std::string_view verb, std::string_view word) {
        const std::string_view line = hook.connection.last_line();
        const auto next = [&](std::size_t from) { return std::min(line.find_first_not_of(" \t", from), line.size()); };
        const auto at_word = next(verb.size());
        if (!ascii_equal(line.substr(0, verb.size()), verb) || !ascii_equal(line.substr(at_word, word.size()), word))
            return false;
        const auto at_path = next(at_word + word.size());
        return at_path < line.size() && line[at_path] != '<';
    }

    static Result<Tlds> parse_tlds(const ControlText& text) {
        Tlds tlds;
        for (ControlLine line : text) {
            std::erase_if(line.text, [](char c) { return c == ' ' || c == '\t'; });
            const auto colon = std::min(line.text.find(':'), line.text.size());
            int points = 0;
            if (colon == 0 || !OptionType<int>::read(
                                   std::string_view(line.text).substr(std::min(colon + 1, line.text.size())), points)
                                   .empty())
                return Error{ErrorCode::config, format_text("{}: \"{}\" must be a domain, a colon and a number",
                                                            line.position(), line.text)};
            const auto name = ascii_domain(std::string_view(line.text).substr(0, colon));
            tlds.emplace_back(name.front() == '.' ? name.substr(1) : name, points);
        }
        return tlds;
    }

    std::string key(const SessionContext& hook) const {
        const IpAddress& client = hook.connection.address();
        return client_key(client, client.is_v4() ? options_.ipv4_prefix : options_.ipv6_prefix);
    }
    Duration penalty() const { return Duration(static_cast<Duration::rep>(options_.penalty_days * 86'400'000)); }
    WallTime penalty_end(const KarmaRecord& record) const { return record.penalty_start + penalty(); }

    const Options options_;
    const Store<KarmaRecord> records_;
    const Watched<Tlds> tlds_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("karma", smtpd::plugins::Karma);
