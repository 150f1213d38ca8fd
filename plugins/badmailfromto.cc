/// badmailfromto: reject pairs of sender and recipient.
///
/// Use it to stop a sender from writing to a certain recipient. At the rcpt hook the plugin looks up the pair in the
/// control file `badmailfromto`. The reply is the same as for a mailbox that does not exist. Relay clients and
/// whitelisted clients are not exempt, because the list is about two people, not about a host.
///
/// ## Control file
///
/// `badmailfromto` has a sender and a recipient on each line. Each is an address or `@domain`. Case does not matter
/// (see the directive SmtpLocalPartCase). The two forms of a non-ASCII domain are equivalent.
///
///     stalker@example.net   alice@example.com
///     @bulk.example.net     bob@example.com
///
/// ## Replies
///
/// `550 5.1.1`, "mail to <address> is not accepted here".
///
/// ## Differences from qpsmtpd
///
/// If several lines have the same sender, all of them count; in qpsmtpd only the last one does. The recipient may be an
/// `@domain`. The plugin has the options of all policy plugins.
#include <smtpd/base/domain.h>
#include <smtpd/plugin.h>

#include <set>

namespace smtpd::plugins {

class BadMailFromTo final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.exempts_immune = false};

    explicit BadMailFromTo(Setup& setup)
        : pairs_(setup.control().parsed<Pairs>(
              "badmailfromto",
              [rule = setup.control().local_part_case()](const ControlText& text) { return parse(text, rule); })) {
        setup.hooks.rcpt.decide(
            [this](const RcptHook& hook) { return judge(hook.transaction.sender(), hook.recipient.address()); });
    }

private:
    using Pairs = std::set<std::pair<std::string, std::string>>;

    static Result<Pairs> parse(const ControlText& text, LocalPartCase rule) {
        Pairs pairs;
        for (const auto& line : text) {
            const auto words = line.words();
            if (words.size() != 2 || words[0].find('@') == std::string::npos || words[1].find('@') == std::string::npos)
                return Error{
                    ErrorCode::config,
                    format_text("{}: expected a sender and a recipient, each an address or @domain", line.position())};
            for (const auto& word : words)
                if (!is_idna_domain(std::string_view(word).substr(word.rfind('@') + 1)))
                    return Error{ErrorCode::config,
                                 format_text("{}: \"{}\" has a label that IDNA does not allow, so no address can have "
                                             "it; write the domain in UTF-8, or in its xn-- form",
                                             line.position(), quoted(word))};
            pairs.emplace(list_key(words[0], rule), list_key(words[1], rule));
        }
        return pairs;
    }

    Finding judge(const Address& sender, const Address& recipient) const {
        if (sender.is_null()) return pass();
        const auto pairs = pairs_.get();
        for (const auto& from : {sender.key(), "@" + sender.domain_key()})
            for (const auto& to : {recipient.key(), "@" + recipient.domain_key()})
                if (pairs->contains({from, to}))
                    return fail("{} must not write to {}", quoted(from), quoted(to))
                        .reply(format_text("mail to {} is not accepted here", recipient))
                        .status(status::no_such_user.code);
        return pass();
    }

    Watched<Pairs> pairs_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("badmailfromto", smtpd::plugins::BadMailFromTo);
