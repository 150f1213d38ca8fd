/// badmailfrom: reject senders on a list.
///
/// At the mail hook the plugin looks up the sender in the control file `badmailfrom`, so the server rejects the message
/// before any of its text arrives. The null sender cannot be listed. The plugin reads the file again when it changes.
///
/// ## Control file
///
/// `badmailfrom` has one entry a line, then an optional reason that becomes the reply.
///
///     spammer@example.net      Your mail is not wanted here
///     @bulk.example.net
///     /^bounce-.*@.*\.example$/
///
/// An entry is an address, `@domain`, or a regular expression. Any of the characters `/ ^ $ * + ! % ? \` makes an entry
/// a regular expression. Case does not matter; for local parts, the directive SmtpLocalPartCase can change that. A
/// non-ASCII domain has two forms, `bücher.example` and `xn--bcher-kva.example`: an entry matches in either form, and
/// an expression is tried on both. The first line that matches decides.
///
/// ## Replies
///
/// `550 5.7.1`, with the reason from the list or "mail from <address> is not accepted here".
///
/// ## Differences from qpsmtpd
///
/// Patterns ignore case. qpsmtpd changes the address to lower case but not the pattern, so a pattern with a capital
/// letter never matches. To reject at RCPT, as qmail does, use `reject=naughty` and load naughty.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class BadMailFrom final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.karma_fail = -1};

    explicit BadMailFrom(Setup& setup) : bad_(setup.control().address_patterns("badmailfrom")) {
        setup.hooks.mail.decide([this](const MailHook& hook) { return judge(hook.sender()); });
    }

private:
    Finding judge(const Address& sender) const {
        if (sender.is_null()) return skip("null sender");
        const auto bad = bad_.get();
        const auto* entry = bad->find(sender);
        if (!entry) return pass();
        return fail("{} is listed as {}", quoted(sender.to_string()), quoted(entry->pattern))
            .reply(entry->reason_or(format_text("mail from {} is not accepted here", sender)));
    }

    Watched<AddressPatterns> bad_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("badmailfrom", smtpd::plugins::BadMailFrom);
