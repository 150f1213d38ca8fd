/// sender_login: an authenticated client sends under its own addresses only.
///
/// The control file `senderlogins` says whose an address is: an address, `@domain`, or a regular expression, as in
/// badmailfrom, then the logins that may use it.
///
///     joe@example.com    joe joe@example.com
///     sales@example.com  joe ann
///     @example.com       postmaster
///
/// The first line that matches the sender counts, so addresses stand before their domain. Logins are compared without
/// regard to upper and lower case. A sender that is in no line may be used by every client that has authenticated; with
/// `unlisted=refuse`, by that whose login it is, and nobody else. The null sender, of reports about other mail, is
/// everybody's.
///
/// `subaddress=+` says that what follows a + in a local part does not matter: who may use joe@example.com may use
/// joe+lists@example.com. (In the file, such an address is an expression, because of its +:
/// `/^joe\+lists@example\.com$/`.) Of the lines that match either, the first one counts. Several characters may be
/// given
/// (`subaddress=+-`); the first of them in the address counts. Use this only if your mail system, too, delivers such
/// addresses to joe.
///
/// Clients that have not authenticated may not use a sender of the list either, if `everybody` is on: then mail of its
/// domains comes through this server only.
///
///     SmtpPlugin sender_login unlisted=refuse
///
/// ## Replies
///
/// `550 5.7.1 joe may not send as ann@example.com`.
///
/// ## Differences from qpsmtpd
///
/// There is no such plugin there.
#include <smtpd/plugin.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <sstream>

namespace smtpd::plugins {

class SenderLogin final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr PolicyDefaults policy_defaults{.exempts_immune = false};  // who authenticated is a relay client

    struct Options {
        bool unlisted = true;
        bool everybody = false;
        std::string subaddress;
        static OptionTable table() {
            return {
                option("unlisted", &Options::unlisted, "whether a sender that is in no line may be used by every login")
                    .choices({{"allow", true}, {"refuse", false}}),
                option("everybody", &Options::everybody,
                       "whether clients that have not authenticated are refused senders of the list"),
                option("subaddress", &Options::subaddress,
                       "characters of which the first begins a part of the local part that does not matter")};
        }
    };

    SenderLogin(Setup& setup, const Options& options)
        : options_(options),
          rule_(setup.control().local_part_case()),
          owners_(setup.control().address_patterns("senderlogins")) {
        if (options.subaddress.find_first_of("@ 	\"") != std::string::npos)
            setup.error("option \"subaddress\": \"{}\" must be characters such as + or -", quoted(options.subaddress));
        setup.hooks.mail.decide([this](const MailHook& hook) { return judge(hook); });
    }

private:
    Finding judge(const MailHook& hook) const {
        const Connection& client = hook.connection;
        if (hook.sender().is_null()) return skip("the null sender");
        if (!client.is_authenticated() && !options_.everybody) return skip("nobody has logged in");
        const auto owners = owners_.get();
        const Address& sender = hook.sender();
        const auto plain = without_subaddress(sender);
        const ListEntry* const entry = plain ? first_of(owners->find(sender), owners->find(*plain))
                                             : owners->find(sender);
        const std::string& login = client.auth_user();
        if (entry ? is_among(entry->reason, login)
                  : may_use_unlisted(sender, client) || (plain && may_use_unlisted(*plain, client)))
            return pass();
        const std::string who = login.empty() ? "a client that has not logged in" : quoted(login);
        return refusal(hook, who);
    }

    /// The address that stands for it, if it has a part that does not matter: "joe+lists@…" is "joe@…".
    std::optional<Address> without_subaddress(const Address& sender) const {
        const auto end = sender.local_part().find_first_of(options_.subaddress);
        if (end == std::string::npos || end == 0) return std::nullopt;
        return Address::from_parts(sender.local_part().substr(0, end), sender.domain(), rule_);
    }

    /// Of two entries of one list.
    static const ListEntry* first_of(const ListEntry* one, const ListEntry* other) {
        return other != nullptr && (one == nullptr || std::less<>()(other, one)) ? other : one;
    }

    bool may_use_unlisted(const Address& sender, const Connection& client) const {
        return options_.unlisted || !client.is_authenticated() || list_key(client.auth_user(), rule_) == sender.key();
    }

    static bool is_among(const std::string& logins, const std::string& login) {
        std::istringstream words(logins);
        for (std::string word; words >> word;)
            if (!login.empty() && login_key(word) == login_key(login)) return true;
        return false;
    }

    static Finding refusal(const MailHook& hook, const std::string& who) {
        const std::string text = format_text("{} may not send as {}", who, quoted(hook.sender().to_string()));
        return fail("{}", text).reply(text);
    }

    const Options options_;
    const LocalPartCase rule_;
    const Watched<AddressPatterns> owners_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("sender_login", smtpd::plugins::SenderLogin);
