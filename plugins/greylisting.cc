/// greylisting: defer mail from unknown clients.
///
/// Servers try again after a 4xx reply (RFC 5321 4.5.4.1); most spam programs do not. The plugin defers a client that
/// it sees for the first time. It also defers what the client sends within `black_timeout`, and accepts what the client
/// sends after that. From then on the client is known, until the plugin has not seen it for `white_timeout`. RFC 6647
/// gives the reasons.
///
/// ## What the plugin remembers
///
/// `remote_ip`, `sender` and `recipient` say what the key consists of: by default only the client's address.
/// `ipv4_prefix` and `ipv6_prefix` treat neighbouring addresses as one client. Large sites retry from a different
/// address, so `ipv4_prefix=24` saves their mail hours of delay. `sender=domain` treats all users of a domain as one
/// sender.
///
/// Entries are in the namespace `greylist` of the store (SmtpStore). They survive restarts and expire by themselves,
/// and several hosts can share them. If the store does not work, the plugin defers no mail, unless `onerror=tempfail`
/// is set.
///
/// ## When it defers
///
/// The plugin decides at MAIL; with `recipient` or `per_recipient` it decides at RCPT, before rcpt_ok. `deny_late`
/// holds refusals until DATA. At RCPT, refusals for the null sender are always held until DATA, because servers use the
/// null sender to test whether an address exists, and could take the reply for a no. A held refusal is dropped if all
/// recipients are whitelisted.
///
/// ## Exemptions
///
/// These are exempt:
///
/// - clients that are exempt from every policy plugin (relay clients and whitelisted clients);
/// - clients in the files of `greylist_exclude_files`;
/// - with `skip_spf_pass`, senders that passed SPF;
/// - with `skip_karma`, clients with good karma in this connection or in earlier ones;
/// - with `skip_tls`, clients that use TLS;
/// - with `geoip`, clients in these countries;
/// - with `p0f`, clients that match none of the criteria.
///
/// Load the plugins that provide this information before this one. The plugin neither defers nor remembers a naughty
/// client, which another plugin refuses later.
///
/// `skip_spf_pass` needs a plugin that tests SPF, and whose finding carries the result for the sender ("spf=pass" with
/// "smtp.mailfrom", RFC 8601). Without such a plugin the option exempts no sender. `apachectl configtest` cannot detect
/// this, because any plugin may report such a result.
///
/// `p0f` lists criterion,value pairs separated by commas. Only clients that match at least one of them are greylisted.
/// `genre` and `link` are regular expressions, which ignore case. `distance` matches a greater distance, `uptime` (in
/// minutes) a shorter uptime. `geoip` lists countries separated by commas.
///
/// ## Control files
///
/// `greylist_exclude_files` names control files, or paths of files, one a line. These files list addresses, networks,
/// host names, which also match all names below them, and /regular expressions/ for host names. The format is
/// Postgrey's, so you can use Postgrey's own list (`/etc/postgrey/whitelist_clients`) unchanged: `192.0.2` is a
/// network, too. The plugin reads the listed files again when they change.
///
/// `denysoft_greylist` has options with their values, one or more a line. They apply to options that SmtpPlugin leaves
/// at their defaults.
///
/// ## Options of a recipient
///
/// With `per_recipient`, the plugin asks the plugins of the user_config hook for the setting `denysoft_greylist` of
/// each recipient. It may contain `reject` (0: do not greylist this recipient's mail), `remote_ip`, `sender`,
/// `recipient`, `black_timeout` and `white_timeout`.
///
/// ## Replies
///
/// `450 4.7.1 You are not known here yet, please try again later`; the code is 451 at DATA.
///
/// ## Notes
///
/// The plugin sets the transaction's note `greylist` to the text of a held refusal. It reads the notes `geoip`, `p0f`
/// and `karma_history`.
///
/// ## Examples
///
///     SmtpPlugin greylisting black_timeout=5min ipv4_prefix=24 skip_spf_pass=yes
///     SmtpPlugin greylisting sender=domain recipient=yes p0f=genre,windows,distance,20
///
/// ## Differences from qpsmtpd
///
/// A client that came back is known from then on, and stays known as long as mail comes. In qpsmtpd a client never
/// becomes known, and after a restart all clients are deferred again. SmtpStore says where entries are kept, so db_dir,
/// redis, nfslock and upgrade do not exist. mode and grey_timeout, which had no effect, do not exist either. IPv6
/// clients are grouped by /64. An excluded host name also excludes all names below it. smtpd-store(1) imports old
/// entries.
#include <smtpd/base/text.h>
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>
#include <smtpd/server/p0f_criteria.h>
#include <smtpd/store/records.h>

#include <algorithm>
#include <sstream>

