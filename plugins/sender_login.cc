/// sender_login: let authenticated clients send only under their own addresses.
///
/// The control file `senderlogins` says which logins may use which sender address. Each line has an address, `@domain`,
/// or a regular expression, as in badmailfrom, and then the logins.
///
///     joe@example.com    joe joe@example.com
///     sales@example.com  joe ann
///     @example.com       postmaster
///
/// The first line that matches the sender decides, so put addresses before their domain. Logins ignore case. If no line
/// matches the sender, every authenticated client may use it. With `unlisted=refuse`, only the client whose login is
/// that address may use it. Every client may use the null sender, which is the sender of reports about other mail.
///
/// With `subaddress=+`, the plugin ignores the part of a local part after a +: a client that may use joe@example.com
/// may also use joe+lists@example.com. (In the file, such an address must be an expression, because of its +:
/// `/^joe\+lists@example\.com$/`.) If lines match both forms, the first of these lines decides. You can give several
/// characters (`subaddress=+-`); the plugin cuts the local part at the first of them. Use this only if your mail system
/// also delivers such addresses to joe.
///
/// With `everybody`, clients that have not authenticated may not use a listed sender either. Mail from the listed
/// domains must then come through this server.
///
///     SmtpPlugin sender_login unlisted=refuse
///
/// ## Replies
///
/// `550 5.7.1 joe may not send as ann@example.com`.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
#include <smtpd/plugin.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <sstream>

namespace smtpd::plugins {

class SenderLogin final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr PolicyDefaults policy_defaults{.exempts_immune = false};  // a login makes a relay client

    struct Options {
        bool unlisted = true;
        bool everybody = false;
        std::string subaddress;
        static OptionTable table() {
            return {
                option("unlisted", &Options::unlisted,
                       "whether every authenticated client may use a sender that no line lists")
                    .choices({{"allow", true}, {"refuse", false}}),
                option("everybody", &Options::everybody,
                       "whether to refuse listed senders to clients that have not authenticated"),
                option("subaddress", &Options::subaddress,
                       "characters of which the first in a local part begins a subaddress, which the plugin ignores")};
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
        if (!client.is_authenticated() && !options_.everybody) return skip("the client has not logged in");
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

    /// The address without its subaddress: "joe@…" for "joe+lists@…". Nothing if it has none.
    std::optional<Address> without_subaddress(const Address& sender) const {
        const auto end = sender.local_part().find_first_of(options_.subaddress);
        if (end == std::string::npos || end == 0) return std::nullopt;
        return Address::from_parts(sender.local_part().substr(0, end), sender.domain(), rule_);
    }

    /// The first of two entries of one list. Either may be null.
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
