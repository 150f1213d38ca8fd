/// dmarc: test whether the author's domain authorized the message, and apply that domain's policy if it did not.
///
/// DMARC (RFC 9989) tests the domain in the From field, which is what readers see. A message passes if SPF or DKIM has
/// passed for that domain, or for another domain of the same organization. Otherwise the policy in the domain's DMARC
/// record applies: `none`, `quarantine`, or `reject`.
///
/// The plugin decides at the data_post hook. It needs the results of `sender_permitted_from` (SPF) and `dkim`: load
/// both, and `arc` if you use it, before this plugin. Relay clients are exempt.
///
/// | the message | what happens |
/// |---|---|
/// | passes, or the domain has no record | the plugin accepts it |
/// | fails, and the policy is `none` | the plugin accepts it |
/// | fails, and the policy is `quarantine` | the plugin accepts and marks it, see below; it costs 3 points of karma |
/// | fails, and the policy is `reject` | `reject` and `reject_type` decide; it costs 3 points of karma |
/// | cannot be judged because the DNS does not answer | `onerror=tempfail` defers it, otherwise the plugin accepts it |
/// | does not name exactly one author domain | `multiple_from` decides, see below |
///
/// Messages of whitelisted clients and senders get a result, but the plugin neither marks nor rejects them.
///
/// ## Quarantine
///
/// The plugin adds the header field `X-Quarantine: dmarc (policy of example.com)` to a message in quarantine, and sets
/// the transaction's note `quarantine`. Configure the program that delivers to mailboxes to put such messages into a
/// junk folder. queue/maildir does so with its option `junk`.
///
/// ## Mailing lists
///
/// A mailing list that changes a message breaks the author's signature, and the list's own SPF and DKIM results are not
/// for the author's domain. So a message may fail although its author sent it, and RFC 9989 5.4 says not to reject a
/// message because of the policy alone. The plugin treats a message as sent by a list if DKIM or SPF has passed for the
/// domain in its List-Id field (RFC 2919), or for a domain above it. `mailing_lists` says what happens to such a
/// message if it fails and the policy is `reject`: `quarantine` (the default), `accept`, or `reject`.
///
/// If a list seals its results (ARC), and the plugin arc trusts that sealer and all later sealers (its option
/// `trusted`), the sealed results count: if the message passed DMARC for this author at the oldest trusted sealer, the
/// plugin accepts it, regardless of the policy.
///
/// ## Several authors
///
/// DMARC needs exactly one author domain. A message with several From fields, or with From addresses in several
/// domains, is often an attempt to show the reader a different author than the one that was tested. The plugin logs
/// `multiple_from`, and the result is permerror. With `multiple_from=reject`, it rejects such a message, and also a
/// message with a From field that is missing, malformed, or without a domain.
///
/// ## RFC 7489
///
/// `rfc=7489` applies the rules of the old DMARC, with the list of public suffixes of the system, or of the file that
/// `psl` names. This requires a mod_smtpd that was built with libpsl. The differences: the organizational domain comes
/// from that list, not from the DNS. The tags np, psd and t are ignored. The tag pct limits the policy to a percentage
/// of the messages. If a name has several records, none of them counts.
///
/// ## Reports
///
/// With `reporting=on`, the plugin stores the results of messages in a database in the folder `report_dir`, by default
/// /var/lib/smtpd/dmarc (the folder `dmarc` in configure's --with-statedir). Once a day, the command
/// smtpd-dmarc-report(1) makes aggregate reports (RFC 9990) from it. Domain owners use these reports to find out who
/// sends mail in their name. Reports are off by default, because spammers publish other people's addresses for reports;
/// the manual page of smtpd-dmarc-report describes what the command does against that.
///
/// A separate thread writes to the database, so no client waits for it. If the disk is full, reports lack some
/// messages, but the server still accepts mail. The database leaves out these messages: those of relay clients and of
/// naughty clients, those that another plugin has refused, bounces, and reports.
///
/// ## Authentication-Results
///
/// The plugin adds one entry of the method `dmarc`, with header.from, and with policy.dmarc if there is a record. Later
/// plugins can use it, and the notes `dmarc_result` and `reject_dmarc`.
///
///     dmarc=fail (p=reject dis=reject) header.from=example.com policy.dmarc=reject
///
/// ## Replies
///
/// If the policy is `reject`, the reply is `550 5.7.1 Rejected by the DMARC policy of example.com`, with 5.7.26 instead
/// if both SPF and DKIM failed (RFC 7372). With `multiple_from=reject`: `550 5.7.1 DMARC needs a From field with one
/// domain`. With `reject_type=temp`, the codes are 450 and 4.7.1. With `onerror=tempfail`, if the DNS does not answer:
/// `451 4.7.1 The DMARC policy of example.com cannot be looked up now`.
///
/// ## Example
///
///     SmtpPlugin sender_permitted_from
///     SmtpPlugin dkim
///     SmtpPlugin dmarc multiple_from=reject reporting=on
///
/// ## Differences from qpsmtpd
///
/// The plugin does not reject messages in quarantine. It uses the rules of RFC 9989 unless you set `rfc=7489`. Refusals
/// take effect, with code 550. It detects several From fields. `reject_type` accepts more words.
#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/text.h>
#include <smtpd/known_notes.h>
#include <smtpd/mailauth/authentication_results_field.h>
#include <smtpd/mailauth/dmarc.h>
#include <smtpd/mailauth/message_stream.h>
#include <smtpd/plugin.h>
#include <smtpd/server/log_queue.h>
#include <smtpd/store/dmarc_history.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include <sys/stat.h>

