/// directives.cc: the table of directives and their setters. docs/directives.md is the manual.
#include "httpd/directive_values.h"
#include "httpd/dry_run.h"
#include "httpd/resolver_directive.h"
#include "httpd/stores.h"

#include "host/options.h"
#include "support/strings.h"

#include <smtpd/options.h>

#include <algorithm>
#include <array>

namespace smtpd::httpd {
namespace {

const char* set_engine(cmd_parms* cmd, void*, int on) {
    config_of(cmd).engine = on != 0;
    config_of(cmd).where = where_of(cmd);
    return nullptr;
}

const char* set_inherit(cmd_parms* cmd, void*, int on) {
    if (cmd->server->is_virtual == 0)
        return complaint(
            cmd, "SmtpPluginInherit must be inside a <VirtualHost>: the main server has no server to inherit from");
    config_of(cmd).inherit_plugins = on != 0;
    return nullptr;
}

host::PluginLine plugin_line(cmd_parms* cmd, std::string_view name) {
    host::PluginLine line;
    host::split_instance(name, line.name, line.label);
    line.file = cmd->directive->filename;
    line.line = static_cast<unsigned>(cmd->directive->line_num);
    line.origin = host::PluginLine::Origin::directive;
    line.scope = cmd->server->is_virtual != 0 ? "virtual host" : "main server";
    return line;
}

/// SmtpPlugin name[:instance] words…
const char* add_plugin(cmd_parms* cmd, void*, const char* arguments) {
    const char* name = ap_getword_conf(cmd->temp_pool, &arguments);
    if (*name == '\0') return "SmtpPlugin takes the name of a plugin and its options";
    host::PluginLine line = plugin_line(cmd, name);
    auto words = host::split_option_words(arguments);
    if (!words) return complaint(cmd, format_text("SmtpPlugin {}: {}", name, words.error().what));
    line.words = std::move(*words);
    config_of(cmd).plugins.push_back(std::move(line));
    return nullptr;
}

/// <SmtpPlugin name[:instance]> option value… </SmtpPlugin>: each line inside is an option with its values.
const char* add_plugin_section(cmd_parms* cmd, void*, const char* arguments) {
    const char* end = ap_strrchr_c(arguments, '>');
    if (end == nullptr) return "<SmtpPlugin lacks its closing \">\"";
    const char* rest = apr_pstrmemdup(cmd->temp_pool, arguments, static_cast<apr_size_t>(end - arguments));
    const char* name = ap_getword_conf(cmd->temp_pool, &rest);
    if (*name == '\0') return "<SmtpPlugin takes the name of a plugin: <SmtpPlugin name>";
    if (*rest != '\0') return "<SmtpPlugin takes one name; write each option on its own line inside the section";
    host::PluginLine line = plugin_line(cmd, name);
    for (const ap_directive_t* child = cmd->directive->first_child; child != nullptr; child = child->next) {
        const auto values = host::split_option_words(child->args);
        if (!values)
            return complaint(cmd, format_text("{} line {}: {}: {}", child->filename, child->line_num, child->directive,
                                              values.error().what));
        if (values->empty()) line.words.emplace_back(child->directive);
        for (const auto& value : *values) {
            line.words.emplace_back(child->directive);
            line.words.push_back(value);
        }
    }
    config_of(cmd).plugins.push_back(std::move(line));
    return nullptr;
}

const char* absolute(cmd_parms* cmd, const char* path) { return ap_server_root_relative(cmd->pool, path); }

const char* add_plugin_dir(cmd_parms* cmd, void*, const char* path) {
    const char* full = absolute(cmd, path);
    apr_finfo_t info;
    if (full == nullptr || apr_stat(&info, full, APR_FINFO_TYPE, cmd->temp_pool) != APR_SUCCESS ||
        info.filetype != APR_DIR)
        return complaint(cmd, format_text("SmtpPluginDir takes a directory that exists, not \"{}\"", path));
    config_of(cmd).plugin_dirs.emplace_back(full);
    return nullptr;
}

const char* set_directory(cmd_parms* cmd, const char* path, std::optional<std::string>& target) {
    const char* full = absolute(cmd, path);
    apr_finfo_t info;
    if (full == nullptr || apr_stat(&info, full, APR_FINFO_TYPE, cmd->temp_pool) != APR_SUCCESS ||
        info.filetype != APR_DIR)
        return complaint(cmd, format_text("{} takes a directory that exists, not \"{}\"", cmd->cmd->name, path));
    target = full;
    return nullptr;
}

const char* set_control_dir(cmd_parms* cmd, void*, const char* path) {
    return set_directory(cmd, path, config_of(cmd).control_dir);
}
const char* set_qmail_dir(cmd_parms* cmd, void*, const char* path) {
    return set_directory(cmd, path, config_of(cmd).qmail_control_dir);
}
const char* set_spool_dir(cmd_parms* cmd, void*, const char* path) {
    return set_directory(cmd, path, config_of(cmd).spool_dir);
}

const char* set_greeting(cmd_parms* cmd, void*, const char* text) {
    if (*text == '\0') return "SmtpGreeting takes the text of the greeting, beginning with the server's name";
    for (const char* c = text; *c != '\0'; ++c)
        if (static_cast<unsigned char>(*c) < 0x20 || static_cast<unsigned char>(*c) > 0x7e)
            return "SmtpGreeting takes printable ASCII characters (RFC 5321 4.2)";
    config_of(cmd).greeting = text;
    return nullptr;
}

const char* set_max_message_size(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_message_size, read_size);
}
const char* set_spool_threshold(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).spool_threshold, read_size);
}
const char* set_max_recipients(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_recipients,
               [](std::string_view in, unsigned& value) { return read_count(in, value, 1); });
}
const char* set_max_transactions(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_transactions,
               [](std::string_view in, unsigned& value) { return read_count(in, value); });
}
const char* set_max_recipient_domains(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_recipient_domains,
               [](std::string_view in, unsigned& value) { return read_count(in, value); });
}
const char* set_max_errors(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_errors,
               [](std::string_view in, unsigned& value) { return read_count(in, value); });
}
const char* set_max_connections(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_connections,
               [](std::string_view in, unsigned& value) { return read_count(in, value); });
}
const char* set_session_timeout(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).session_timeout, read_time);
}
/// SmtpMinDataRate octets [time]
const char* set_min_data_rate(cmd_parms* cmd, void*, const char* rate, const char* grace) {
    constexpr const char* usage =
        "SmtpMinDataRate takes octets a second (0 for no limit), then the time after which the rate is checked "
        "(default 5min)";
    DataRate least;
    if (!read_size(rate, least.octets_per_second).empty()) return usage;
    if (grace != nullptr && !read_time(grace, least.grace).empty()) return usage;
    config_of(cmd).min_data_rate = least;
    return nullptr;
}
const char* set_backend_threads(cmd_parms* cmd, void*, const char* text) {
    if (const char* misplaced = ap_check_cmd_context(cmd, GLOBAL_ONLY)) return misplaced;
    return set(cmd, text, config_of(cmd).backend_threads, [](std::string_view in, unsigned& value) -> std::string {
        const bool is_good = read_count(in, value, 1).empty() && value <= 1000;
        return is_good ? "" : "a number of threads from 1 to 1000";
    });
}
const char* set_max_text_line(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).max_text_line, [](std::string_view in, std::uint64_t& value) -> std::string {
        const std::string allowed = read_size(in, value);
        return allowed.empty() && value != 0 && value < 998
                   ? "0 for no limit, or at least 998 octets (RFC 5321 4.5.3.1.6)"
                   : allowed;
    });
}

