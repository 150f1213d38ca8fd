/// badrcptto: reject recipients on a list.
///
/// At the rcpt hook the plugin looks up each recipient in the control file `badrcptto`. Other recipients of the same
/// message are not affected. The plugin reads the file again when it changes.
///
/// ## Control file
///
/// `badrcptto` has one entry a line, then an optional reason that becomes the reply.
///
///     bob@example.com      Bob left the company
///     @old.example.com
///     /^.*%/               no percent hack here
///
/// An entry is an address, `@domain`, or a regular expression. Any of the characters `/ ^ $ * + ! % ? \` makes an entry
/// a regular expression. Case does not matter; for local parts, the directive SmtpLocalPartCase can change that. A
/// non-ASCII domain has two forms, `bücher.example` and `xn--bcher-kva.example`: an entry matches in either form, and
/// an expression is tried on both. The first line that matches decides.
///
/// ## Replies
///
/// `550 5.1.1`, with the reason from the list or "mail to <address> is not accepted here".
///
/// ## Differences from qpsmtpd
///
/// The plugin has the options of all policy plugins (`reject`, `reject_type`, …). It does not change a pattern to lower
/// case before use, so `\S` stays `\S`. The reply names the address, not the pattern, because clients need not know the
/// entries of the list.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class BadRcptTo final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.karma_fail = -2};

    explicit BadRcptTo(Setup& setup) : bad_(setup.control().address_patterns("badrcptto")) {
        setup.hooks.rcpt.decide([this](const RcptHook& hook) { return judge(hook.recipient.address()); });
    }

private:
    Finding judge(const Address& recipient) const {
        const auto bad = bad_.get();
        const auto* entry = bad->find(recipient);
        if (!entry) return pass();
        return fail("{} is listed as {}", quoted(recipient.to_string()), quoted(entry->pattern))
            .reply(entry->reason_or(format_text("mail to {} is not accepted here", recipient)))
            .status(status::no_such_user.code);
    }

    Watched<AddressPatterns> bad_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("badrcptto", smtpd::plugins::BadRcptTo);
