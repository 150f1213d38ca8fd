/// qmail_deliverable: ask the mailbox server whether a recipient has a mailbox.
///
/// For each recipient the plugin asks qmail-deliverabled, the daemon of Qmail::Deliverable, over HTTP, before the
/// message arrives. There are three answers:
///
/// - yes: qmail or vpopmail delivers to the address;
/// - no: there is no such mailbox, which is a `fail`. A message with the null sender to a mailing list is a `fail` too;
/// - cannot tell: the daemon does not answer, has no permission to look, or finds the mailbox temporarily unusable.
///   That is an `error`: the next plugin decides, unless `onerror=tempfail` is set. Then the plugin defers the
///   recipient.
///
/// The plugin skips addresses that are not local to the daemon.
///
///     SmtpPlugin qmail_deliverable server=192.0.2.10:8998
///     SmtpPlugin rcpt_ok
///
/// ## Which server
///
/// `server` is a host and a port. With `smtproutes:` in front, the plugin reads qmail's control file `smtproutes`: it
/// asks about a domain at the host to which the domain's mail is routed. It does not use the port in the route, which
/// is for SMTP. If a host follows the colon, the plugin asks that host about all other domains. Without such a host, as
/// in `server=smtproutes:8998`, it skips other domains.
///
///     example.com:mail1.example.com
///     .example.com:192.0.2.11
///     example.org:[2001:db8::10]:25
///
/// Hosts are addresses or names. The plugin looks up names in `/etc/hosts`, as the file was when httpd started, and in
/// the DNS. If a server does not answer, the plugin does not ask it for about ten seconds, so a dead server does not
/// delay many clients. Each further failure doubles that time, up to five minutes.
///
/// ## Replies
///
/// `550 5.1.1 Sorry, no mailbox by that name`; `550 5.7.1 mailing lists do not accept null senders`.
///
/// ## Differences from qpsmtpd
///
/// Answers that neither confirm nor deny are errors, and `onerror` decides; in qpsmtpd they all mean yes. `reject`
/// applies to mailing lists too. The option `vpopmail_ext` does not exist: it is a setting of the daemon, and has no
/// effect on the client. The plugin reads smtproutes again when it changes.
#include <smtpd/backend/backend.h>
#include <smtpd/base/domain.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <charconv>

namespace smtpd::plugins {
namespace {

constexpr std::size_t largest_response = 64 * 1024;

/// Splits "host:port", "192.0.2.1:port" or "[2001:db8::1]:port" at the last colon outside brackets.
std::pair<std::string, std::string> split_port(std::string_view text) {
    const auto colon = text.rfind(':');
    const auto bracket = text.rfind(']');
    if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
        return {std::string(text), {}};
    return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

std::string without_brackets(std::string_view host) {
    return std::string(host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2)
                                                                                    : host);
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number number{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || problem != std::errc() || end != text.data() + text.size()) return {};
    return number;
}

/// qmail's smtproutes: the hosts that accept the mail of domains.
class Routes {
public:
    static Result<Routes> parse(const ControlText& text) {
        Routes routes;
        for (const auto& line : text) {
            const std::string route = line.split().first;
            const auto colon = route.find(':');
            if (colon == std::string::npos)
                return Error{ErrorCode::config,
                             format_text("{}: \"{}\" is not of the form domain:host", line.position(), route)};
            const std::string relay = route.substr(colon + 1);
            const auto end = relay.starts_with('[') ? relay.find(']') + 1 : relay.find(':');
            routes.hosts_.insert_or_assign(ascii_domain(route.substr(0, colon)),
                                           without_brackets(relay.substr(0, end)));
        }
        return routes;
    }

    /// The host of the route; "" without a route, or if the route leaves the host to the DNS.
    std::string find(const std::string& domain) const {
        if (const auto route = hosts_.find(domain); route != hosts_.end()) return route->second;
        for (auto dot = domain.find('.'); dot != std::string::npos; dot = domain.find('.', dot + 1))
            if (const auto route = hosts_.find(domain.substr(dot)); route != hosts_.end()) return route->second;
        const auto others = hosts_.find("");
        return others == hosts_.end() ? std::string() : others->second;
    }

private:
    std::unordered_map<std::string, std::string> hosts_;
};

/// The path of the question about an address.
std::string path_for(std::string_view address) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string path = "/qd1/deliverable?";
    for (const char c : address) {
        const auto octet = static_cast<unsigned char>(c);
        if (is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') path += c;
        else path.append({'%', digits[octet >> 4], digits[octet & 15]});
    }
    return path;
}

/// The status number in an HTTP response.
Result<unsigned> status_in(std::string_view response) {
    const auto unusable = [](std::string_view what) { return Error{ErrorCode::unavailable, std::string(what)}; };
    const auto code_begin = response.find(' ');
    if (!response.starts_with("HTTP/1.") || code_begin == std::string_view::npos)
        return unusable("the server does not speak HTTP");
    const auto code = response.substr(code_begin + 1, 3);
    if (code == "204") return unusable("the server does not know");
    if (code == "403") return unusable("the server refuses to answer (403)");
    if (code != "200") return unusable(format_text("the server answers {}", quoted(code)));
    const auto head_end = response.find("\r\n\r\n");
    std::string_view body = head_end == std::string_view::npos ? std::string_view() : response.substr(head_end + 4);
    body = body.substr(0, body.find_last_not_of(" \t\r\n") + 1);
    const auto status = parse_number<unsigned>(body);
    if (!status) return unusable(format_text("the server's answer is not a status: {}", quoted(body, 40)));
    return *status;
}

}  // namespace

class QmailDeliverable final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.karma_fail = -1};
    static constexpr bool waits_for_backend = true;

    struct Options {
        std::string server = "127.0.0.1:8998";
        Duration timeout = std::chrono::seconds(5);

        static OptionTable table() {
            return {option("server", &Options::server,
                           "the server to ask: host:port, smtproutes:port or smtproutes:host:port"),
                    option("timeout", &Options::timeout, "how long to wait for an answer").range("10ms", "1min")};
        }
    };

    QmailDeliverable(Setup& setup, const Options& options)
        : timeout_(options.timeout), servers_(setup.instance(), {}, settings(), setup.clock(), setup.log()) {
        std::string_view server = options.server;
        const bool by_routes = server.starts_with("smtproutes:");
        if (by_routes) server.remove_prefix(std::string_view("smtproutes:").size());
        auto [host, port] = split_port(server);
        if (by_routes && port.empty()) std::swap(host, port);
        const auto number = parse_number<std::uint16_t>(port);
        host_ = without_brackets(host);
        if (!number || *number == 0 || (host_.empty() && !by_routes))
            setup.error("server=\"{}\" must be host:port, smtproutes:port or smtproutes:host:port", options.server);
        else port_ = *number;
        if (by_routes) routes_ = setup.control().parsed<Routes>("smtproutes", Routes::parse);
        setup.hooks.rcpt
            .ask([this](const RcptHook& hook, Questions& questions) {
                ask_for_host(server_for(hook.recipient.address()), questions);
            })
            .decide([this](const RcptHook& hook, const Answers& answers) { return judge(hook, answers); });
    }

