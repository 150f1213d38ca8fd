/// plugin_names.cc: see plugin_names.h.
#include "host/plugin_names.h"

#include "support/edit_distance.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace smtpd::host {
namespace {

struct FormerName {
    std::string_view before, now;
    std::string_view options = {};  ///< with which the plugin does what the former one did
};

/// Names that plugins had before qpsmtpd 0.90, which Debian's default configuration still has, and short names.
constexpr FormerName former_names[] = {{"check_badmailfrom", "badmailfrom"},
                                       {"check_badmailfrom_patterns", "badmailfrom"},
                                       {"check_badmailfromto", "badmailfromto"},
                                       {"check_badrcptto", "badrcptto"},
                                       {"check_badrcptto_patterns", "badrcptto"},
                                       {"check_basicheaders", "headers"},
                                       {"check_bogus_bounce", "bogus_bounce"},
                                       {"check_earlytalker", "earlytalker"},
                                       {"check_loop", "loop"},
                                       {"check_norelay", "relay"},
                                       {"check_relay", "relay"},
                                       {"check_spamhelo", "helo"},
                                       {"denysoft_greylist", "greylisting"},
                                       {"relay_only", "relay", "only=on"},
                                       {"require_resolvable_fromhost", "resolvable_fromhost"},
                                       {"spf", "sender_permitted_from"},
                                       {"auth_flat_file", "auth/auth_flat_file"},
                                       {"auth_ldap_bind", "auth/auth_ldap_bind"},
                                       {"auth_cvm_unix_local", "auth/auth_cvm_unix_local"},
                                       {"auth_vpopmail_sql", "auth/auth_vpopmail_sql"},
                                       {"auth/auth_cvm", "auth/auth_cvm_unix_local"}};

struct Substitute {
    std::string_view plugin;
    std::string_view what;
};

constexpr std::string_view no_scanner = "no plugin here scans the content of messages: scan mail where it is delivered";
constexpr std::string_view dead_scanner =
    "the scanner that it uses no longer exists: remove the line, and scan mail where it is delivered";
constexpr std::string_view no_such_queue = "queue/maildir stores messages instead, for another program to fetch";

/// qpsmtpd's plugins that do not exist here.
constexpr Substitute substitutes[] = {
    {"spamassassin", no_scanner},
    {"milter", no_scanner},
    {"uribl", no_scanner},
    {"dspam", dead_scanner},
    {"virus/clamav", no_scanner},
    {"virus/clamdscan", no_scanner},
    {"virus/aveclient", dead_scanner},
    {"virus/bitdefender", dead_scanner},
    {"virus/hbedv", dead_scanner},
    {"virus/kavscanner", dead_scanner},
    {"virus/sophie", dead_scanner},
    {"virus/uvscan", dead_scanner},
    {"virus/klez_filter", "the worm of 2002 that it looks for is gone: remove the line"},
    {"domainkeys", "DomainKeys is historic (RFC 4870), and DKIM took its place: remove the line"},
    {"queue/qmail-queue", no_such_queue},
    {"queue/postfix-queue", no_such_queue},
    {"queue/exim-bsmtp", no_such_queue},
    {"queue/smtp-forward", no_such_queue},
    {"auth/auth_vpopmail", "auth/auth_vpopmaild asks vpopmail's daemon, and auth/auth_vpopmail_sql its database"},
    {"auth/authnull", "auth/authdeny rejects all clients that no other plugin accepts"},
    {"stunnel", "\"SmtpProxyProtocol on\" takes the client's address from stunnel (protocol = proxy)"},
    {"http_config", "let a timer fetch the files into SmtpControlDir"},
    {"logging/devnull", "remove the line: LogLevel smtpd:warn, for instance, sets what httpd's ErrorLog contains"},
    {"logging/connection_id", "every log line begins with the session's id: remove the line"},
    {"logging/transaction_id", "every log line begins with the transaction's id: remove the line"}};

std::string_view base_of(std::string_view name) { return name.substr(name.rfind('/') + 1); }

/// The only word of qpsmtpd's check_basicheaders is the number of days that a date may deviate.
void translate_options(PluginLine& line, std::string_view before) {
    if (before != "check_basicheaders") return;
    std::erase(line.words, "days");
    if (line.words.size() != 1 || !support::parse_unsigned(line.words.front())) return;
    const std::string days = line.words.front();
    line.words = {"past=" + days, "future=" + days};
}

}  // namespace

bool use_current_name(PluginLine& line) {
    const auto* const found = std::find_if(std::begin(former_names), std::end(former_names),
                                           [&](const FormerName& name) { return name.before == line.name; });
    if (found == std::end(former_names)) return false;
    line.name = found->now;
    if (!found->options.empty()) line.words.insert(line.words.begin(), std::string(found->options));
    translate_options(line, found->before);
    return true;
}

std::string nearest_plugin(std::string_view name, const std::vector<std::string>& known) {
    const auto hint = [](std::string_view meant) { return format_text(" (did you mean \"{}\"?)", meant); };
    std::vector<std::string> bases;
    for (const auto& each : known) {
        if (support::equals_folded(base_of(each), base_of(name))) return hint(each);
        bases.emplace_back(base_of(each));
    }
    if (const auto whole = support::nearest_name(name, known)) return hint(*whole);
    const auto base = support::nearest_name(base_of(name), bases);
    if (!base) return {};
    return hint(known[static_cast<std::size_t>(std::find(bases.begin(), bases.end(), *base) - bases.begin())]);
}

std::string substitute_for(std::string_view name) {
    const auto* const found = std::find_if(std::begin(substitutes), std::end(substitutes), [&](const Substitute& row) {
        return row.plugin == name || base_of(row.plugin) == name;
    });
    return found == std::end(substitutes) ? std::string() : format_text("; {}", found->what);
}

}  // namespace smtpd::host
