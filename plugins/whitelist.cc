/// whitelist: exempt known clients, names, senders and recipients from the policy plugins.
///
/// The plugin looks up four lists, before the other plugins run, whatever the order of the configuration. A listed
/// client still may not relay: rcpt_ok decides about recipients.
///
/// These are the control files, when the plugin looks them up, and what a match exempts:
///
/// - `whitelisthosts`, when the connection is accepted: the connection, from all policy plugins. The connection also
///   gets 5 points of karma; plugins neither delay it nor look it up in the DNS;
/// - `whitelisthelo`, at HELO and EHLO: the name, from the helo plugin;
/// - `whitelistsenders`, at MAIL: the transaction, from all policy plugins;
/// - `whitelistrcpt`, at RCPT: this recipient, from the policy plugins of the rcpt hook.
///
/// Case does not matter; for local parts, the directive SmtpLocalPartCase can change that. The two forms of a non-ASCII
/// domain are equivalent. Clients can give any sender and any name, so do not list a name or address that others might
/// use. The plugin reads the files again when they change.
///
/// ## Control files
///
/// Each line has one entry. Text after it is a comment.
///
///     192.0.2.1              whitelisthosts: an address
///     192.0.2.0/24           a network; 2001:db8::/32
///     192.0.2.               a prefix, at whole parts; 2001:db8:
///     mx.example.com         whitelisthelo: a name
///     friend@example.net     whitelistsenders, whitelistrcpt: an address
///     example.org            a whole domain; @example.org is the same
///
/// ## For each recipient
///
/// With `per_recipient` the plugin looks up all four lists at RCPT. It also looks up the recipient's own lists, which
/// plugins of the hook user_config give. A match exempts that recipient at the rcpt hook. If all recipients of a
/// message are exempt, the message is exempt too. With `merge=no`, a recipient's own list replaces the common list of
/// that name.
///
/// ## Differences from qpsmtpd
///
/// In qpsmtpd a match at RCPT accepts the recipient before rcpt_ok is asked, and a listed sender may relay. In its file
/// of hosts, `10.0.0.1` also matches 10.0.0.10. Here a match ends no hook, so plugins that make no policy decision
/// (greeting, TLS, logs) still run. `whitelistclient` and the environment variable WHITELISTCLIENT do not exist,
/// because httpd connections have no environment variables.
#include <smtpd/base/domain.h>
#include <smtpd/base/text.h>
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

namespace smtpd::plugins {
namespace {

/// Names or addresses as list_key() returns them.
using Words = std::unordered_set<std::string>;

Result<Words> parse_words(const ControlText& text, LocalPartCase rule) {
    Words words;
    for (const auto& line : text) {
        const std::string word = list_key(line.split().first, rule);
        words.insert(word.starts_with('@') ? word.substr(1) : word);
    }
    return words;
}

bool has_address(const Words& words, const Address& address) {
    return !address.is_null() && (words.contains(address.key()) || words.contains(address.domain_key()));
}

}  // namespace

class Whitelist final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        bool per_recipient = false;
        bool merge = true;

        static OptionTable table() {
            return {
                option("per_recipient", &Options::per_recipient, "look up all lists at RCPT, for each recipient"),
                option("merge", &Options::merge,
                       "with per_recipient: whether the common lists also apply to recipients with their own lists")};
        }
    };

    Whitelist(Setup& setup, const Options& options)
        : merge_(options.merge),
          hosts_(setup.control().networks("whitelisthosts")),
          parse_words_(
              [rule = setup.control().local_part_case()](const ControlText& text) { return parse_words(text, rule); }),
          hellos_(setup.control().parsed<Words>("whitelisthelo", parse_words_)),
          senders_(setup.control().parsed<Words>("whitelistsenders", parse_words_)),
          recipients_(setup.control().parsed<Words>("whitelistrcpt", parse_words_)) {
        auto& hooks = setup.hooks;
        if (options.per_recipient) {
            hooks.rcpt.observe(Priority::early, [this](RcptHook& hook) { look_up_for(hook); });
            hooks.data.observe(Priority::early, [](const DataHook& hook) { exempt_message(hook); });
            return;
        }
        hooks.pre_connection.observe(Priority::early, [this](const PreConnectionHook& hook) { look_up_host(hook); });
        for (auto* point : {&hooks.helo, &hooks.ehlo})
            point->observe(Priority::early, [this](const HelloHook& hook) { look_up_hello(hook); });
        hooks.mail.observe(Priority::early, [this](const MailHook& hook) { look_up_sender(hook); });
        hooks.rcpt.observe(Priority::early, [this](RcptHook& hook) { look_up_recipient(hook); });
    }