namespace smtpd::plugins {
namespace {

using mailauth::AuthorDomain;
using mailauth::DmarcIdentifier;
using mailauth::DmarcOutcome;
using mailauth::DmarcPolicy;
using mailauth::DmarcResult;

std::string_view domain_of(std::string_view mailbox) noexcept {
    const auto at = mailbox.rfind('@');
    return at == mailbox.npos ? mailbox : mailbox.substr(at + 1);
}

mailauth::DmarcMessage message_of(const DataPostHook& hook, std::string author) {
    return mailauth::dmarc_message(std::move(author), hook.results().all());
}

bool any(const std::vector<DmarcIdentifier>& identifiers, std::string_view result) {
    return std::any_of(identifiers.begin(), identifiers.end(),
                       [&](const DmarcIdentifier& one) { return one.result == result; });
}

/// The domain in "A list <list.example.com>" (RFC 2919), in the form of ascii_domain(); "" if there is none.
std::string list_domain(const Headers& headers) {
    const auto field = headers.get("List-Id");
    if (!field) return {};
    const auto open = field->rfind('<'), close = field->rfind('>');
    if (open == field->npos || close == field->npos || close < open) return ascii_domain(*field);
    return ascii_domain(std::string_view(*field).substr(open + 1, close - open - 1));
}

bool is_below(std::string_view domain, std::string_view parent) {
    return domain.ends_with(parent) &&
           (domain.size() == parent.size() || domain[domain.size() - parent.size() - 1] == '.');
}

/// Whether SPF or DKIM has passed for the domain of the list in List-Id.
bool is_from_list(const Headers& headers, const mailauth::DmarcMessage& message) {
    const std::string list = list_domain(headers);
    if (list.empty()) return false;
    const auto vouches = [&](const DmarcIdentifier& one) {
        return one.result == "pass" && is_below(list, ascii_domain(one.domain));
    };
    return std::any_of(message.spf.begin(), message.spf.end(), vouches) ||
           std::any_of(message.dkim.begin(), message.dkim.end(), vouches);
}

/// The oldest trusted sealer, if the message passed DMARC for this author there; otherwise "".
std::string vouching_sealer(const Notes& all, const std::string& author) {
    const auto* const chain = all.find(notes::arc);
    const auto* const trusted = all.find(notes::arc_trusted);
    if (chain == nullptr || trusted == nullptr || *trusted == 0 || *trusted > chain->sets.size()) return {};
    const mailauth::ArcSet& set = chain->sets[*trusted - 1];
    const auto field = mailauth::AuthenticationResultsField::parse(set.results);
    if (!field) return {};
    const auto passes = [&](const AuthenticationResult& one) {
        const std::string* const from = one.property("header", "from");
        return ascii_equal(one.method, "dmarc") && ascii_equal(one.result, "pass") && from != nullptr &&
               is_same_domain(domain_of(*from), author);
    };
    const bool is_passed = std::any_of(field->results.begin(), field->results.end(), passes);
    return is_passed ? printable_domain(set.domain) : std::string();
}

std::string word(DmarcPolicy policy) { return std::string(dmarc_policy_name(policy)); }

// --- reports

/// Writes events to the database; events that arrive together share a transaction. Only this object uses the database.
class EventWriter final : public LogQueue::Writer {
public:
    EventWriter(std::string folder, std::string instance, LogSink& log)
        : folder_(std::move(folder)), instance_(std::move(instance)), log_(log) {}

