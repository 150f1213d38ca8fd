/// plugin_checks.cc: see plugin_checks.h.
#include "host/plugin_checks.h"

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <iterator>

namespace smtpd::host {
namespace {

/// The arguments of every check.
struct Check {
    const PluginSet& plugins;
    DirectoryControlFiles& control;
    const ServerFacts& facts;
    Problems& problems;

    void warn(std::string position, std::string text) const {
        problems.push_back(warning(std::move(position), std::move(text)));
    }
    /// Warns about the line of one plugin.
    void warn(const Instance& instance, std::string_view text) const {
        warn(instance.position(), format_text("{}: {}", instance.subject(), text));
    }

    /// Calls `look` with each file of that kind that a plugin has declared, and with the plugin.
    template <class Look>
    void for_each_file(FileUse::Kind kind, Look look) const {
        for (const auto& instance : plugins.instances())
            for (const auto& file : instance->files())
                if (file.kind == kind) look(file.path, *instance);
    }
    template <class Is>
    bool any_plugin(Is is) const {
        const auto& all = plugins.instances();
        return std::any_of(all.begin(), all.end(), [&](const auto& instance) { return is(*instance); });
    }
    bool has_lines(std::string_view control_file) const { return !control.lines(control_file)->empty(); }
};

/// The plugins that may answer `ok` to RCPT.
std::vector<const Instance*> accepting(const PluginSet& plugins) {
    std::vector<const Instance*> out;
    for (const auto& member : plugins.chain(HookId::rcpt))
        if (member.kind == Dispatcher::Kind::respond && member.instance->accepts_recipients())
            out.push_back(member.instance);
    return out;
}

void nobody_accepts_recipients(const Check& check) {
    if (!accepting(check.plugins).empty()) return;
    check.warn(check.facts.where,
               "no plugin accepts recipients: every RCPT is answered 450; write \"SmtpPlugin rcpt_ok\", and list the "
               "domains that you accept mail for in the control file rcpthosts");
}

/// A verdict `ok` ends the chain: a plugin behind the last one that accepts recipients only sees those that nobody
/// accepts.
void policy_comes_too_late(const Check& check) {
    const auto last = accepting(check.plugins);
    if (last.empty()) return;
    bool is_behind = false;
    for (const auto& member : check.plugins.chain(HookId::rcpt)) {
        if (is_behind && member.instance != last.back() &&
            (member.kind == Dispatcher::Kind::respond || member.kind == Dispatcher::Kind::decide))
            check.warn(*member.instance,
                       format_text("it never judges a recipient that is accepted, because {} ({}) accepts them before "
                                   "it is asked; move this line above that one",
                                   last.back()->name(), last.back()->position()));
        is_behind |= member.instance == last.back();
    }
}

void nobody_delivers(const Check& check) {
    if (!check.plugins.chain(HookId::queue).empty() || accepting(check.plugins).empty()) return;
    check.warn(
        check.facts.where,
        "there is no queue plugin: every message is answered 451; write, for instance, \"SmtpPlugin queue/maildir "
        "/var/mail/example\", or \"SmtpPlugin queue/discard\" to discard all mail");
}

void queue_plugin_is_never_asked(const Check& check) {
    const Instance* taker = nullptr;
    for (const auto& member : check.plugins.chain(HookId::queue)) {
        if (taker != nullptr && member.instance != taker && member.kind == Dispatcher::Kind::deliver)
            check.warn(*member.instance,
                       format_text("this queue plugin is never asked, because {} ({}) takes every message before it; "
                                   "remove one of the two lines",
                                   taker->name(), taker->position()));
        if (taker == nullptr && member.instance->takes_every_message()) taker = member.instance;
    }
}

/// The path at which to write a control file.
std::string place_of(const Check& check, std::string_view name) {
    return check.facts.control_dir.empty() ? std::string(name) : format_text("{}/{}", check.facts.control_dir, name);
}

void no_own_domains(const Check& check) {
    if (check.facts.is_submission) return;
    check.for_each_file(FileUse::Kind::own_domains, [&](const std::string& name, const Instance& instance) {
        const auto others = accepting(check.plugins);
        const bool is_alone = std::all_of(others.begin(), others.end(),
                                          [&](const Instance* other) { return other == &instance; });
        bool may_relay = false;  // a server that only relays for its own network
        check.for_each_file(FileUse::Kind::relay_networks,
                            [&](const std::string& list, const Instance&) { may_relay |= check.has_lines(list); });
        const bool has_cdb = !check.control.source(format_text("more{}.cdb", name))->path().empty();
        if (!is_alone || may_relay || has_cdb || check.has_lines(name)) return;
        const bool exists = !check.control.source(name)->path().empty();
        const char* const hint = check.facts.control_dir.empty() ? " (in the directory that SmtpControlDir names)" : "";
        check.warn(instance, format_text("the control file {} is {}, so mail is accepted for the domain {} only; write "
                                         "the domains that you accept mail for, one a line, into {}{}",
                                         name, exists ? "empty" : "missing", check.facts.server_name,
                                         place_of(check, name), hint));
    });
}

void nobody_settles_complaints(const Check& check) {
    if (check.any_plugin([](const Instance& instance) { return instance.settles_complaints(); })) return;
    for (const auto& instance : check.plugins.instances()) {
        if (!instance->is_policy() || instance->policy().reject != PolicyDefaults::Reject::naughty) continue;
        check.warn(*instance,
                   "with reject=naughty it leaves the refusal to the plugin naughty, which is not loaded, so it never "
                   "refuses a client; write \"SmtpPlugin naughty\" as well, or reject=yes here, or reject=no to only "
                   "log its findings");
    }
}

bool is_offered(const engine::AuthMechanism& mechanism, HookId hook, const ServerFacts& facts) {
    return facts.auth_mechanisms.contains(mechanism) &&
           (mechanism.hook == hook || (hook == HookId::auth && mechanism.tells_password));
}

/// The AUTH hooks at which a plugin authenticates clients.
std::vector<HookId> auth_hooks_of(const Instance& instance, const PluginSet& plugins) {
    std::vector<HookId> out;
    for (const HookTraits& row : hook_table) {
        const bool is_auth = row.id >= HookId::auth_plain && row.id <= HookId::auth;
        const auto chain = is_auth ? plugins.chain(row.id) : std::vector<Dispatcher::Member>();
        if (std::any_of(chain.begin(), chain.end(), [&](const Dispatcher::Member& member) {
                return member.instance == &instance && member.kind == Dispatcher::Kind::respond;
            }))
            out.push_back(row.id);
    }
    return out;
}

void auth_is_never_offered(const Check& check) {
    const bool is_possible = check.facts.can_encrypt || check.facts.allows_auth_without_tls ||
                             check.facts.believes_proxies;
    for (const auto& instance : check.plugins.instances()) {
        const auto hooks = auth_hooks_of(*instance, check.plugins);
        if (hooks.empty()) continue;
        const auto is_wanted = [&](const engine::AuthMechanism& mechanism) {
            return std::any_of(hooks.begin(), hooks.end(),
                               [&](HookId hook) { return is_offered(mechanism, hook, check.facts); });
        };
        if (!is_possible)
            check.warn(
                *instance,
                "clients cannot log in, because AUTH requires TLS and this server has none; write \"SmtpStartTLS on\" "
                "(or SSLEngine on), or \"SmtpAuthWithoutTLS on\" to allow AUTH without encryption");
        else if (std::none_of(std::begin(engine::auth_mechanisms), std::end(engine::auth_mechanisms), is_wanted))
            check.warn(*instance,
                       "clients cannot log in with it, because SmtpAuthMechanisms has none of the mechanisms that it "
                       "supports; add one there");
    }
}

void everybody_may_relay(const Check& check) {
    if (check.facts.is_for_this_machine_only) return;
    check.for_each_file(FileUse::Kind::relay_networks, [&](const std::string& name, const Instance&) {
        const auto lines = check.control.lines(name).get();
        for (const auto& line : *lines) {
            const auto network = NetworkList::parse_entry(line.split().first);
            if (network && is_too_wide(*network))
                check.warn(line.position(),
                           format_text("{} makes this server an open relay: unknown clients may send mail to any "
                                       "address through it; list only your own networks here",
                                       line.split().first));
        }
    });
}

/// Names that nobody can register on the Internet (RFC 6761, 6762, 8375, 9476; ICANN reserves internal; home, corp and
/// mail are never delegated; lan, localdomain, intranet and private are in use at many sites).
constexpr std::string_view private_endings[] = {"test",  "example",     "invalid",  "localhost", "local", "alt",
                                                "onion", "arpa",        "internal", "home",      "corp",  "mail",
                                                "lan",   "localdomain", "intranet", "private"};

/// Second-level labels under which countries register domains: co.uk, com.au, ac.jp.
constexpr std::string_view registries[] = {"co", "com", "net", "org",  "edu", "gov", "ac",  "ne",
                                           "or", "go",  "gob", "gouv", "mil", "nom", "ltd", "plc"};

template <class List>
bool has(const List& list, std::string_view name) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

/// Whether anybody may register a domain below that one.
bool is_public_suffix(std::string_view domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    const auto dot = domain.find('.');
    const std::string_view top = domain.substr(dot == std::string_view::npos ? 0 : dot + 1);
    if (dot == std::string_view::npos) return !has(private_endings, top);
    constexpr std::size_t country = 2;
    return top.size() == country && has(registries, domain.substr(0, dot));
}

void domains_of_everybody(const Check& check) {
    check.for_each_file(FileUse::Kind::own_domains, [&](const std::string& name, const Instance&) {
        const auto lines = check.control.lines(name).get();
        for (const auto& line : *lines) {
            const std::string entry = ascii_lower(line.text);
            if (!entry.starts_with('.') || !is_public_suffix(std::string_view(entry).substr(1))) continue;
            check.warn(line.position(),
                       format_text("{} in {} accepts mail for every domain that ends in it, which makes this server an "
                                   "open relay; write your own domains, and .example{} for all subdomains of one",
                                   line.text, name, entry));
        }
    });
}

/// "dmarc", whatever the label of the line.
std::string_view plugin_of(const Instance& instance) {
    return std::string_view(instance.name()).substr(0, instance.name().find(':'));
}

/// What an option of that line was set to; "" if it was not.
std::string setting_of(const Instance& instance, std::string_view option) {
    for (const auto& setting : instance.settings())
        if (setting.name == option) return setting.value;
    return {};
}

/// RFC 9989 7.1: mail that is refused at MAIL never shows its signatures.
void spf_refuses_before_dmarc(const Check& check) {
    if (!check.any_plugin([](const Instance& instance) { return plugin_of(instance) == "dmarc"; })) return;
    for (const auto& instance : check.plugins.instances()) {
        if (plugin_of(*instance) != "sender_permitted_from" || !setting_of(*instance, "rejects_alone").empty())
            continue;
        std::string level = setting_of(*instance, "reject");
        if (const std::string old = setting_of(*instance, "spf_deny"); level.empty() && !old.empty())
            level = old == "1" ? "3" : "4";
        const auto lines = check.control.lines("spfbehavior").get();
        if (level.empty() && !lines->empty()) level = lines->front().text;
        const auto number = support::parse_unsigned(level);
        if (!number || *number < 3) continue;
        check.warn(*instance, format_text("with reject={} it refuses mail that dmarc would accept because of its DKIM "
                                          "signature, such as forwarded mail; write reject=1, or rejects_alone=yes if "
                                          "that is intended",
                                          *number));
    }
}

/// What dmarc takes results from.
struct ResultSource {
    std::string_view plugin, method;
    bool is_needed;
};
constexpr ResultSource dmarc_sources[] = {
    {"sender_permitted_from", "SPF", true}, {"dkim", "DKIM", true}, {"arc", "ARC", false}};

void dmarc_lacks_results(const Check& check) {
    const auto& all = check.plugins.instances();
    const auto dmarc = std::find_if(all.begin(), all.end(), [](const auto& one) { return plugin_of(*one) == "dmarc"; });
    if (dmarc == all.end()) return;
    for (const ResultSource& source : dmarc_sources) {
        const auto is_source = [&](const auto& one) { return plugin_of(*one) == source.plugin; };
        if (std::any_of(all.begin(), dmarc, is_source)) continue;
        const auto late = std::find_if(dmarc, all.end(), is_source);
        if (late != all.end())
            check.warn(**dmarc, format_text("it needs the results of {} ({}), which stands after it; move that line "
                                            "before this one",
                                            (*late)->name(), (*late)->position()));
        else if (source.is_needed)
            check.warn(
                **dmarc,
                format_text("no plugin tests {}, so mail that would pass by {} fails, and may be rejected; write "
                            "\"SmtpPlugin {}\" before this line",
                            source.method, source.method, source.plugin));
    }
}

using Function = void(const Check&);
constexpr Function* checks[] = {nobody_accepts_recipients,
                                policy_comes_too_late,
                                nobody_delivers,
                                queue_plugin_is_never_asked,
                                no_own_domains,
                                domains_of_everybody,
                                everybody_may_relay,
                                nobody_settles_complaints,
                                auth_is_never_offered,
                                spf_refuses_before_dmarc,
                                dmarc_lacks_results};

}  // namespace

bool is_too_wide(const IpNetwork& network) {
    constexpr unsigned least_v4_bits = 8, least_v6_bits = 16;
    if (network.address().is_v4()) return network.bits() < least_v4_bits;
    const auto& bytes = network.address().bytes();
    const bool is_unique_local = network.bits() >= 7 && (bytes[0] & 0xfe) == 0xfc;
    const bool is_link_local = network.bits() >= 10 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    return network.bits() < least_v6_bits && !is_unique_local && !is_link_local;
}

void check_plugins(const PluginSet& plugins, DirectoryControlFiles& control, const ServerFacts& facts,
                   Problems& problems) {
    const Check check{plugins, control, facts, problems};
    for (Function* const function : checks) function(check);
}

}  // namespace smtpd::host