/// SmtpMaxConnectionsPerClient sessions [IPv4 prefix [IPv6 prefix]]
const char* set_client_limit(cmd_parms* cmd, void*, const char* sessions, const char* v4, const char* v6) {
    constexpr const char* usage =
        "SmtpMaxConnectionsPerClient takes a number of sessions (0 for no limit), then the bits of an IPv4 prefix (1 "
        "to 32, default 32) and of an "
        "IPv6 prefix (1 to 128, default 64)";
    ClientLimit limit;
    if (!read_count(sessions, limit.sessions).empty()) return usage;
    if (v4 != nullptr && (!read_count(v4, limit.v4_prefix, 1).empty() || limit.v4_prefix > 32)) return usage;
    if (v6 != nullptr && (!read_count(v6, limit.v6_prefix, 1).empty() || limit.v6_prefix > 128)) return usage;
    config_of(cmd).client_limit = limit;
    return nullptr;
}

/// SmtpTrustedProxies none|network …
const char* set_trusted_proxies(cmd_parms* cmd, void*, int argc, char* const argv[]) {
    if (argc == 0) return "SmtpTrustedProxies takes the addresses or networks of proxies, or none";
    const bool is_none = argc == 1 && support::equals_folded(argv[0], "none");
    auto& networks = config_of(cmd).trusted_proxies.emplace();
    return is_none ? nullptr : read_networks(cmd, 0, argc, argv, networks);
}