    bool write(const LogQueue::Line& line, LogQueue::Wait&) override {
        const auto event = DmarcEvent::from_line(line.line.text);
        if (!event) return true;
        if (auto opened = open(); !opened) return report(opened.error());
        if (auto added = history_->add(*event); !added) return report(added.error());
        const auto now = std::chrono::steady_clock::now();
        if (added_++ == 0) change_began_ = now;
        if (added_ >= most_in_a_change || now - change_began_ >= longest_change) idle();
        return true;
    }

    /// Commits the transaction, so that other processes can write.
    void idle() override {
        added_ = 0;
        if (!history_) return;
        if (auto done = history_->commit(); !done) report(done.error());
    }

private:
    static constexpr std::chrono::minutes between_reports{1};
    static constexpr unsigned most_in_a_change = 500;
    static constexpr std::chrono::milliseconds longest_change{500};

    Result<void> open() {
        if (history_) return {};
        if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return os_error("cannot make " + folder_, errno);
        auto opened = DmarcHistory::open(folder_ + "/" + std::string(DmarcHistory::file_name));
        if (!opened) return opened.error();
        history_.emplace(std::move(*opened));
        return {};
    }

    /// Logs that the event is lost, at most once a minute. Returns true, so that the queue does not log the event's
    /// line.
    bool report(const Error& error) {
        added_ = 0;
        history_.reset();  // the next event opens the file again; the disk or the file may have changed
        const auto now = std::chrono::steady_clock::now();
        if (last_report_ && now - *last_report_ < between_reports) return true;
        last_report_ = now;
        const std::string text = format_text("reports will lack messages: {}", error.what);
        LogLine line;
        line.level = LogLevel::warning;
        line.hook = "queue_post";
        line.plugin = instance_;
        line.text = text;
        log_.write(line);
        return true;
    }

    const std::string folder_;
    const std::string instance_;
    LogSink& log_;
    std::optional<DmarcHistory> history_;
    unsigned added_ = 0;  ///< events in the current transaction
    std::chrono::steady_clock::time_point change_began_{};
    std::optional<std::chrono::steady_clock::time_point> last_report_;
};

/// Makes the text for DmarcEvent::results.
std::string results_for_report(const ResultsView& results) {
    constexpr std::size_t most = 120;
    const auto word = [](const std::string* text) {
        if (text == nullptr || text->empty()) return std::string("-");
        std::string out = printable_domain(domain_of(*text));
        std::replace(out.begin(), out.end(), ';', '?');
        return out;
    };
    std::string out;
    std::size_t count = 0;
    for (const AuthenticationResult* one : results.find_all("dkim")) {
        const std::string* const domain = one->property("header", "d");
        if (domain != nullptr && ++count <= most)
            out += format_text("dkim {} {} {};", word(domain), word(one->property("header", "s")), one->result);
    }
    for (const AuthenticationResult* one : results.find_all("spf")) {
        const std::string* const domain = one->property("smtp", "mailfrom");
        if (domain == nullptr) continue;
        out += format_text("spf {} {};", word(domain), one->result);
        break;
    }
    return out;
}

/// Whether the message is a DMARC report or a bounce: reporting it could start a loop.
bool is_report(const MessageHook& hook) {
    const auto subject = hook.message().headers().get("Subject");
    constexpr std::string_view begin = "report domain:";
    return hook.transaction.sender().is_null() ||
           (subject && ascii_equal(std::string_view(*subject).substr(0, begin.size()), begin));
}

const NoteKey<DmarcEvent> event_note{"dmarc.event"};

}  // namespace

class Dmarc final : public PolicyPlugin {
public:
    /// Whitelisted clients get a result too.
    static constexpr PolicyDefaults policy_defaults{
        .reject_type = Verdict::deny, .karma_fail = -3, .exempts_immune = false};
    static constexpr bool reads_body = false;

    enum class BadFrom { accept, reject };

    struct Options {
        mailauth::DmarcRfc rfc = mailauth::DmarcRfc::rfc9989;
        std::string psl;
        DmarcPolicy mailing_lists = DmarcPolicy::quarantine;
        BadFrom multiple_from = BadFrom::accept;
        Duration timeout = std::chrono::seconds(10);
        bool reporting = false;
        std::string report_dir;

