/// fcrdns: test whether the client's address has a name that leads back to it.
///
/// At the connect hook the plugin looks up the names of the client's address, and the addresses of the first ten of
/// these names. A client whose address is among them is confirmed (RFC 8601 2.7.3): the Received field and the log have
/// its name from then on, and it gets a point of karma. A client that fails the test loses a point. The plugin refuses
/// no client unless `reject=yes` is set, because the administrators of many honest servers cannot set that name.
///
/// A client also fails if its address has the name `localhost`, or only names that are not full host names. Connections
/// from this machine pass.
///
/// ## Authentication-Results
///
/// The plugin adds one entry of the method `iprev`: `pass`, `fail` (the address has names, but none leads back),
/// `permerror` (the address has no name) or `temperror` (the DNS gave no answer).
///
/// ## Replies
///
/// With `reject=yes`, `450 4.7.25 Your address has no name that leads back to it`; 550 5.7.25 with `reject_type=perm`.
///
/// ## Example
///
///     SmtpPlugin fcrdns
///     SmtpPlugin fcrdns reject=naughty timeout=3
///
/// ## Differences from qpsmtpd
///
/// `reject` and `timeout` work. IPv6 works. Only a name with exactly the client's address confirms the client. A name
/// with an address in the same /24 (IPv6: /64) passes the plugin, without karma, but is a `fail` of `iprev`. A name
/// that leads elsewhere is a failure; a DNS failure is not.
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class Fcrdns final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{
        .reject = PolicyDefaults::Reject::no, .reject_type = Verdict::denysoft, .karma_fail = -1, .karma_pass = 1};

    struct Options {
        Duration timeout = std::chrono::seconds(5);

        static OptionTable table() {
            return {option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min")};
        }
    };

    Fcrdns(Setup& setup, const Options& options) : timeout_(options.timeout) {
        setup.hooks.connect
            .ask([this](const ConnectHook& hook, Questions& questions) { ask(hook.connection.address(), questions); })
            .decide([](const ConnectHook& hook, const Answers& answers) { return judge(hook.connection, answers); });
    }

private:
    static constexpr std::size_t most_names = 10;

    void ask(const IpAddress& client, Questions& questions) const {
        if (client.is_loopback()) return;
        questions.timeout(timeout_);
        for (const auto& name : host_names(questions.ptr(client))) questions.dns(forward(client), name);
    }

    static DnsType forward(const IpAddress& client) { return client.is_v4() ? DnsType::a : DnsType::aaaa; }

    /// The names that can be host names: letters, digits, "-" and at least one ".".
    static std::vector<std::string> host_names(const DnsAnswer& ptr) {
        std::vector<std::string> names;
        for (const auto& name : ptr.names()) {
            const auto is_host_character = [](char c) {
                return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.';
            };
            const bool is_clean = std::all_of(name.begin(), name.end(), is_host_character);
            if (is_clean && name.find('.') != std::string::npos && names.size() < most_names) names.push_back(name);
        }
        return names;
    }

    static bool is_localhost(const std::string& name) {
        return ascii_equal(name, "localhost") || ascii_equal(name, "localhost.localdomain");
    }

    static Finding judge(Connection& connection, const Answers& answers) {
        const IpAddress& client = connection.address();
        if (client.is_loopback()) return pass("this machine");
        const DnsAnswer& ptr = answers.ptr(client);
        if (ptr.failed()) return error("{}: {}", client, ptr.error()).authentication_result(iprev("temperror", client));
        if (!ptr.found()) return refused("the address has no name").authentication_result(iprev("permerror", client));
        if (std::any_of(ptr.names().begin(), ptr.names().end(), is_localhost))
            return refused("{} is not localhost", client).authentication_result(iprev("fail", client));
        const auto names = host_names(ptr);
        if (names.empty())
            return refused("{} is not a host name", quoted(ptr.names().front()))
                .authentication_result(iprev("fail", client));
        return judge_names(connection, names, answers);
    }

    static Finding judge_names(Connection& connection, const std::vector<std::string>& names, const Answers& answers) {
        const IpAddress& client = connection.address();
        std::string neighbour, unknown;
        bool any_address = false;
        for (const auto& name : names) {
            const DnsAnswer& answer = answers.dns(forward(client), name);
            if (answer.failed()) unknown = format_text("{}: {}", name, answer.error());
            for (const auto& address : answer.addresses()) {
                any_address = true;
                if (address == client) {
                    connection.set_host(name);
                    return pass("{} is {}", client, name).authentication_result(iprev("pass", client, name));
                }
                if (near(address) == near(client)) neighbour = name;
            }
        }
        if (!neighbour.empty())
            return pass("{} is next to {}", client, neighbour)
                .karma(0)
                .authentication_result(iprev("fail", client, neighbour));
        if (!unknown.empty()) return error("{}", unknown).authentication_result(iprev("temperror", client));
        return refused("{} has {}", names.front(), any_address ? "other addresses" : "no address")
            .authentication_result(iprev("fail", client, names.front()));
    }

    static IpAddress near(const IpAddress& address) { return address.prefix(address.is_v4() ? 24 : 64); }

    static AuthenticationResult iprev(const char* result, const IpAddress& client, const std::string& name = {}) {
        return {.method = "iprev",
                .result = result,
                .properties = {{"policy", "iprev", client.to_string()}},
                .comment = name};
    }

    template <class... Arguments>
    static Finding refused(PatternFor<Arguments...> reason, const Arguments&... arguments) {
        return fail(format_text<Arguments...>(reason, arguments...))
            .status(EnhancedCode{5, 7, 25})
            .reply("Your address has no name that leads back to it");
    }

    const Duration timeout_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("fcrdns", smtpd::plugins::Fcrdns);