namespace smtpd::plugins {

using std::chrono::hours, std::chrono::minutes;

class Greylisting final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr HookSet uses_store_at{HookId::mail, HookId::rcpt};
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::denysoft};
    static constexpr const char* control_file = "denysoft_greylist";

    enum class Sender { no, address, domain };

    struct Options {
        bool remote_ip = true;
        Sender sender = Sender::no;
        bool recipient = false;
        Duration black_timeout = minutes(50);
        Duration white_timeout = greylist_lifetime;
        unsigned ipv4_prefix = 32;
        unsigned ipv6_prefix = 64;
        bool deny_late = false;
        bool per_recipient = false;
        bool skip_spf_pass = false;
        unsigned skip_karma = 0;
        bool skip_tls = false;
        std::string geoip;
        std::string p0f;
        bool reject = true;  ///< in files only; SmtpPlugin has it for every policy plugin

        static OptionTable file_table() {
            OptionTable rows = table();
            rows.append({option("reject", &Options::reject, "whether to defer unknown clients")});
            return rows;
        }
        static OptionTable table() {
            return {
                option("remote_ip", &Options::remote_ip, "whether the client's address is part of the key"),
                option("sender", &Options::sender, "whether the sender, or its domain, is part of the key")
                    .choices({{"no", Sender::no},
                              {"yes", Sender::address},
                              {"domain", Sender::domain},
                              {"0", Sender::no},
                              {"1", Sender::address},
                              {"off", Sender::no},
                              {"on", Sender::address}}),
                option("recipient", &Options::recipient, "whether the recipient is part of the key"),
                option("black_timeout", &Options::black_timeout, "how long a new client is deferred").range("0s", "1d"),
                option("white_timeout", &Options::white_timeout, "how long a client stays known after it was last seen")
                    .range("1min", "3650d"),
                option("ipv4_prefix", &Options::ipv4_prefix, "how many bits of an IPv4 address count").range("8", "32"),
                option("ipv6_prefix", &Options::ipv6_prefix, "how many bits of an IPv6 address count")
                    .range("16", "128"),
                option("deny_late", &Options::deny_late, "hold refusals until DATA"),
                option("per_recipient", &Options::per_recipient, "whether recipients can have their own options"),
                option("skip_spf_pass", &Options::skip_spf_pass, "exempt senders that passed SPF"),
                option("skip_karma", &Options::skip_karma,
                       "exempt clients with at least this karma or history; 0 = exempt none")
                    .range("0", "1000"),
                option("skip_tls", &Options::skip_tls, "exempt clients that use TLS"),
                option("geoip", &Options::geoip, "exempt countries, separated by commas"),
                option("p0f", &Options::p0f, "criterion,value pairs: greylist only clients that match at least one")};
        }
    };

    Greylisting(Setup& setup, const Options& given)
        : options_(completed(setup, given)),
          records_(setup.store<GreylistRecord>(greylist_space)),
          criteria_(criteria(setup, options_.p0f)),
          countries_(split(options_.geoip)) {
        if (!options_.remote_ip && options_.sender == Sender::no && !options_.recipient)
            setup.error(
                "remote_ip, sender and recipient are all off, so there is no key to remember a client by; set one of "
                "them to yes");
        const auto files = setup.control().lines("greylist_exclude_files").get();
        for (const auto& line : *files) {
            const bool is_path = line.text.find('/') != std::string::npos;
            auto source = is_path ? setup.control().source_at(setup.path(line.text))
                                  : setup.control().source(line.text);
            spared_.push_back(ControlFiles::parsed<HostList>(std::move(source), HostList::parse));
        }
        if (options_.recipient || options_.per_recipient)
            setup.hooks.rcpt.decide([this](const RcptHook& hook) { return at_rcpt(hook); });
        else
            setup.hooks.mail.decide(
                [this](const MailHook& hook) { return decide(hook, options_, nullptr, options_.deny_late); });
        setup.hooks.data.decide([](const DataHook& hook) { return at_data(hook); });
    }

