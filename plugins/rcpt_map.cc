/// rcpt_map: accept or refuse the recipients of one domain by a list of addresses.
///
/// The plugin looks up each recipient of the domain in a file, and does what the file says. A recipient of the domain
/// that is not in the file does not exist. The plugin ignores other domains. For each further domain, add an instance
/// such as `rcpt_map:second`, with a separate file or the same file.
///
///     SmtpPlugin rcpt_map domain=example.org file=/etc/smtpd/map_example_org
///     SmtpPlugin rcpt_map:net domain=example.net file=map_example_net default=DENYSOFT=Try_again_later
///
/// ## The file
///
/// `file` is a path or, without a slash, the name of a control file. Each line has an address, a verdict and, for
/// refusals, a text:
///
///     # these exist
///     me@example.org           OK
///     you@example.org          DECLINED
///     info@example.org         DENY       User not found.
///     busy@example.org         DENYSOFT   Mailbox is being moved
///
/// The verdicts are OK (accept, and run no further plugin), DECLINED (the next plugin decides), DENY, DENYSOFT,
/// DENY_DISCONNECT and DENYSOFT_DISCONNECT. Case does not matter (see the directive SmtpLocalPartCase). The two forms
/// of a non-ASCII domain are equivalent. If an address has several lines, the last line counts.
///
/// The plugin reads the file again when it changes. A file without any address is an error: to refuse a domain without
/// users, leave it out of rcpthosts.
///
/// ## Replies
///
/// `550 5.1.1` or `450 4.1.1` with the given text, else "No such user". In `default`, a blank may be written as `_`.
///
/// A refusal is a finding: with `reject=no` the plugin only logs it, and with `reject=naughty` it leaves the refusal to
/// the naughty plugin. `reject_type` has no effect, because each line says how it refuses. No client is exempt: a user
/// that does not exist does not exist for relay clients either.
///
/// ## Differences from qpsmtpd
///
/// Any number of blanks may separate the fields, and nothing need follow the verdict. Addresses in the file may be in
/// upper case. A line that the plugin does not understand is an error at configtest; the plugin leaves no entry out
/// silently.
#include <smtpd/base/domain.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class RcptMap final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.exempts_immune = false};

    struct Options {
        std::string domain;
        std::string file;
        std::string otherwise = "DENY=No_such_user";

        static OptionTable table() {
            return {option("domain", &Options::domain, "the domain whose recipients are looked up").required(),
                    option("file", &Options::file, "the list of its addresses: a path, or the name of a control file")
                        .required(),
                    option("default", &Options::otherwise,
                           "the verdict for recipients that are not in the file: VERDICT or VERDICT=text")};
        }
    };

    RcptMap(Setup& setup, const Options& options)
        : domain_(options.domain),
          others_(parse_default(setup, options.otherwise)),
          map_(setup.control().parsed<Map>(
              options.file.find('/') == std::string::npos ? setup.control().source(options.file)
                                                          : setup.control().source_at(setup.path(options.file)),
              [file = options.file, rule = setup.control().local_part_case()](const ControlText& text) {
                  return parse(file, text, rule);
              })) {
        setup.hooks.rcpt.add([this](const RcptHook& hook) { return accept(hook); });
        setup.hooks.rcpt.decide([this](const RcptHook& hook) { return judge(hook.recipient.address()); });
    }

private:
    using Map = std::unordered_map<std::string, VerdictLine>;

    static VerdictLine parse_default(Setup& setup, const std::string& words) {
        const auto equals = words.find('=');
        std::string text = equals == std::string::npos ? std::string() : words.substr(equals + 1);
        std::replace(text.begin(), text.end(), '_', ' ');
        auto entry = VerdictLine::parse(
            {format_text("default {} {}", words.substr(0, equals), text), setup.instance(), 0});
        if (entry) return *entry;
        setup.error(
            "default=\"{}\" must begin with OK, DECLINED, DENY, DENYSOFT, DENY_DISCONNECT or DENYSOFT_DISCONNECT",
            words);
        return {};
    }

    static Result<Map> parse(const std::string& file, const ControlText& text, LocalPartCase rule) {
        Map map;
        for (const auto& line : text) {
            auto entry = VerdictLine::parse(line);
            if (!entry) return entry.error();
            const auto address = Address::parse(entry->entry, {.smtputf8 = true, .local_part_case = rule});
            if (!address)
                return Error{ErrorCode::config,
                             format_text("{}: \"{}\" is not an address", line.position(), entry->entry)};
            map.insert_or_assign(address->key(), std::move(*entry));
        }
        if (map.empty()) return Error{ErrorCode::config, format_text("{} has no addresses, or does not exist", file)};
        return map;
    }

    /// The answer for a recipient of the domain. It is a copy, because the file may change in the meantime.
    VerdictLine find(const Address& recipient) const {
        const auto map = map_.get();
        const auto known = map->find(recipient.key());
        return known == map->end() ? others_ : known->second;
    }
    bool is_ours(const Address& recipient) const { return is_same_domain(recipient.domain(), domain_); }

    Response accept(const RcptHook& hook) const {
        const Address& recipient = hook.recipient.address();
        if (!is_ours(recipient) || find(recipient).verdict != Verdict::ok) return declined();
        hook.log(LogLevel::debug, "pass: {} is OK", quoted(recipient.to_string()));
        return ok();
    }

    Finding judge(const Address& recipient) const {
        if (!is_ours(recipient)) return skip("not in {}", domain_);
        const VerdictLine entry = find(recipient);
        if (!is_denial(entry.verdict)) return pass();
        return fail("{} is {} for {}", quoted(recipient.to_string()), verdict_name(entry.verdict), entry.entry)
            .reply(entry.text)
            .status(status::no_such_user)
            .refusal(entry.verdict);
    }

    const std::string domain_;
    const VerdictLine others_;
    Watched<Map> map_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("rcpt_map", smtpd::plugins::RcptMap);