        static OptionTable table() {
            return {
                option("rfc", &Options::rfc, "whose rules apply")
                    .choices({{"9989", mailauth::DmarcRfc::rfc9989}, {"7489", mailauth::DmarcRfc::rfc7489}}),
                option("psl", &Options::psl,
                       "a file with a list of public suffixes, for rfc=7489; otherwise the system's"),
                option("mailing_lists", &Options::mailing_lists,
                       "what happens to a message of a mailing list that fails under p=reject")
                    .choices({{"quarantine", DmarcPolicy::quarantine},
                              {"accept", DmarcPolicy::none},
                              {"reject", DmarcPolicy::reject}}),
                option("multiple_from", &Options::multiple_from,
                       "what happens to a message whose From field does not name one domain")
                    .choices({{"accept", BadFrom::accept}, {"reject", BadFrom::reject}}),
                option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min"),
                option("reporting", &Options::reporting, "whether to remember results for aggregate reports").flag(),
                option("report_dir", &Options::report_dir,
                       "the folder for the database of results; otherwise dmarc in the folder of the store")};
        }
    };

    Dmarc(Setup& setup, const Options& options) : options_(options) {
        settings_.rfc = options.rfc;
        if (options.rfc == mailauth::DmarcRfc::rfc7489) load_suffixes(setup);
        else if (!options.psl.empty())
            setup.error(
                "psl is of no use with rfc=9989, which needs no list of public suffixes: remove it, or write "
                "rfc=7489");
        // The results of DKIM are not there yet, but these questions can be sent together with DKIM's.
        setup.hooks.data_post_headers
            .ask([this](const DataPostHook& hook, Questions& questions) {
                const AuthorDomain author = author_of(hook);
                if (is_exempt(hook) || !author.found()) return;
                questions.timeout(options_.timeout);
                mailauth::QuestionLookups lookups(questions);
                mailauth::prepare_dmarc(author.domain, settings_, lookups);
            })
            .add([](DataPostHook&) { return declined(); });
        setup.hooks.data_post
            .ask([this](const DataPostHook& hook, Questions& questions) {
                const AuthorDomain author = author_of(hook);
                if (is_exempt(hook) || !author.found()) return;
                questions.timeout(options_.timeout);
                mailauth::QuestionLookups lookups(questions);
                static_cast<void>(mailauth::evaluate_dmarc(message_of(hook, author.domain), settings_, lookups));
            })
            .decide([this](DataPostHook& hook, const Answers& answers) { return judge(hook, answers); });
        prepare_reports(setup);
    }

    void child_start() override {
        if (queue_) queue_->start();
    }

private:
    /// What the plugin does with a failed message, and why that differs from the policy.
    struct Disposition {
        DmarcPolicy policy = DmarcPolicy::none;
        std::string override{};     ///< for human readers
        std::string_view reason{};  ///< in the words of RFC 9990
    };

    void load_suffixes(Setup& setup) {
        if (!mailauth::PublicSuffixes::is_supported()) {
            setup.error(
                "rfc=7489 needs a list of public suffixes, and this mod_smtpd was built without libpsl: write "
                "rfc=9989, or build it with libpsl");
            return;
        }
        const std::string path = options_.psl.empty() ? "" : setup.path(options_.psl);
        if (!path.empty()) setup.uses({FileUse::Kind::reads, path});
        auto list = path.empty() ? mailauth::PublicSuffixes::of_system() : mailauth::PublicSuffixes::load(path);
        if (!list) {
            setup.error("{}: write psl=FILE with a list of publicsuffix.org, or rfc=9989", list.error().what);
            return;
        }
        suffixes_ = std::move(*list);
        settings_.suffixes = suffixes_.get();
    }

    // Reports

    void prepare_reports(Setup& setup) {
        if (!options_.reporting && !options_.report_dir.empty())
            setup.error("report_dir is of no use without reporting=on: write that, or remove report_dir");
        if (!options_.reporting) return;
        const std::string folder = options_.report_dir.empty() ? SMTPD_STATE_DIR "/dmarc"
                                                               : setup.path(options_.report_dir);
        setup.uses({FileUse::Kind::fills, folder});
        is_enforcing_ = setup.policy().reject == PolicyDefaults::Reject::yes;
        if (setup.is_dry_run()) return;
        constexpr ByteCount memory{4 << 20};
        writer_ = std::make_unique<EventWriter>(folder, setup.instance(), setup.server_log());
        queue_ = std::make_unique<LogQueue>(setup.instance(), *writer_, setup.server_log(), memory);
        setup.hooks.queue_post.observe([this](const QueuePostHook& hook) { remember_accepted(hook); });
        setup.hooks.reset_transaction.observe([this](const MessageHook& hook) { remember_rejected(hook); });
    }