private:
    static constexpr int karma_of_host = 5;

    void look_up_host(const PreConnectionHook& hook) const {
        const auto hosts = hosts_.get();
        const auto* entry = hosts->find(hook.connection.address());
        if (!entry) return;
        hook.connection.set_whitelisted(entry->pattern);
        hook.connection.adjust_karma(karma_of_host);
        hook.log(LogLevel::info, "pass: {} is listed as {}", hook.connection.address(), quoted(entry->pattern));
    }

    void look_up_hello(const HelloHook& hook) const {
        hook.connection.notes().remove(notes::whitelisthelo);
        if (!hellos_->contains(ascii_domain(hook.host))) return;
        hook.connection.notes().set(notes::whitelisthelo, std::string(hook.host));
        hook.log(LogLevel::info, "pass: the name {} is listed", quoted(hook.host));
    }

    void look_up_sender(const MailHook& hook) const {
        if (!has_address(*senders_.get(), hook.sender())) return;
        hook.transaction.set_whitelisted(quoted(hook.sender().to_string()));
        hook.log(LogLevel::info, "pass: the sender {} is listed", quoted(hook.sender().to_string()));
    }

    void look_up_recipient(RcptHook& hook) const {
        if (has_address(*recipients_.get(), hook.recipient.address())) exempt(hook, "the recipient");
    }

    // --- per_recipient

    void look_up_for(RcptHook& hook) const {
        const Connection& connection = hook.connection;
        const Address& sender = hook.transaction.sender();
        const auto has_host = [&](const NetworkList& list) { return list.find(connection.address()) != nullptr; };
        const auto has_hello = [&](const Words& list) { return list.contains(ascii_domain(connection.hello_host())); };
        const auto has_sender = [&](const Words& list) { return has_address(list, sender); };
        const auto has_recipient = [&](const Words& list) { return has_address(list, hook.recipient.address()); };
        if (any(hook, "whitelisthosts", hosts_, NetworkList::parse, has_host)) return exempt(hook, "the host");
        if (any(hook, "whitelisthelo", hellos_, parse_words_, has_hello)) return exempt(hook, "the name");
        if (any(hook, "whitelistsenders", senders_, parse_words_, has_sender)) return exempt(hook, "the sender");
        if (any(hook, "whitelistrcpt", recipients_, parse_words_, has_recipient)) return exempt(hook, "the recipient");
    }

    /// Whether the recipient's list has it, or the common list if that applies to the recipient.
    template <class List, class Parse, class Has>
    bool any(const RcptHook& hook, const char* name, const Watched<List>& common, Parse parse, Has has) const {
        const auto lines = hook.connection.config(name, hook.recipient.address());
        if (lines.empty()) return has(*common.get());
        ControlText text;
        for (const auto& line : lines) text.push_back({line, name, static_cast<unsigned>(text.size() + 1)});
        const auto own = parse(text);
        if (!own)
            hook.log(LogLevel::warning, "of {}: {}", quoted(hook.recipient.address().to_string()), own.error().what);
        return (own && has(*own)) || (merge_ && has(*common.get()));
    }

    static void exempt(RcptHook& hook, const char* what) {
        const std::string recipient = quoted(hook.recipient.address().to_string());
        hook.recipient.set_whitelisted(format_text("{} is listed", what));
        hook.log(LogLevel::info, "pass: {} is listed, for {}", what, recipient);
    }

    static void exempt_message(const DataHook& hook) {
        const auto& recipients = hook.transaction.recipients();
        const bool all = std::all_of(recipients.begin(), recipients.end(),
                                     [](const Recipient& recipient) { return !recipient.whitelisted().empty(); });
        if (all && !recipients.empty()) hook.transaction.set_whitelisted("for all recipients");
    }

    const bool merge_;
    Watched<NetworkList> hosts_;
    const std::function<Result<Words>(const ControlText&)> parse_words_;
    Watched<Words> hellos_, senders_, recipients_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("whitelist", smtpd::plugins::Whitelist);
