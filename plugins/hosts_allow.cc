/// hosts_allow: control which hosts may connect, and how many connections each may have.
///
/// When the server accepts a connection, before it sends anything, the plugin first tests whether the client already
/// has too many connections, and then looks at the list. The list is for hosts that you know; for DNS block lists, use
/// dnsbl.
///
/// ## Control file
///
/// A line of `hosts_allow` has an address or a network, a verdict and, for refusals, a text. The first line that
/// matches decides.
///
///     192.0.2.7          OK
///     192.0.2.0/24       DENYSOFT   you are many, come back one at a time
///     2001:db8::/32      DENY       not from there
///
/// The verdicts are the same as in qpsmtpd: OK and DECLINED permit the connection; DENY (also DENY_DISCONNECT,
/// DENYHARD) rejects it; DENYSOFT (also DENYSOFT_DISCONNECT) defers it. After OK, no further plugin runs at this hook.
///
/// ## Connections at once
///
/// The server counts a client's connections in all its processes, by address or by prefix as
/// SmtpMaxConnectionsPerClient says. `max_per_client` can be stricter than the server's own limit, for example for some
/// virtual hosts. If karma is loaded, a client with a history of more than 5 may have 3 more connections, and a client
/// with a history below 0 may have only one.
///
/// ## Replies
///
/// `451 4.7.0 Sorry, too many connections from <address>, try again later`; for the list, `550 5.7.1` or `451 4.7.1`
/// with the given text.
///
/// ## Differences from qpsmtpd
///
/// IPv6 works. The limit is an option; in qpsmtpd it comes from the command line (`-m`). Clients that karma does not
/// know yet have the usual limit; in qpsmtpd they may have one connection.
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class HostsAllow final : public Plugin {
public:
    struct Options {
        unsigned max_per_client = 0;

        static OptionTable table() {
            return {option("max_per_client", &Options::max_per_client,
                           "how many connections a client may have at once; 0 = only the server's own limit")
                        .range("0", "1000000")};
        }
    };

    HostsAllow(Setup& setup, const Options& options)
        : max_per_client_(options.max_per_client),
          rules_(setup.control().parsed<std::vector<Rule>>("hosts_allow", parse)) {
        setup.hooks.pre_connection.add([this](const PreConnectionHook& hook) { return respond(hook); });
    }

private:
    struct Rule {
        IpNetwork network;
        Verdict verdict;
        std::string text;
    };

    static Result<std::vector<Rule>> parse(const ControlText& text) {
        std::vector<Rule> rules;
        for (const auto& line : text) {
            auto rule = VerdictLine::parse(line);
            if (!rule) return rule.error();
            const auto network = NetworkList::parse_entry(rule->entry);
            if (!network)
                return Error{ErrorCode::config, format_text("{}: \"{}\" is neither an IP address nor a network",
                                                            line.position(), rule->entry)};
            rules.push_back({*network, rule->verdict, std::move(rule->text)});
        }
        return rules;
    }

    Response respond(const PreConnectionHook& hook) const {
        const IpAddress& client = hook.connection.address();
        if (max_per_client_ > 0 && hook.connection.sessions_of_client() > limit_for(hook.connection)) {
            hook.log(LogLevel::info, "fail: {} connections from {}", hook.connection.sessions_of_client(), client);
            return denysoft("Sorry, too many connections from {}, try again later", client).with_status({4, 7, 0});
        }
        const auto rules = rules_.get();
        for (const auto& rule : *rules) {
            if (!rule.network.contains(client)) continue;
            const bool is_fail = is_denial(rule.verdict);
            hook.log(is_fail ? LogLevel::info : LogLevel::debug, "{}: {} is in {}", is_fail ? "fail" : "pass", client,
                     rule.network);
            return {rule.verdict, rule.text};
        }
        return declined();
    }

    unsigned limit_for(const Connection& client) const {
        const auto* history = client.notes().find(notes::karma_history);
        if (history && *history < 0) return 1;
        return history && *history > 5 ? max_per_client_ + 3 : max_per_client_;
    }

    const unsigned max_per_client_;
    Watched<std::vector<Rule>> rules_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("hosts_allow", smtpd::plugins::HostsAllow);