const char* set_proxy_protocol(cmd_parms* cmd, void*, int on) {
    config_of(cmd).proxy_protocol = on != 0;
    config_of(cmd).proxy_protocol_where = where_of(cmd);
    return nullptr;
}

/// SmtpBareNewline reject|normalize|accept [network …]
const char* set_bare_newline(cmd_parms* cmd, void*, int argc, char* const argv[]) {
    constexpr std::array<std::pair<std::string_view, smtp::BareNewline>, 3> words = {
        {{"reject", smtp::BareNewline::reject},
         {"normalize", smtp::BareNewline::normalize},
         {"accept", smtp::BareNewline::accept}}};
    ServerConfig& config = config_of(cmd);
    config.bare_newline_exempt.clear();
    config.bare_newline.reset();
    for (const auto& [word, policy] : words)
        if (argc > 0 && support::equals_folded(argv[0], word)) config.bare_newline = policy;
    if (!config.bare_newline)
        return "SmtpBareNewline takes reject, normalize or accept, then networks from which bare CR and LF are "
               "accepted";
    return read_networks(cmd, 1, argc, argv, config.bare_newline_exempt);
}

/// The error of SmtpExtensions for a word that is not a switchable extension.
std::string unknown_extension(std::string_view keyword) {
    if (support::equals_folded(keyword, "STARTTLS") || support::equals_folded(keyword, "AUTH"))
        return format_text("{} cannot be switched here: the server offers it when it is configured", keyword);
    std::string all;
    for (unsigned i = 0; i < static_cast<unsigned>(engine::Extension::count); ++i)
        if (const auto extension = static_cast<engine::Extension>(i); extension != engine::Extension::auth)
            all.append(all.empty() ? "" : ", ").append(engine::keyword_of(extension));
    return format_text("there is no extension \"{}\"; the extensions are {}", keyword, all);
}

/// SmtpExtensions [+|-]keyword …
const char* set_extensions(cmd_parms* cmd, void*, int argc, char* const argv[]) {
    if (argc == 0) return "SmtpExtensions takes the names of extensions as in the EHLO reply, with + or - in front";
    for (int i = 0; i < argc; ++i) {
        std::string_view word = argv[i];
        const bool is_on = !word.starts_with('-');
        if (word.starts_with('-') || word.starts_with('+')) word.remove_prefix(1);
        const auto extension = engine::find_extension(word);
        if (!extension) return complaint(cmd, format_text("SmtpExtensions: {}", unknown_extension(word)));
        config_of(cmd).extensions.set(*extension, is_on);
    }
    return nullptr;
}

const char* set_unknown_parameters(cmd_parms* cmd, void*, const char* word) {
    if (support::equals_folded(word, "refuse")) config_of(cmd).ignore_unknown_parameters = false;
    else if (support::equals_folded(word, "ignore")) config_of(cmd).ignore_unknown_parameters = true;
    else return complaint(cmd, format_text("SmtpUnknownParameters takes refuse or ignore, not \"{}\"", word));
    return nullptr;
}

/// SmtpAddressSyntax lenient|strict
const char* set_address_syntax(cmd_parms* cmd, void*, const char* word) {
    if (support::equals_folded(word, "lenient")) config_of(cmd).strict_addresses = false;
    else if (support::equals_folded(word, "strict")) config_of(cmd).strict_addresses = true;
    else return complaint(cmd, format_text("SmtpAddressSyntax takes lenient or strict, not \"{}\"", word));
    return nullptr;
}