    /// Stores the event for a report, in case the message is accepted, or is rejected because of DMARC.
    void note_event(DataPostHook& hook, const DmarcResult& result, const Disposition& disposition) const {
        const bool is_judged = result.outcome == DmarcOutcome::pass || result.outcome == DmarcOutcome::fail;
        if (!queue_ || !is_judged || result.record->rua.empty() || is_report(hook)) return;
        DmarcEvent event;
        event.day = std::chrono::floor<std::chrono::days>(hook.clock().wall());
        event.policy_domain = result.policy_domain;
        event.record = result.record->text;
        event.is_rfc7489 = options_.rfc == mailauth::DmarcRfc::rfc7489;
        event.source_ip = hook.connection.address().to_string();
        event.header_from = printable_domain(result.author);
        event.envelope_from = printable_domain(hook.transaction.sender().domain());
        event.disposition = word(disposition.policy);
        event.is_dkim_aligned = result.is_dkim_aligned;
        event.is_spf_aligned = result.is_spf_aligned;
        if (!disposition.override.empty()) {
            event.reason = disposition.reason;
            event.reason_comment = disposition.override;
        } else if (result.outcome == DmarcOutcome::fail && (result.is_test || result.is_sampled_out)) {
            event.reason = result.is_test ? "policy_test_mode" : "sampled_out";
        }
        event.results = results_for_report(hook.results());
        hook.transaction.notes().set(event_note, std::move(event));
    }

    void remember_accepted(const QueuePostHook& hook) {
        DmarcEvent* const event = hook.transaction.notes().find(event_note);
        const auto& recipients = hook.transaction.recipients();
        const bool is_accepted = std::any_of(recipients.begin(), recipients.end(),
                                             [](const Recipient& one) { return one.fate().is_delivered(); });
        if (event == nullptr || !is_accepted || hook.connection.is_naughty()) return;
        event->is_accepted = true;
        if (event->disposition == "reject") {  // reject=no
            event->disposition = "none";
            event->reason = "local_policy";
            event->reason_comment = "not enforced here";
        }
        add(hook, *event);
    }

    void remember_rejected(const MessageHook& hook) {
        const DmarcEvent* const event = hook.transaction.notes().find(event_note);
        if (event == nullptr || event->is_accepted || !is_enforcing_ || hook.connection.is_naughty()) return;
        if (hook.transaction.notes().find(notes::reject_dmarc) != nullptr) add(hook, *event);
    }

    void add(const MessageHook& hook, const DmarcEvent& event) {
        const std::string text = event.to_line();
        LogLine line;
        line.level = LogLevel::warning;  // at a lower level, a stopped queue would log the line
        line.text = text;
        queue_->add(hook.clock().wall(), line);
        hook.transaction.notes().remove(event_note);
    }

    // Judging

    static AuthorDomain author_of(const MessageHook& hook) {
        return mailauth::author_domain(hook.message().headers().get_all("From"));
    }

    static bool is_exempt(const SessionContext& context) {
        const auto exemption = context.exemption();
        return exemption && exemption->kind == Exemption::Kind::relay_client;
    }

    Finding judge(DataPostHook& hook, const Answers& answers) const {
        if (is_exempt(hook)) return skip("relay client");
        const AuthorDomain author = author_of(hook);
        if (!author.found()) return judge_bad_from(hook, author);
        const mailauth::DmarcMessage message = message_of(hook, author.domain);
        mailauth::DmarcSettings settings = settings_;
        settings.sample = random_percent();
        mailauth::AnswerLookups lookups(answers);
        const auto result = mailauth::evaluate_dmarc(message, settings, lookups);
        if (!result) return error("no result");  // cannot happen: every answer is there or has timed out
        return settle(hook, message, *result);
    }

    static unsigned random_percent() {
        thread_local std::minstd_rand dice{std::random_device{}()};
        return std::uniform_int_distribution<unsigned>(0, 99)(dice);
    }

