/// sender_permitted_from: test with SPF whether the client may send for the sender's domain (RFC 7208).
///
/// A domain publishes in the DNS which hosts may send its mail (its SPF record). At the mail hook, the plugin compares
/// the client's address with the SPF record of the sender's domain. For the null sender, it uses the domain that the
/// client gave with EHLO. Unless `reject` is set, the plugin only reports the result: forwarded mail fails SPF, and
/// dmarc judges it better because it also takes DKIM into account.
///
/// ## What is refused
///
/// `reject` is a number, as in qpsmtpd; the table shows what each number refuses. With `reject=naughty`, a `fail` does
/// not reject the sender at once; the plugin naughty rejects the client later.
///
/// | result | meaning | 0, 1 | 2 | 3 | 4 | 5 | 6 |
/// |---|---|---|---|---|---|---|---|
/// | `pass` | the client may send | | | | | | |
/// | `fail` | it may not | | 4xx | 5xx | 5xx | 5xx | 5xx |
/// | `softfail` | it probably may not | | | 4xx | 5xx | 5xx | 5xx |
/// | `neutral` | the domain does not say | | | | | 5xx | 5xx |
/// | `none` | there is no record | | | | | | 5xx |
/// | `permerror` | the record is wrong | | | | 4xx | 4xx | 5xx |
/// | `temperror` | the DNS gave no answer | | 4xx | 4xx | 4xx | 4xx | 4xx |
///
/// A `pass` adds a point of karma; a `fail` or a `softfail` costs one. `onerror` overrides the row `temperror`. Relay
/// clients and whitelisted clients are exempt.
///
/// Without `reject`, the plugin uses the number in the control file `spfbehavior`, which it reads when the server
/// starts. Without the file, the number is 0. If `reject` is 3 or more and dmarc is loaded, `apachectl configtest`
/// warns: SPF then rejects mail before dmarc sees the DKIM signature for which it would accept the message. If that is
/// intended, set `rejects_alone=yes`.
///
/// With `no_dmarc_policy`, the plugin also rejects messages at data_post that fail SPF, if dmarc found that the
/// author's domain has no DMARC record: 1 rejects `fail`, 2 also `softfail`, 3 also `neutral`, 4 also `none` and
/// `permerror`.
///
/// ## HELO
///
/// With `helo=yes`, the plugin also tests the name that the client gave with EHLO. If the result is `fail` or
/// `softfail`, and worse than the result for the sender, it counts instead of the sender's result.
///
/// ## Header fields
///
/// The plugin adds an entry of the method `spf` to Authentication-Results, with the sender's domain as `smtp.mailfrom`.
/// If it has tested the name in EHLO, it adds another entry with `smtp.helo`. For each test, it adds a Received-SPF
/// field above Received, unless `received_spf=no`.
///
/// ## Replies
///
/// `550 5.7.23 SPF fail: example.com does not let 192.0.2.1 send its mail`, followed by the domain's own explanation if
/// it has one. If the record is wrong, the code is 5.7.24. If the DNS does not answer, the reply is `451 4.4.3` (RFC
/// 7372).
///
/// ## Notes
///
/// The plugin sets the transaction's note `spf_pass_host` to the sender's domain if the result is `pass`.
///
/// ## Example
///
///     SmtpPlugin sender_permitted_from
///     SmtpPlugin sender_permitted_from reject=3 helo=yes
///
/// The plugin is also available under the name `spf`.
///
/// ## Differences from qpsmtpd
///
/// `reject`, `no_dmarc_policy`, `spfbehavior` and `spf_deny` work as in qpsmtpd. In qpsmtpd, a `temperror` counts as a
/// permerror; here the row of the table applies, as qpsmtpd documents. The null sender is tested. Records of version 2
/// (Sender ID) are ignored.
#include <smtpd/base/domain.h>
#include <smtpd/known_notes.h>
#include <smtpd/mailauth/spf.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {
namespace {

using mailauth::SpfIdentity;
using mailauth::SpfOutcome;
using mailauth::SpfRequest;
using mailauth::SpfResult;

/// One test and its result.
struct Tested {
    SpfRequest request;
    SpfOutcome outcome;
};
const NoteKey<std::vector<Tested>> spf_tests{"sender_permitted_from"};

}  // namespace