/// SmtpLocalPartCase insensitive|sensitive
const char* set_local_part_case(cmd_parms* cmd, void*, const char* word) {
    if (support::equals_folded(word, "insensitive")) config_of(cmd).local_part_case = LocalPartCase::insensitive;
    else if (support::equals_folded(word, "sensitive")) config_of(cmd).local_part_case = LocalPartCase::sensitive;
    else return complaint(cmd, format_text("SmtpLocalPartCase takes insensitive or sensitive, not \"{}\"", word));
    return nullptr;
}

/// SmtpProtocol smtp|lmtp
const char* set_protocol(cmd_parms* cmd, void*, const char* word) {
    ProtocolChoice choice{engine::Protocol::smtp, where_of(cmd)};
    if (support::equals_folded(word, "lmtp")) choice.protocol = engine::Protocol::lmtp;
    else if (!support::equals_folded(word, "smtp"))
        return complaint(cmd, format_text("SmtpProtocol takes smtp or lmtp, not \"{}\"", word));
    config_of(cmd).protocol = std::move(choice);
    return nullptr;
}

/// SmtpMixedResults refuse|accept|one-by-one|split
const char* set_mixed_results(cmd_parms* cmd, void*, const char* word) {
    using engine::MixedResults;
    constexpr std::array<std::pair<std::string_view, MixedResults>, 4> words = {
        {{"refuse", MixedResults::refuse},
         {"accept", MixedResults::accept},
         {"one-by-one", MixedResults::one_by_one},
         {"split", MixedResults::split}}};
    const auto* const known = std::find_if(words.begin(), words.end(),
                                           [word](const auto& one) { return support::equals_folded(word, one.first); });
    if (known == words.end())
        return complaint(cmd,
                         format_text("SmtpMixedResults takes refuse, accept, one-by-one or split, not \"{}\"", word));
    config_of(cmd).mixed_results = MixedResultsChoice{known->second, where_of(cmd)};
    return nullptr;
}

const char* set_auth_without_tls(cmd_parms* cmd, void*, int on) {
    config_of(cmd).auth_without_tls = on != 0;
    return nullptr;
}

/// SmtpStartTLS off|on|required [server-name]
const char* set_start_tls(cmd_parms* cmd, void*, const char* word, const char* host) {
    constexpr std::array<std::pair<std::string_view, engine::StartTls>, 3> words = {
        {{"off", engine::StartTls::off}, {"on", engine::StartTls::on}, {"required", engine::StartTls::required}}};
    StartTlsChoice choice;
    const auto* const known = std::find_if(words.begin(), words.end(),
                                           [word](const auto& one) { return support::equals_folded(word, one.first); });
    if (known == words.end())
        return complaint(cmd, format_text("SmtpStartTLS takes off, on or required, then the ServerName of a virtual "
                                          "host with SSLEngine on, not \"{}\"",
                                          word));
    choice.mode = known->second;
    if (host != nullptr && choice.mode == engine::StartTls::off) return "SmtpStartTLS off takes no ServerName";
    if (host != nullptr) choice.host = host;
    choice.where = where_of(cmd);
    config_of(cmd).start_tls = std::move(choice);
    return nullptr;
}

const char* set_handshake_timeout(cmd_parms* cmd, void*, const char* text) {
    return set(cmd, text, config_of(cmd).handshake_timeout,
               [](std::string_view in, std::chrono::seconds& value) -> std::string {
                   const std::string allowed = read_time(in, value);
                   return allowed.empty() && (value.count() < 1 || value.count() > 600) ? "a time from 1s to 10min"
                                                                                        : allowed;
               });
}

const char* set_submission(cmd_parms* cmd, void*, int on) {
    config_of(cmd).submission = SubmissionChoice{on != 0, where_of(cmd)};
    return nullptr;
}

