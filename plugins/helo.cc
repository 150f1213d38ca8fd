/// helo: refuse clients whose name in HELO or EHLO is not credible.
///
/// The plugin tests the name at the hooks helo and ehlo. `policy` says which tests it makes. The first test that fails
/// decides. The policies are
///
/// - `lenient` (default), which refuses a name in the list `badhelo`; `localhost` from another machine; an address
///   literal that is not the client's address; an address without brackets;
/// - `rfc`, which also refuses a name that is not fully qualified, or has characters that host names must not have; a
///   name without an address in the DNS; a client whose address has no name;
/// - `strict`, which also refuses every address literal; a name that does not lead to the client's address, unless the
///   address leads to the name.
///
/// A name leads to the client if one of its addresses is the client's address, or is in the same /24 (IPv6: has the
/// same first six groups). The client's address leads to the name if one of the address's names is the same, or has the
/// same last two parts. With `strict`, a client whose name and address lead to each other gets a point of karma.
///
/// If the DNS does not answer, the test that asked it neither passes nor fails. The plugin makes the remaining tests.
/// If the client passes them, `onerror` decides.
///
/// Users' mail programs (on a submission port) often give private names and addresses. Do not load this plugin there,
/// or use `reject=naughty`: the server drops such a refusal when the user logs in.
///
/// ## Control file
///
/// `badhelo` has one name or regular expression a line. Any of the characters `{ } [ ] ( ) ^ $ | * + ? \ !` makes an
/// entry a regular expression; a leading `!` negates it. Case does not matter. A non-ASCII name has two forms,
/// `müller-pc` and `xn--mller-pc-65a`, which are equivalent; an expression is tried on both. An optional reason after
/// the entry becomes the reply.
///
///     mx.example.com             You are not me
///     ^dsl-.*\.example\.net$
///     !\.
///
/// ## Replies
///
/// The reply is 550 5.7.1 with a text that says which test failed. The server closes the connection unless
/// `reject_type` says otherwise.
///
/// ## Notes
///
/// With `rfc` and `strict`, the plugin sets the connection's notes `helo_forward_match` and `helo_reverse_match`. A
/// name in the note `whitelisthelo` is not tested.
///
/// ## Header field
///
/// Each message gets the field `X-HELO` with the name that the client gave, in ASCII: U-labels become A-labels (xn--…),
/// and other non-ASCII octets become question marks. The plugin removes a field of that name that came with the
/// message.
///
/// ## Differences from qpsmtpd
///
/// `reject_type` and `timeout` work. Names may have IPv6 addresses. The plugin looks at all lines of `badhelo`; qpsmtpd
/// ignores those after the first expression. Literals with a wrong IPv6 address are refused too. A name that exists but
/// has no address is refused, like a name that does not exist. A failing DNS is not a reason to refuse. HELO without a
/// name is a syntax error, which the server refuses before this plugin runs.
#include <smtpd/base/domain.h>
#include <smtpd/base/text.h>
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class Helo final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::deny_disconnect, .karma_fail = -1};
    static constexpr bool reads_body = false;

    enum class Policy { lenient, rfc, strict };

    struct Options {
        Policy policy = Policy::lenient;
        Duration timeout = std::chrono::seconds(5);

        static OptionTable table() {
            return {option("policy", &Options::policy, "how strict the tests are")
                        .choices({{"lenient", Policy::lenient}, {"rfc", Policy::rfc}, {"strict", Policy::strict}}),
                    option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min")};
        }
    };

    Helo(Setup& setup, const Options& options)
        : options_(options), bad_(setup.control().parsed<BadNames>("badhelo", parse)) {
        for (auto* point : {&setup.hooks.helo, &setup.hooks.ehlo})
            point->ask([this](const HelloHook& hook, Questions& questions) { ask(hook, questions); })
                .decide([this](const HelloHook& hook, const Answers& answers) { return judge(hook, answers); });
        setup.hooks.data_post.observe([](const DataPostHook& hook) { add_field(hook); });
    }

private:
    struct BadName {
        ListEntry entry;
        std::optional<Pattern> pattern;  ///< without a pattern the entry is `name`
        std::string name;                ///< as ascii_domain() returns it
        bool is_negated = false;
    };
    using BadNames = std::vector<BadName>;

    static Result<BadNames> parse(const ControlText& text) {
        BadNames names;
        for (const auto& line : text) {
            auto [word, reason] = line.split();
            BadName name{{word, reason}, {}, ascii_domain(word), word.starts_with('!')};
            if (word.find_first_of("{}[]()^$|*+?\\!") != std::string::npos) {
                auto pattern = Pattern::compile(std::string_view(word).substr(name.is_negated ? 1 : 0),
                                                Pattern::Case::folded);
                if (!pattern)
                    return Error{ErrorCode::config, format_text("{}: {}", line.position(), pattern.error().what)};
                name.pattern = std::move(*pattern);
            }
            names.push_back(std::move(name));
        }
        return names;
    }

    void ask(const HelloHook& hook, Questions& questions) const {
        if (options_.policy == Policy::lenient || is_whitelisted(hook)) return;
        questions.timeout(options_.timeout);
        questions.ptr(hook.connection.address());
        if (!is_literal(hook.host)) questions.addresses(hook.host);
    }

    Finding judge(const HelloHook& hook, const Answers& answers) const {
        hook.connection.notes().remove(notes::helo_forward_match);
        hook.connection.notes().remove(notes::helo_reverse_match);
        if (is_whitelisted(hook)) return skip("the name is whitelisted");
        if (auto refusal = refuse_by_name(hook)) return std::move(*refusal);
        return options_.policy == Policy::lenient ? pass() : judge_by_dns(hook, answers);
    }

    static bool is_whitelisted(const HelloHook& hook) {
        const auto* name = hook.connection.notes().find(notes::whitelisthelo);
        return name && *name == hook.host;
    }

    static bool is_literal(std::string_view host) { return host.starts_with('[') && host.ends_with(']'); }

    static Finding refused(std::string_view host, std::string_view why, std::string text) {
        return fail("{} {}", quoted(host), why).reply(std::move(text));
    }

    /// The tests that need no DNS.
    std::optional<Finding> refuse_by_name(const HelloHook& hook) const {
        const std::string host = ascii_domain(hook.host);
        const IpAddress& client = hook.connection.address();
        const auto bad = bad_.get();
        for (const auto& name : *bad)
            if (is_bad(name, host))
                return refused(host, "is on the list",
                               name.entry.reason_or("I do not believe that you are " + printable_domain(host)));
        if (host == "localhost" && !client.is_loopback())
            return refused(host, "is another machine", "You are not localhost");
        if (is_literal(host) && literal(host) != client)
            return refused(host, "is another address", format_text("Your address is not {}", printable_domain(host)));
        if (IpAddress::parse(host))
            return refused(host, "is a bare address", "An address without brackets is not a name");
        if (options_.policy == Policy::lenient) return std::nullopt;
        if (is_literal(host) && options_.policy == Policy::rfc) return std::nullopt;
        if (is_literal(host))
            return refused(host, "is an address literal", "Address literals are valid, but not welcome here");
        if (host.find('.') == std::string::npos)
            return refused(host, "is not fully qualified", "Your name is not fully qualified");
        const auto is_host_character = [](char c) {
            return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.';
        };
        // RFC 6531 3.7.1: with SMTPUTF8, too, a client gives its name in A-labels.
        if (std::all_of(hook.host.begin(), hook.host.end(), is_host_character)) return std::nullopt;
        return refused(host, "is not a host name", "Your name has characters that host names must not have");
    }

    static bool is_bad(const BadName& bad, const std::string& host) {
        if (!bad.pattern) return bad.name == host;
        return (bad.pattern->matches(host) || bad.pattern->matches(unicode_domain(host))) != bad.is_negated;
    }

    static std::optional<IpAddress> literal(std::string_view host) {
        host = host.substr(1, host.size() - 2);
        if (host.starts_with("ipv6:")) host.remove_prefix(5);
        return IpAddress::parse(host);
    }

    Finding judge_by_dns(const HelloHook& hook, const Answers& answers) const {
        const IpAddress& client = hook.connection.address();
        std::string unknown;
        std::optional<HostAddresses> forward;  // none for a literal
        if (!is_literal(hook.host)) forward = answers.addresses(hook.host);
        const DnsAnswer& reverse = answers.ptr(client);
        if (forward && forward->failed()) unknown = format_text("{}: {}", quoted(hook.host), forward->error());
        const auto is_near = [&](const IpAddress& address) { return near(address) == near(client); };
        const bool leads_here = forward && std::any_of(forward->all().begin(), forward->all().end(), is_near);
        if (forward && (leads_here || unknown.empty()))
            hook.connection.notes().set(notes::helo_forward_match, leads_here);
        if (forward && forward->is_absent())
            return refused(hook.host, "does not resolve", format_text("{} has no address in the DNS", hook.host));

        if (reverse.failed()) unknown = format_text("{}: {}", client, reverse.error());
        if (reverse.is_absent())
            return refused(hook.host, "has an address without a name",
                           format_text("There is no name for {} in the DNS", client));
        const bool leads_back = std::any_of(reverse.names().begin(), reverse.names().end(),
                                            [&](const std::string& name) { return is_related(name, hook.host); });
        if (forward && reverse.found()) hook.connection.notes().set(notes::helo_reverse_match, leads_back);

        if (options_.policy == Policy::strict && !leads_here && !leads_back && unknown.empty())
            return refused(hook.host, "is another host",
                           format_text("{} and {} do not belong together in the DNS", hook.host, client));
        const bool has_address = forward && forward->found();
        const bool is_decided = unknown.empty() || (has_address && reverse.found() &&
                                                    (options_.policy == Policy::rfc || leads_here || leads_back));
        if (!is_decided) return error("{}", unknown).status(status::temp_resolver_failed);
        return pass().karma(options_.policy == Policy::strict && leads_here && leads_back ? 1 : 0);
    }

    static IpAddress near(const IpAddress& address) { return address.prefix(address.is_v4() ? 24 : 96); }

    /// Whether the names are equal, or have the same last two parts.
    static bool is_related(std::string_view a, std::string_view b) {
        return ascii_equal(a, b) || ascii_equal(last_two(a), last_two(b));
    }
    static std::string_view last_two(std::string_view name) {
        if (name.ends_with('.')) name.remove_suffix(1);
        const auto dot = name.rfind('.');
        const auto before = dot == name.npos || dot == 0 ? name.npos : name.rfind('.', dot - 1);
        return before == name.npos ? name : name.substr(before + 1);
    }

    static void add_field(const DataPostHook& hook) {
        hook.message().headers().replace("X-HELO", printable_domain(hook.connection.hello_host()));
    }

    const Options options_;
    Watched<BadNames> bad_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("helo", smtpd::plugins::Helo);