private:
    Finding at_rcpt(const RcptHook& hook) const {
        const Address& recipient = hook.recipient.address();
        Options options = options_;
        options.reject = true;
        const auto lines = options_.per_recipient ? hook.connection.config(control_file, recipient)
                                                  : std::vector<std::string>();
        // If the lines are the site's, no plugin has given others, and options_ already contains them.
        if (!lines.empty() && lines != hook.connection.config(control_file))
            for (const auto& line : lines)
                if (const auto read = Options::file_table().read(
                        &options, line,
                        {"reject", "remote_ip", "sender", "recipient", "black_timeout", "white_timeout"});
                    !read)
                    hook.log(LogLevel::warning, "{} of {}: {}", control_file, quoted(recipient.to_string()),
                             read.error().what);
        if (!options.reject) return skip("{} does not want greylisting", quoted(recipient.to_string()));
        return decide(hook, options, &recipient, options_.deny_late || hook.transaction.sender().is_null());
    }

    static Finding at_data(const DataHook& hook) {
        const auto* kept = hook.transaction.notes().find(notes::greylist);
        if (!kept) return pass();
        const auto& recipients = hook.transaction.recipients();
        const auto is_whitelisted = [](const Recipient& recipient) { return !recipient.whitelisted().empty(); };
        if (!recipients.empty() && std::all_of(recipients.begin(), recipients.end(), is_whitelisted))
            return skip("all recipients are whitelisted");
        return fail("deferred before").reply(*kept);
    }

    /// A client that will be refused anyway is not remembered: otherwise it would be known at its next connection.
    Finding decide(const TransactionContext& hook, const Options& options, const Address* recipient,
                   bool is_late) const {
        if (hook.connection.is_naughty()) return skip("naughty");
        if (const auto why = exemption(hook); !why.empty()) return skip("{}", why);
        const auto now = hook.clock().wall();
        GreylistRecord before;
        bool is_known = false;
        const auto kept = hook.store(records_).update(
            key(hook, options, recipient), options.white_timeout, [&](GreylistRecord& record) {
                if (now - record.since >= options.white_timeout) record = {};
                before = record;
                is_known = record.passed > 0 || (record.refused > 0 && now - record.since >= options.black_timeout);
                if (is_known || record.refused == 0) record.since = now;
                ++(is_known ? record.passed : record.refused);
            });
        if (!kept) return error("store: {}", kept.error().what);
        if (is_known)
            return before.passed > 0 ? pass("known, {} times", before.passed)
                                     : pass("came back after {}", since(before, now));
        static constexpr const char* text = "You are not known here yet, please try again later";
        if (is_late) hook.transaction.notes().get(notes::greylist) = text;
        if (is_late) return skip("to be deferred at DATA");
        return before.refused == 0 ? fail("first seen").reply(text)
                                   : fail("back too early, after {}", since(before, now)).reply(text);
    }

    static std::string since(const GreylistRecord& record, WallTime now) {
        return OptionType<Duration>::show(std::chrono::duration_cast<std::chrono::seconds>(now - record.since));
    }

    std::string key(const TransactionContext& hook, const Options& options, const Address* recipient) const {
        const IpAddress& client = hook.connection.address();
        const Address& sender = hook.transaction.sender();
        const std::string who = sender.is_null()                   ? "<>"
                                : options.sender == Sender::domain ? "@" + sender.domain_key()
                                                                   : sender.key();
        return greylist_key(
            options.remote_ip ? client_key(client, client.is_v4() ? options_.ipv4_prefix : options_.ipv6_prefix) : "-",
            options.sender == Sender::no ? "" : who, options.recipient && recipient ? recipient->key() : "");
    }

    /// Why this client is exempt; "" if it is not.
    std::string exemption(const TransactionContext& hook) const {
        Connection& client = hook.connection;
        if (options_.skip_tls && client.is_tls()) return "TLS";
        if (options_.skip_spf_pass && has_spf_pass(hook.results())) return "SPF pass";
        if (const long enough = options_.skip_karma; enough > 0) {
            const auto* history = client.notes().find(notes::karma_history);
            if (client.karma() >= enough || (history && *history >= enough)) return "good karma";
        }
        const auto* place = client.notes().find(notes::geoip);
        if (place && std::any_of(countries_.begin(), countries_.end(),
                                 [&](const auto& name) { return ascii_equal(name, place->country); }))
            return "the client is in " + place->country;
        const auto* system = client.notes().find(notes::p0f);
        if (!criteria_.empty() && !(system && criteria_.match(*system))) return "no p0f criterion matched";
        for (const auto& hosts : spared_)
            if (hosts->contains(client.address(), client.host())) return "excluded";
        return {};
    }

    /// Whether SPF passed for the sender; a pass for the name in HELO does not count.
    static bool has_spf_pass(const ResultsView& results) {
        const auto found = results.find_all("spf");
        return std::any_of(found.begin(), found.end(),
                           [](const auto* spf) { return spf->result == "pass" && spf->property("smtp", "mailfrom"); });
    }

    // --- options

    static std::vector<std::string> split(const std::string& text) {
        std::vector<std::string> parts;
        std::istringstream in(text);
        for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
        return parts;
    }

    static P0fCriteria criteria(Setup& setup, const std::string& text) {
        auto criteria = P0fCriteria::parse(text);
        if (!criteria) setup.error("p0f: {}", criteria.error().what);
        return criteria ? std::move(*criteria) : P0fCriteria();
    }

    /// The options of SmtpPlugin. An option that has its default value there is taken from the control file.
    static Options completed(Setup& setup, const Options& given) {
        Options options;
        const auto lines = setup.control().lines(control_file).get();
        for (const auto& line : *lines)
            if (const auto read = Options::file_table().read(&options, line.text); !read)
                setup.error("{}: {}", line.position(), read.error().what);
        if (!options.reject) setup.policy().reject = PolicyDefaults::Reject::no;
        const Options defaults;
        const OptionTable table = Options::table();
        for (const auto& row : table.rows())
            if (row.show(&given) != row.show(&defaults)) row.read(&options, row.show(&given));
        return options;
    }

    const Options options_;
    const Store<GreylistRecord> records_;
    const P0fCriteria criteria_;
    const std::vector<std::string> countries_;
    std::vector<Watched<HostList>> spared_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("greylisting", smtpd::plugins::Greylisting);