/// SmtpAuthMechanisms name …, or +name -name …
const char* set_auth_mechanisms(cmd_parms* cmd, void*, int argc, char* const argv[]) {
    const bool is_relative = argc > 0 && (*argv[0] == '+' || *argv[0] == '-');
    auto set = is_relative ? engine::AuthMechanismSet() : engine::AuthMechanismSet::none();
    for (int i = 0; i < argc; ++i) {
        std::string_view word = argv[i];
        const char sign = word.starts_with('+') || word.starts_with('-') ? word.front() : ' ';
        if (is_relative != (sign != ' '))
            return "SmtpAuthMechanisms takes names, or names that all have + or - in front";
        if (is_relative) word.remove_prefix(1);
        const auto* const mechanism = engine::find_auth_mechanism(word);
        if (mechanism == nullptr) {
            std::string known;
            for (const auto& each : engine::auth_mechanisms) known.append(" ").append(each.name);
            return complaint(cmd, format_text("SmtpAuthMechanisms: there is no mechanism \"{}\"; the mechanisms are{}",
                                              word, known));
        }
        sign == '-' ? set.remove(*mechanism) : set.add(*mechanism);
    }
    if (argc == 0) return "SmtpAuthMechanisms takes the names of mechanisms, such as PLAIN SCRAM-SHA-256, or +CRAM-MD5";
    config_of(cmd).auth_mechanisms = set;
    return nullptr;
}

/// <SmtpAuth provider … [name=…]>
const char* add_auth_section(cmd_parms* cmd, void*, const char* arguments) {
    const char* end = ap_strrchr_c(arguments, '>');
    if (end == nullptr) return "<SmtpAuth lacks its closing \">\"";
    const char* rest = apr_pstrmemdup(cmd->temp_pool, arguments, static_cast<apr_size_t>(end - arguments));
    std::string name;
    std::vector<std::string> providers;
    while (*rest != '\0') {
        const std::string word = ap_getword_conf(cmd->temp_pool, &rest);
        if (word.starts_with("name=")) name = word.substr(5);
        else providers.push_back(word);
    }
    if (providers.empty())
        return "<SmtpAuth takes the names of providers, as AuthBasicProvider does: <SmtpAuth file ldap>";
    ap_conf_vector_t* const section = ap_create_per_dir_config(cmd->pool);
    char* const path = cmd->path;
    const int override = cmd->override;
    cmd->path = apr_pstrdup(cmd->pool, "<SmtpAuth>");
    cmd->override = OR_ALL | ACCESS_CONF;
    const char* const problem = ap_walk_config(cmd->directive->first_child, cmd, section);
    cmd->path = path;
    cmd->override = override;
    if (problem != nullptr) return problem;
    config_of(cmd).passwords.push_back(
        &make_in_pool<Passwords>(cmd->pool, std::move(name), std::move(providers), section, where_of(cmd)));
    return nullptr;
}

/// SmtpStore [namespace] kind:place [option=value …]
const char* add_store(cmd_parms* cmd, void*, int argc, char* const argv[]) {
    auto place = read_store_place({argv, argv + argc}, where_of(cmd), cmd->pool);
    if (!place) return complaint(cmd, format_text("SmtpStore: {}", place.error().what));
    config_of(cmd).stores.push_back(std::move(*place));
    return nullptr;
}

/// SmtpTry descriptor descriptor
const char* set_try(cmd_parms* cmd, void*, const char* request, const char* report) {
    if (ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST)
        return "SmtpTry is for the command smtpd-try, and works in a configuration test (httpd -t) only";
    if (const char* wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY)) return wrong;
    const auto from = support::parse_unsigned(request);
    const auto to = support::parse_unsigned(report);
    if (!from || !to || *from > 65535 || *to > 65535)
        return "SmtpTry takes two numbers of open descriptors; it is for the command smtpd-try";
    auto wanted = DryRun::read_request(static_cast<int>(*from));
    if (!wanted) return complaint(cmd, format_text("SmtpTry is for the command smtpd-try; {}", wanted.error().what));
    config_of(cmd).dry_run = &make_in_pool<DryRun>(cmd->pool, std::move(*wanted), static_cast<int>(*to));
    return nullptr;
}

/// httpd stores setters of all signatures as one type of function pointer; args_how says how to call it.
template <class F>
cmd_func setter(F* function) {
    return reinterpret_cast<cmd_func>(reinterpret_cast<void (*)()>(function));
}

}  // namespace

