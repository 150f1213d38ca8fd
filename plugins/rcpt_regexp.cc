/// rcpt_regexp: accept or refuse recipients by a list of addresses and regular expressions.
///
/// For each recipient the plugin tries the lines of the control file `rcpt_regexp` in order. The first line that
/// matches decides. If no line matches, or if the recipient has no domain, other plugins decide.
///
/// ## Control file
///
/// A line of `rcpt_regexp` has an address, or a regular expression between slashes; then a verdict; then, for refusals,
/// a text.
///
///     me@example.org             OK
///     /^user\d+@example\.org$/   OK
///     /^(abuse|postmaster)@/     DECLINED
///     old@example.com            DENY       User not found.
///     /^.*@slow\.example$/       DENYSOFT   Come back later
///     /^.*$/                     DECLINED
///
/// The verdicts are OK (accept, and run no further plugin), DECLINED (the next plugin decides), DENY, DENYSOFT,
/// DENY_DISCONNECT and DENYSOFT_DISCONNECT. OK accepts any recipient, even in domains that are not ours: use it only
/// with expressions that match the domain up to its end.
///
/// Case does not matter; for addresses, the directive SmtpLocalPartCase can change that. A non-ASCII domain has two
/// forms, `bücher.example` and `xn--bcher-kva.example`: an address matches in either form, and an expression is tried
/// on both. An expression has Perl's syntax and no blanks (write `\s`). The plugin reads the file again when it
/// changes.
///
/// ## Replies
///
/// `550 5.7.1` or `450 4.7.1` with the given text.
///
/// A refusal is a finding: with `reject=no` the plugin only logs it, and with `reject=naughty` it leaves the refusal to
/// the naughty plugin. `reject_type` has no effect, because each line says how it refuses. No client is exempt.
///
/// ## Differences from qpsmtpd
///
/// A line without a verdict, with an unknown verdict or with an invalid expression is an error at configtest; in
/// qpsmtpd it ends the session of the next client. Expressions are not evaluated as code, so a person who may write the
/// file can do no more than decide about recipients.
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class RcptRegexp final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.exempts_immune = false};

    explicit RcptRegexp(Setup& setup)
        : rules_(setup.control().parsed<std::vector<Rule>>(
              "rcpt_regexp",
              [rule = setup.control().local_part_case()](const ControlText& text) { return parse(text, rule); })) {
        setup.hooks.rcpt.add([this](const RcptHook& hook) { return accept(hook); });
        setup.hooks.rcpt.decide([this](const RcptHook& hook) { return judge(hook.recipient.address()); });
    }

private:
    struct Rule {
        VerdictLine line;
        std::string address;  ///< its key(); "" if there is a pattern
        std::optional<Pattern> pattern;

        /// `spellings` are the recipient's key_spellings().
        bool matches(const std::vector<std::string>& spellings) const {
            if (!pattern) return address == spellings.front();
            return std::any_of(spellings.begin(), spellings.end(),
                               [this](const auto& recipient) { return pattern->matches(recipient); });
        }
    };

    static Result<std::vector<Rule>> parse(const ControlText& text, LocalPartCase local_part_case) {
        std::vector<Rule> rules;
        for (const auto& line : text) {
            auto parsed = VerdictLine::parse(line);
            if (!parsed) return parsed.error();
            Rule rule{std::move(*parsed), {}, {}};
            const std::string_view entry = rule.line.entry;
            if (entry.size() >= 2 && entry.starts_with('/') && entry.ends_with('/')) {
                auto pattern = Pattern::compile(entry.substr(1, entry.size() - 2), Pattern::Case::folded);
                if (!pattern)
                    return Error{ErrorCode::config, format_text("{}: {}", line.position(), pattern.error().what)};
                rule.pattern = std::move(*pattern);
            } else if (const auto address = Address::parse(entry,
                                                           {.smtputf8 = true, .local_part_case = local_part_case})) {
                rule.address = address->key();
            } else {
                return Error{
                    ErrorCode::config,
                    format_text("{}: \"{}\" is neither an address nor a /regular expression/", line.position(), entry)};
            }
            rules.push_back(std::move(rule));
        }
        return rules;
    }

    /// The first rule that matches, or null.
    static const VerdictLine* find(const std::vector<Rule>& rules, const Address& recipient) {
        if (!recipient.has_domain()) return nullptr;
        const auto spellings = recipient.key_spellings();
        for (const auto& rule : rules)
            if (rule.matches(spellings)) return &rule.line;
        return nullptr;
    }

    Response accept(const RcptHook& hook) const {
        const auto rules = rules_.get();
        const VerdictLine* const line = find(*rules, hook.recipient.address());
        if (!line || line->verdict != Verdict::ok) return declined();
        hook.log(LogLevel::debug, "pass: {} is OK as {}", quoted(hook.recipient.address().to_string()),
                 quoted(line->entry));
        return ok();
    }

    Finding judge(const Address& recipient) const {
        const auto rules = rules_.get();
        const VerdictLine* const line = find(*rules, recipient);
        if (!line || !is_denial(line->verdict)) return pass();
        return fail("{} is {} as {}", quoted(recipient.to_string()), verdict_name(line->verdict), quoted(line->entry))
            .reply(line->text)
            .refusal(line->verdict);
    }

    Watched<std::vector<Rule>> rules_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("rcpt_regexp", smtpd::plugins::RcptRegexp);