    Finding judge_bad_from(DataPostHook& hook, const AuthorDomain& author) const {
        hook.transaction.notes().set(notes::dmarc_result,
                                     {.domain = {}, .result = "permerror", .policy = {}, .disposition = "none"});
        AuthenticationResult result{.method = "dmarc", .result = "permerror", .reason = author.reason()};
        Finding finding = fail("{}{}", author.is_ambiguous() ? "multiple_from: " : "", author.reason())
                              .reply("DMARC needs a From field with one domain")
                              .code(550)
                              .authentication_result(std::move(result));
        if (!author.is_ambiguous()) finding = std::move(finding).karma(0);
        const bool is_rejected = options_.multiple_from == BadFrom::reject && !hook.exemption();
        return is_rejected ? std::move(finding) : std::move(finding).tolerated();
    }

    Disposition disposition_of(const DataPostHook& hook, const mailauth::DmarcMessage& message,
                               const DmarcResult& result) const {
        if (result.disposition == DmarcPolicy::none) return {};
        if (hook.exemption()) return {DmarcPolicy::none, "whitelisted", "local_policy"};
        if (const std::string sealer = vouching_sealer(hook.transaction.notes(), result.author); !sealer.empty())
            return {DmarcPolicy::none, "arc=pass, sealed by " + sealer, "local_policy"};
        if (result.disposition == DmarcPolicy::reject && options_.mailing_lists != DmarcPolicy::reject &&
            is_from_list(hook.message().headers(), message))
            return {options_.mailing_lists, "mailing list", "mailing_list"};
        return {result.disposition};
    }

    Finding settle(DataPostHook& hook, const mailauth::DmarcMessage& message, const DmarcResult& result) const {
        const Disposition disposition = disposition_of(hook, message, result);
        hook.transaction.notes().set(notes::dmarc_result,
                                     {.domain = result.author,
                                      .result = std::string(dmarc_outcome_name(result.outcome)),
                                      .policy = result.policy && result.record ? word(*result.policy) : "",
                                      .disposition = word(disposition.policy)});
        note_event(hook, result, disposition);
        return finding_of(hook, message, result, disposition)
            .authentication_result(dmarc_authentication_result(result, disposition.policy));
    }

    static Finding finding_of(DataPostHook& hook, const mailauth::DmarcMessage& message, const DmarcResult& result,
                              const Disposition& disposition) {
        const std::string author = printable_domain(result.author);
        const char* const limit = result.has_limit ? "; too many signers, not all were looked at" : "";
        switch (result.outcome) {
            case DmarcOutcome::pass:
                return pass("{} by {}{}", author, result.is_dkim_aligned ? "DKIM" : "SPF",
                            result.is_dkim_aligned && result.is_spf_aligned ? " and SPF" : "");
            case DmarcOutcome::none:
                return skip("{} has no policy{}{}", author, result.reason.empty() ? "" : ": ", result.reason);
            case DmarcOutcome::permerror: return skip("{}", result.reason);
            case DmarcOutcome::temperror:
                if (hook.exemption()) return skip("{}", result.reason);
                return error("{}", result.reason)
                    .status(EnhancedCode{4, 7, 1})
                    .reply(format_text("The DMARC policy of {} cannot be looked up now", author));
            case DmarcOutcome::fail: break;
        }
        const std::string reason = format_text("{} has p={}{}{}{}", author, dmarc_policy_name(*result.policy),
                                               disposition.override.empty() ? "" : ", ", disposition.override, limit);
        switch (disposition.policy) {
            case DmarcPolicy::none: return fail("{}", reason).karma(0).tolerated();
            case DmarcPolicy::quarantine: mark(hook, author); return fail("{}, quarantine", reason).tolerated();
            case DmarcPolicy::reject: break;
        }
        hook.transaction.notes().set(notes::reject_dmarc, true);
        const bool failed_both = any(message.spf, "fail") && any(message.dkim, "fail");
        return fail("{}", reason)
            .code(550)
            .status(failed_both ? EnhancedCode{5, 7, 26} : EnhancedCode{5, 7, 1})
            .reply(format_text("Rejected by the DMARC policy of {}", author));
    }

    static void mark(DataPostHook& hook, const std::string& author) {
        const std::string reason = format_text("policy of {}", author);
        hook.message().headers().prepend("X-Quarantine", format_text("dmarc ({})", reason));
        hook.transaction.notes().set(notes::quarantine, {"dmarc", "DMARC " + reason});
    }

    const Options options_;
    std::shared_ptr<const mailauth::PublicSuffixes> suffixes_;
    mailauth::DmarcSettings settings_;
    bool is_enforcing_ = false;  ///< reject=yes: a failure rejects the message at once
    std::unique_ptr<EventWriter> writer_;
    std::unique_ptr<LogQueue> queue_;  // declared after its writer
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("dmarc", smtpd::plugins::Dmarc);