class SenderPermittedFrom final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr PolicyDefaults policy_defaults{
        .reject = PolicyDefaults::Reject::no, .karma_fail = -1, .karma_pass = 1};

    enum class Trouble { by_level, accept, tempfail };
    static constexpr int unset = -1, naughty = -2;

    struct Options {
        int reject = unset;
        int spf_deny = 0;
        Trouble onerror = Trouble::by_level;
        unsigned no_dmarc_policy = 0;
        bool helo = false;
        bool received_spf = true;
        bool rejects_alone = false;
        unsigned void_limit = 2;
        Duration timeout = std::chrono::seconds(20);

        static OptionTable table() {
            return {
                option("reject", &Options::reject,
                       "which results are refused: 0 to 6 (see the table), or naughty; 0 without the control file "
                       "spfbehavior")
                    .choices({{"0", 0},
                              {"1", 1},
                              {"2", 2},
                              {"3", 3},
                              {"4", 4},
                              {"5", 5},
                              {"6", 6},
                              {"naughty", naughty},
                              {"no", 0},
                              {"off", 0}}),
                option("spf_deny", &Options::spf_deny, "an old form of reject: 1 is reject=3, 2 is reject=4")
                    .range("0", "2"),
                option("onerror", &Options::onerror,
                       "what follows when the DNS gives no answer: go on (accept), or ask the client to come back "
                       "(tempfail); by default as reject says")
                    .choices({{"accept", Trouble::accept}, {"tempfail", Trouble::tempfail}}),
                option("no_dmarc_policy", &Options::no_dmarc_policy,
                       "which results are refused if dmarc found no record: 0 to 4")
                    .range("0", "4"),
                option("helo", &Options::helo, "whether the name in EHLO is tested too"),
                option("received_spf", &Options::received_spf, "whether messages get a field Received-SPF"),
                option("rejects_alone", &Options::rejects_alone,
                       "it is intended that SPF refuses mail that dmarc would judge; configtest does not warn then"),
                option("void", &Options::void_limit,
                       "how many names without records a domain may refer to (RFC 7208 4.6.4)")
                    .range("0", "100"),
                option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min")};
        }
    };

    SenderPermittedFrom(Setup& setup, const Options& options)
        : options_(options),
          receiver_(setup.server_name()),
          spf_({.void_limit = options.void_limit, .receiver = setup.server_name()}) {
        read_level(setup);
        set_policy(setup.policy());
        setup.hooks.mail.ask([this](const MailHook& hook, Questions& questions) { ask(hook, questions); })
            .decide([this](const MailHook& hook, const Answers& answers) { return judge(hook, answers); });
        if (options_.received_spf)
            setup.hooks.data_post.observe(Priority::early, [this](const DataPostHook& hook) { add_fields(hook); });
        if (options_.no_dmarc_policy > 0)
            setup.hooks.data_post.decide(Priority::late, [this](const DataPostHook& hook) { return judge_late(hook); });
    }

private:
    // --- configuration

    static constexpr int highest_level = 6;

    void read_level(Setup& setup) {
        constexpr const char* file = "spfbehavior";
        const bool is_set = options_.reject != unset || options_.spf_deny > 0;
        level_ = options_.reject != unset ? options_.reject : options_.spf_deny > 0 ? options_.spf_deny + 2 : 0;
        const auto lines = setup.control().lines(file).get();
        if (is_set || lines->empty()) return;
        const auto& line = lines->front();
        if (!OptionType<int>::read(line.text, level_).empty() || level_ < 0 || level_ > highest_level)
            setup.error("{}: \"{}\" is not a number from 0 to 6", line.position(), quoted(line.text));
    }

    void set_policy(PolicyDefaults& policy) {
        using Reject = PolicyDefaults::Reject;
        using OnError = PolicyDefaults::OnError;
        const bool may_refuse = level_ >= 2 || options_.no_dmarc_policy > 0;
        policy.reject = level_ == naughty ? Reject::naughty : may_refuse ? Reject::yes : Reject::no;
        is_tolerant_ = policy.reject == Reject::no;
        const bool defers = options_.onerror == Trouble::by_level ? level_ >= 2 : options_.onerror == Trouble::tempfail;
        policy.onerror = defers ? OnError::tempfail : OnError::accept;
    }

    // --- MAIL

    /// The requests to evaluate; the sender comes first.
    std::vector<SpfRequest> requests(const MailHook& hook) const {
        const auto& connection = hook.connection;
        std::vector<SpfRequest> out{
            SpfRequest::mail_from(connection.address(), connection.hello_host(), hook.sender())};
        if (options_.helo && !hook.sender().is_null())
            out.push_back(SpfRequest::from_helo(connection.address(), connection.hello_host()));
        return out;
    }

    void ask(const MailHook& hook, Questions& questions) const {
        questions.timeout(options_.timeout);
        mailauth::QuestionLookups lookups(questions);
        for (const auto& request : requests(hook)) (void)spf_.evaluate(request, lookups);
    }

    Finding judge(const MailHook& hook, const Answers& answers) const {
        mailauth::AnswerLookups lookups(answers);
        auto& tests = hook.transaction.notes().get(spf_tests);
        tests.clear();
        for (auto& request : requests(hook)) {
            auto outcome = spf_.evaluate(request, lookups, hook.clock().wall()).value_or(SpfOutcome{});
            tests.push_back({std::move(request), std::move(outcome)});
        }
        auto& notes = hook.transaction.notes();
        if (tests.front().outcome.result == SpfResult::pass)
            notes.set(notes::spf_pass_host, tests.front().request.domain);
        else notes.remove(notes::spf_pass_host);
        Finding finding = finding_of(deciding(tests));
        for (const auto& test : tests)
            finding = std::move(finding).authentication_result(spf_authentication_result(test.request, test.outcome));
        return finding;
    }

    /// The test that decides: the one of EHLO if its result is worse than the sender's, otherwise the sender's.
    const Tested& deciding(const std::vector<Tested>& tests) const {
        const Tested& sender = tests.front();
        const auto badness = [](const Tested& test) {
            return test.outcome.result == SpfResult::fail ? 2 : test.outcome.result == SpfResult::softfail ? 1 : 0;
        };
        return badness(tests.back()) > badness(sender) ? tests.back() : sender;
    }

    /// The table of the manual. Returns std::nullopt if the result is not refused, true if it is deferred, false if it
    /// is rejected.
    std::optional<bool> refusal(SpfResult result) const {
        const auto from = [&](int soft, int hard) -> std::optional<bool> {
            if (level_ >= hard) return false;
            return level_ >= soft ? std::optional(true) : std::nullopt;
        };
        if (level_ == naughty) return result == SpfResult::fail ? std::optional(false) : std::nullopt;
        switch (result) {
            case SpfResult::fail: return from(2, 3);
            case SpfResult::softfail: return from(3, 4);
            case SpfResult::neutral: return from(5, 5);
            case SpfResult::none: return from(6, 6);
            case SpfResult::permerror: return from(4, 6);
            default: return std::nullopt;
        }
    }

    Finding finding_of(const Tested& test) const {
        const SpfResult result = test.outcome.result;
        if (result == SpfResult::pass) return pass("{}", reason(test));
        if (result == SpfResult::temperror) return error("{}", reason(test)).status(status::temp_resolver_failed);
        const auto refused = refusal(result);
        if (refused) return failed(test).soft(*refused).karma(is_failure(result) ? -1 : 0);
        if (!is_failure(result)) return skip("{}", reason(test));
        // A failure that the table tolerates also costs a point of karma.
        return is_tolerant_ ? failed(test) : skip("{}, tolerated", reason(test)).karma(-1);
    }

    static bool is_failure(SpfResult result) noexcept {
        return result == SpfResult::fail || result == SpfResult::softfail;
    }

    /// "softfail for example.com: ~all", for the log.
    static std::string reason(const Tested& test) {
        const auto& [request, outcome] = test;
        return format_text("{} for {}{}: {}", spf_result_name(outcome.result),
                           request.identity == SpfIdentity::helo ? "HELO " : "", quoted(request.domain, 255),
                           outcome.problem.empty() ? quoted(outcome.mechanism, 255) : outcome.problem);
    }

    static Finding failed(const Tested& test) {
        const bool is_error = test.outcome.result == SpfResult::permerror;
        return fail("{}", reason(test))
            .status(EnhancedCode{5, 7, std::uint16_t(is_error ? 24 : 23)})
            .reply(reply_text(test));
    }

    /// The reply. The explanation is untrusted text, so the reply says which domain it comes from (RFC 7208 6.2).
    static std::string reply_text(const Tested& test) {
        constexpr std::size_t longest_explanation = 300;
        const auto& [request, outcome] = test;
        const std::string domain = printable_domain(request.domain).substr(0, 100);
        const std::string client = request.client.to_string();
        std::string text = format_text("SPF {}: ", spf_result_name(outcome.result));
        switch (outcome.result) {
            case SpfResult::none: return text + format_text("{} has no SPF record", domain);
            case SpfResult::permerror: return text + format_text("the SPF record of {} is wrong", domain);
            case SpfResult::neutral:
                return text + format_text("{} does not say whether {} may send its mail", domain, client);
            case SpfResult::softfail:
                return text + format_text("{} probably does not let {} send its mail", domain, client);
            default: break;
        }
        text += format_text("{} does not let {} send its mail", domain, client);
        if (outcome.explanation.empty()) return text;
        return text + format_text("; {} explains: {}", domain, outcome.explanation.substr(0, longest_explanation));
    }

    // --- the message

    /// The field of the first test ends up on top.
    void add_fields(const DataPostHook& hook) const {
        const auto* tests = hook.transaction.notes().find(spf_tests);
        if (!tests) return;
        for (auto test = tests->rbegin(); test != tests->rend(); ++test)
            hook.message().headers().prepend("Received-SPF", received_spf(test->request, test->outcome, receiver_));
    }

    /// Judges mail for which there is no DMARC record.
    Finding judge_late(const DataPostHook& hook) const {
        const auto* tests = hook.transaction.notes().find(spf_tests);
        const auto* dmarc = hook.results().find("dmarc");
        if (!tests || tests->empty()) return skip("SPF was not tested");
        if (!dmarc || dmarc->result != "none") return skip("dmarc did not say that there is no record");
        const Tested& test = tests->front();
        const unsigned level = options_.no_dmarc_policy;
        const SpfResult result = test.outcome.result;
        const bool is_refused = (result == SpfResult::fail && level >= 1) ||
                                (result == SpfResult::softfail && level >= 2) ||
                                (result == SpfResult::neutral && level >= 3) ||
                                ((result == SpfResult::none || result == SpfResult::permerror) && level >= 4);
        if (!is_refused) return skip("{}, and no DMARC record", reason(test));
        return failed(test).refusal(Verdict::deny).karma(0);
    }

    const Options options_;
    const std::string receiver_;
    const mailauth::SpfEvaluator spf_;
    int level_ = 0;
    bool is_tolerant_ = true;  ///< the plugin refuses nothing
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("sender_permitted_from", smtpd::plugins::SenderPermittedFrom);