const command_rec directives[] = {
    AP_INIT_FLAG("SmtpEngine", setter(set_engine), nullptr, RSRC_CONF,
                 "on: connections to this server speak SMTP; off (default)"),
    AP_INIT_RAW_ARGS("SmtpPlugin", setter(add_plugin), nullptr, RSRC_CONF,
                     "a plugin, name[:instance], and its options, name=value or name value"),
    AP_INIT_RAW_ARGS("<SmtpPlugin", setter(add_plugin_section), nullptr, RSRC_CONF,
                     "a plugin, name[:instance], with one option and its values on each line"),
    AP_INIT_TAKE1("SmtpPluginDir", setter(add_plugin_dir), nullptr, RSRC_CONF,
                  "a directory with plugins; may be given several times"),
    AP_INIT_FLAG("SmtpPluginInherit", setter(set_inherit), nullptr, RSRC_CONF,
                 "off: this virtual host starts without the main server's plugins"),
    AP_INIT_TAKE1("SmtpControlDir", setter(set_control_dir), nullptr, RSRC_CONF,
                  "the directory with the control files, in the format of qpsmtpd and qmail"),
    AP_INIT_TAKE1(
        "SmtpQmailControlDir", setter(set_qmail_dir), nullptr, RSRC_CONF,
        "a second directory, for control files that SmtpControlDir does not have; default /var/qmail/control"),
    AP_INIT_TAKE1("SmtpGreeting", setter(set_greeting), nullptr, RSRC_CONF, "the text of the greeting, after 220"),
    AP_INIT_TAKE1("SmtpMaxMessageSize", setter(set_max_message_size), nullptr, RSRC_CONF,
                  "the largest message that the server accepts, in bytes; 0 (default): no limit"),
    AP_INIT_TAKE1("SmtpSpoolDir", setter(set_spool_dir), nullptr, RSRC_CONF,
                  "the directory for large messages while they arrive; default: /tmp"),
    AP_INIT_TAKE1("SmtpSpoolThreshold", setter(set_spool_threshold), nullptr, RSRC_CONF,
                  "the size up to which the server keeps a message in memory; default 256k"),
    AP_INIT_TAKE1("SmtpMaxRecipients", setter(set_max_recipients), nullptr, RSRC_CONF,
                  "how many recipients a message may have; default 1000"),
    AP_INIT_TAKE1("SmtpMaxRecipientDomains", setter(set_max_recipient_domains), nullptr, RSRC_CONF,
                  "how many domains the recipients of one session may have; 0 (default): no limit"),
    AP_INIT_TAKE1("SmtpMaxTransactions", setter(set_max_transactions), nullptr, RSRC_CONF,
                  "how many MAIL commands a session may have; 0 (default): no limit"),
    AP_INIT_TAKE_ARGV(
        "SmtpExtensions", setter(set_extensions), nullptr, RSRC_CONF,
        "extensions of SMTP that the server offers (+name) or not (-name), named as in EHLO: -CHUNKING +DSN"),
    AP_INIT_TAKE1("SmtpMaxErrors", setter(set_max_errors), nullptr, RSRC_CONF,
                  "the number of 4xx and 5xx replies after which the server ends a session; default 20, 0: no limit"),
    AP_INIT_TAKE1("SmtpMaxConnections", setter(set_max_connections), nullptr, RSRC_CONF,
                  "how many sessions this server may have at a time; 0 (default): no limit of its own"),
    AP_INIT_TAKE123("SmtpMaxConnectionsPerClient", setter(set_client_limit), nullptr, RSRC_CONF,
                    "how many sessions one client may have at a time, then the IPv4 and IPv6 prefix that make one "
                    "client; 0 (default): no limit"),
    AP_INIT_TAKE1("SmtpSessionTimeout", setter(set_session_timeout), nullptr, RSRC_CONF,
                  "how long a session may last; default 2h, 0: no limit"),
    AP_INIT_TAKE12(
        "SmtpMinDataRate", setter(set_min_data_rate), nullptr, RSRC_CONF,
        "how fast a message must arrive, in bytes per second (default 100, 0: no limit), and the time after which "
        "the server checks this (default 5min)"),
    AP_INIT_TAKE1("SmtpBackendThreads", setter(set_backend_threads), nullptr, RSRC_CONF,
                  "how many threads of a child wait for back ends and disks; default 64"),
    AP_INIT_TAKE1("SmtpMaxLineLength", setter(set_max_text_line), nullptr, RSRC_CONF,
                  "how many octets a line of a message may have; 0 (default): no limit"),
    AP_INIT_TAKE_ARGV(
        "SmtpBareNewline", setter(set_bare_newline), nullptr, RSRC_CONF,
        "how the server treats a bare CR, a bare LF and NUL: reject (default), normalize or accept; then networks for "
        "which accept applies"),
    AP_INIT_TAKE_ARGV("SmtpTrustedProxies", setter(set_trusted_proxies), nullptr, RSRC_CONF,
                      "the proxies (networks) that may connect on behalf of other clients, with a PROXY header, "
                      "XCLIENT or XFORWARD; none (default)"),
    AP_INIT_FLAG("SmtpProxyProtocol", setter(set_proxy_protocol), nullptr, RSRC_CONF,
                 "on: connections from SmtpTrustedProxies begin with a PROXY header, version 1 or 2; off (default)"),
    AP_INIT_TAKE_ARGV("SmtpResolver", setter(set_resolver), nullptr, RSRC_CONF,
                      "name servers with or without port, timeout=, tries=, cache=; default: the servers of "
                      "/etc/resolv.conf, 3s, 3, 4m"),
    AP_INIT_TAKE1(
        "SmtpUnknownParameters", setter(set_unknown_parameters), nullptr, RSRC_CONF,
        "whether the server refuses (refuse, default: 555) or ignores (ignore) unknown parameters of MAIL and RCPT"),
    AP_INIT_TAKE1(
        "SmtpAddressSyntax", setter(set_address_syntax), nullptr, RSRC_CONF,
        "which addresses MAIL and RCPT may have: lenient (default), with forms that some senders use, or strict, "
        "as RFC 5321 says"),
    AP_INIT_TAKE1("SmtpLocalPartCase", setter(set_local_part_case), nullptr, RSRC_CONF,
                  "whether Bob@ and bob@ are the same mailbox: insensitive (default): yes, sensitive: no"),
    AP_INIT_TAKE1("SmtpProtocol", setter(set_protocol), nullptr, RSRC_CONF,
                  "the protocol that clients speak to this server: smtp (default) or lmtp"),
    AP_INIT_TAKE1("SmtpMixedResults", setter(set_mixed_results), nullptr, RSRC_CONF,
                  "the reply to a message that plugins refuse for only some of its recipients: refuse (default), "
                  "accept, one-by-one or split"),
    AP_INIT_FLAG("SmtpAuthWithoutTLS", setter(set_auth_without_tls), nullptr, RSRC_CONF,
                 "on: the server offers AUTH on unencrypted connections, too; off (default)"),
    AP_INIT_TAKE12(
        "SmtpStartTLS", setter(set_start_tls), nullptr, RSRC_CONF,
        "off (default), on or required: STARTTLS, with the certificate of the virtual host that has the same "
        "ServerName, or of the named one"),
    AP_INIT_TAKE1("SmtpHandshakeTimeout", setter(set_handshake_timeout), nullptr, RSRC_CONF,
                  "how long a TLS handshake may take; default 30s"),
    AP_INIT_FLAG("SmtpSubmission", setter(set_submission), nullptr, RSRC_CONF,
                 "on: only authenticated clients may send, and messages are completed (RFC 6409, ports 587 and 465); "
                 "off (default)"),
    AP_INIT_TAKE_ARGV("SmtpAuthMechanisms", setter(set_auth_mechanisms), nullptr, RSRC_CONF,
                      "the AUTH mechanisms that the server may offer; or changes to the default (all but CRAM-MD5): "
                      "+CRAM-MD5 -LOGIN"),
    AP_INIT_RAW_ARGS("<SmtpAuth", setter(add_auth_section), nullptr, RSRC_CONF,
                     "providers of passwords (file, dbm, dbd, ldap, socache) for the plugin auth/auth_httpd, with "
                     "their directives inside"),
    AP_INIT_TAKE_ARGV(
        "SmtpStore", setter(add_store), nullptr, RSRC_CONF,
        "where plugins keep shared state: [namespace] file:path, redis:host:port/database or memory:size, and options"),
    AP_INIT_TAKE2("SmtpTry", setter(set_try), nullptr, RSRC_CONF,
                  "used only by the command smtpd-try: the descriptors of a request and of a report"),
    {},
};

}  // namespace smtpd::httpd