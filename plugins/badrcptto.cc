/// badrcptto: refuse recipients on a list.
///
/// Looks up each recipient in the control file `badrcptto` at the rcpt hook, so that the others of the same message are
/// not concerned. The file is read again when it changes.
///
/// ## Control file
///
/// `badrcptto`: one entry a line, then an optional reason that becomes the reply.
///
///     bob@example.com      Bob left the company
///     @old.example.com
///     /^.*%/               no percent hack here
///
/// An entry is an address, `@domain`, or a regular expression, which any of `/ ^ $ * + ! % ? \` makes of it. Upper and
/// lower case are alike (of local parts, unless the directive SmtpLocalPartCase says otherwise). A domain beyond ASCII
/// has two forms, `bücher.example` and `xn--bcher-kva.example`: an entry matches in either, and an expression is
/// searched in both. The first line that matches counts.
///
/// ## Replies
///
/// `550 5.1.1`, with the reason from the list or "mail to <address> is not accepted here".
///
/// ## Differences from qpsmtpd
///
/// It has the options of all policy plugins (`reject`, `reject_type`, …). A pattern is not folded to lower case before
/// use, so that `\S` stays `\S`. The reply names the address, not the pattern: what the list looks like is nobody's
/// business.
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