private:
    /// The host to ask about that recipient; "" if there is none.
    std::string server_for(const Address& recipient) const {
        if (!recipient.has_domain()) return {};
        const std::string routed = routes_ ? routes_->get()->find(recipient.domain_key()) : std::string();
        return routed.empty() ? host_ : routed;
    }

    std::vector<ServerAddress> at(const std::string& host) const { return {ServerAddress::tcp(host, port_)}; }

    void ask_for_host(const std::string& host, Questions& questions) const {
        if (host.empty()) return;
        const auto server = at(host);
        servers_.ask(questions, &server);
    }

    Finding judge(const RcptHook& hook, const Answers& answers) {
        const Address& recipient = hook.recipient.address();
        const std::string host = server_for(recipient);
        if (host.empty()) return skip("there is no server to ask about {}", quoted(recipient.to_string()));
        const auto server = at(host);
        if (!servers_.is_available(&server)) return error("{} did not answer a moment ago", quoted(host));
        auto connection = servers_.open(answers, hook.deadline(timeout_), {.servers = &server});
        if (!connection && connection.error().code == ErrorCode::not_found)
            return error("the server {} has no address: {}", quoted(host), answers.addresses(host).error());
        if (!connection) return error("{}", connection.error().what);
        const auto response = fetch(connection->socket(), path_for(question(recipient)));
        connection->report(response);
        if (!response) return error("{}", response.error().what);
        const auto status = status_in(*response);
        if (!status) return error("{}: {}", quoted(host), status.error().what);
        return finding_for(*status, recipient, hook.transaction.sender());
    }

    /// The address in the form that the daemon knows: qmail has domains in ASCII.
    static std::string question(const Address& recipient) {
        return Address::from_parts(recipient.local_part(), recipient.domain_key()).to_string();
    }

    static Result<std::string> fetch(ClientSocket& server, const std::string& path) {
        const auto sent = server.send(
            format_text("GET {} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n", path, server.peer()));
        if (!sent) return sent.error();
        return server.receive_all(largest_response);
    }

    static Finding finding_for(unsigned status, const Address& recipient, const Address& sender) {
        const std::string who = quoted(recipient.to_string());
        switch (status) {
            case 0x00:
                return fail("{} does not exist", who)
                    .reply("Sorry, no mailbox by that name")
                    .status(status::no_such_user.code);
            case 0x11: return error("cannot tell about {}: no permission to look", who);
            case 0x12: return pass("{}: a command in dot-qmail", who);
            case 0x13: return pass("{}: bouncesaying with a program", who);
            case 0x14:
                if (sender.is_null())
                    return fail("{} is a mailing list, the sender is null", who)
                        .reply("mailing lists do not accept null senders");
                return pass("{}: mailing list", who);
            case 0x21: return error("cannot tell about {}: others may write to its folder", who);
            case 0x22: return error("cannot tell about {}: its folder is sticky", who);
            case 0x2f: return error("cannot tell about {}: the server cannot ask", who);
            case 0xf1: return pass("{}: normal delivery", who);
            case 0xf2: return pass("{}: vpopmail directory", who);
            case 0xf3: return pass("{}: vpopmail alias", who);
            case 0xf4: return pass("{}: vpopmail catch-all", who);
            case 0xf5: return pass("{}: vpopmail user", who);
            case 0xf6: return pass("{}: vpopmail extension", who);
            case 0xff: return skip("{} is not local there", who);
            default: return error("cannot tell about {}: status {}", who, status);  // including 0xfe, "impossible"
        }
    }

    /// The protocol is HTTP/1.0, which uses one connection for each question. A server that failed is not asked for a
    /// while.
    static BackendSettings settings() { return {.most_failures = 1, .first_pause = std::chrono::seconds(10)}; }

    const Duration timeout_;
    const Backend servers_;  ///< the servers that the configuration or smtproutes name
    std::string host_;
    std::uint16_t port_ = 0;
    std::optional<Watched<Routes>> routes_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("qmail_deliverable", smtpd::plugins::QmailDeliverable);
