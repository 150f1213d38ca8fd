/// hosts_allow: which hosts may connect, and how many times at once.
///
/// Asked when a connection is accepted, before anything is sent: first whether this client holds too many connections already, then the
/// list. Meant for the hosts that one knows; for lists in the DNS there is dnsbl.
///
/// ## Control file
///
/// `hosts_allow`: an address or a network, what to say to it, and for refusals a text. The first line that matches counts.
///
///     192.0.2.7          OK
///     192.0.2.0/24       DENYSOFT   you are many, come back one at a time
///     2001:db8::/32      DENY       not from there
///
/// The words are qpsmtpd's: OK and DECLINED let in, DENY (also DENY_DISCONNECT, DENYHARD) and DENYSOFT (DENYSOFT_DISCONNECT) refuse. After
/// OK, no other plugin is asked at this hook.
///
/// ## Connections at once
///
/// Clients are counted by the server, over all its processes, by address or prefix as SmtpMaxConnectionsPerClient has it; `max_per_client`
/// can be stricter than the server's own limit, for some virtual hosts say.
///
/// ## Replies
///
/// `451 4.7.0 Sorry, too many connections from <address>, try again later`; for the list, `550 5.7.1` or `451 4.7.1` with the text given.
///
/// ## Differences from qpsmtpd
///
/// IPv6. The limit is an option here; there it comes from the command line (`-m`).
#include <smtpd/plugin.h>
#include <smtpd/text.h>

namespace smtpd::plugins {

class HostsAllow final : public Plugin {
public:
    struct Options {
        unsigned max_per_client = 0;

        static OptionTable table() {
            return {option("max_per_client", &Options::max_per_client,
                           "connections that a client may hold at once; 0 = the server's own limit only")
                        .range("0", "1000000")};
        }
    };

    HostsAllow(Setup& setup, const Options& options)
        : max_per_client_(options.max_per_client), rules_(setup.control().parsed<std::vector<Rule>>("hosts_allow", parse)) {
        setup.hooks.pre_connection.add([this](const PreConnectionHook& hook) { return answer(hook); });
    }

private:
    struct Rule {
        IpNetwork network;
        Verdict verdict;
        std::string text;
    };

    static std::optional<Verdict> verdict_of(std::string_view word) {
        if (ascii_equal(word, "denyhard")) return Verdict::deny_disconnect;
        for (const auto verdict : {Verdict::ok, Verdict::declined, Verdict::deny, Verdict::denysoft, Verdict::deny_disconnect,
                                   Verdict::denysoft_disconnect})
            if (ascii_equal(word, verdict_name(verdict))) return verdict;
        return {};
    }

    static Result<std::vector<Rule>> parse(const ControlText& text) {
        std::vector<Rule> rules;
        for (const auto& line : text) {
            const auto [network_text, rest] = line.split();
            const auto end = rest.find_first_of(" \t");
            const auto network = NetworkList::parse_entry(network_text);
            const auto verdict = verdict_of(std::string_view(rest).substr(0, end));
            if (!network)
                return Error{ErrorCode::config, format_text("{}: \"{}\" is no IP address and no network", line.position(), network_text)};
            if (!verdict)
                return Error{ErrorCode::config,
                             format_text("{}: \"{}\" must be OK, DECLINED, DENY, DENYSOFT, DENY_DISCONNECT or DENYSOFT_DISCONNECT",
                                         line.position(), rest.substr(0, end))};
            const auto reason = end == std::string::npos ? end : rest.find_first_not_of(" \t", end);
            rules.push_back({*network, *verdict, reason == std::string::npos ? std::string() : rest.substr(reason)});
        }
        return rules;
    }

    Answer answer(const PreConnectionHook& hook) const {
        const IpAddress& client = hook.connection.address();
        if (max_per_client_ > 0 && hook.connection.sessions_of_client() > max_per_client_) {
            hook.log(LogLevel::info, "fail: {} connections from {}", hook.connection.sessions_of_client(), client);
            return denysoft("Sorry, too many connections from {}, try again later", client).with_status({4, 7, 0});
        }
        const auto rules = rules_.get();
        for (const auto& rule : *rules) {
            if (!rule.network.contains(client)) continue;
            hook.log(LogLevel::info, "{}: {} is in {}", is_denial(rule.verdict) ? "fail" : "pass", client, rule.network);
            return {rule.verdict, rule.text};
        }
        return declined();
    }

    const unsigned max_per_client_;
    Watched<std::vector<Rule>> rules_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("hosts_allow", smtpd::plugins::HostsAllow);
