#include "httpd/server.h"

#include "httpd/child.h"
#include "httpd/database.h"
#include "httpd/dry_run.h"
#include "httpd/file_checks.h"
#include "httpd/host_checks.h"
#include "httpd/kept_contents.h"
#include "httpd/listeners.h"
#include "httpd/serving_user.h"
#include "httpd/tls_config.h"

#include "host/plugin_checks.h"
#include "support/random.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>

#include <unixd.h>

#ifndef SMTPD_PLUGIN_DIR
#error "SMTPD_PLUGIN_DIR: where plugins are installed"
#endif

namespace smtpd::httpd {
namespace {

constexpr const char* qmail_control_dir = "/var/qmail/control";
constexpr const char* default_spool_dir = "/tmp";  // not TMPDIR, which depends on the user that started httpd

std::vector<std::string> control_directories(const ServerConfig& config) {
    std::vector<std::string> out;
    if (config.control_dir) out.push_back(*config.control_dir);
    out.push_back(config.qmail_control_dir.value_or(qmail_control_dir));
    return out;
}

std::string key_of(const server_rec* record) {
    const auto port = record->port != 0          ? record->port
                      : record->addrs != nullptr ? record->addrs->host_port
                                                 : apr_port_t(0);
    return format_text("{}:{}", record->server_hostname != nullptr ? record->server_hostname : "", port);
}

/// Replaces all plugins of a server with a wrong control file.
class DefersAllMail final : public Plugin {
public:
    static constexpr bool reads_body = false;

    explicit DefersAllMail(Setup& setup) {
        setup.hooks.connect.add([](const ConnectHook&) {
            return denysoft("This server's configuration is being corrected; please try again later")
                .with_code(451)
                .with_status({4, 3, 5});
        });
    }
};
constexpr PluginDescriptor defers_all_mail = smtpd::detail::describe<DefersAllMail>("configuration");

}  // namespace

Server::Server(server_rec* record, const ServerConfig& config, const std::string& default_plugin_dir,
               store::Backends& backends, const std::vector<server_rec*>& servers_with_tls, const DryRun* dry_run,
               host::KeptContents& kept, host::Problems& problems)
    : record_(record),
      config_(config),
      has_tls_(std::find(servers_with_tls.begin(), servers_with_tls.end(), record) != servers_with_tls.end()),
      key_(key_of(record)),
      clock_(dry_run ? static_cast<const Clock&>(dry_run->clock()) : system_clock_),
      is_dry_run_(dry_run != nullptr),
      error_log_(record),
      control_(control_directories(config), clock_, error_log_),
      stores_(backends, store_places(config)) {
    control_.keep_contents(kept);
    choose_settings(problems);
    find_lender(servers_with_tls, problems);
    plugins_ = host::PluginSet::build(plugin_lines(problems), environment(default_plugin_dir), problems);
    settings_.spool.keep_body = plugins_->reads_body();
    for (auto& text : control_.take_problems()) problems.push_back(host::control_file_error(std::move(text)));
    control_.started();
    const auto is_in_control_file = [](const host::Problem& problem) { return problem.is_in_control_file; };
    if (std::any_of(problems.begin(), problems.end(), is_in_control_file))
        return;  // further checks would give wrong results
    if (settings_.mixed_results == engine::MixedResults::split && !plugins_->sends_bounces())
        problems.push_back({true, config_.mixed_results->where,
                            "SmtpMixedResults split needs a queue plugin that sends bounces, but no queue plugin of "
                            "this server does; the other values are refuse, accept and one-by-one"});
    if (settings_.submission) check_submission(problems);
    const auto is_error = [](const host::Problem& problem) { return problem.is_error; };
    if (std::none_of(problems.begin(), problems.end(), is_error)) check_plugins_and_files(problems);
}

host::Environment Server::environment(const std::string& default_plugin_dir) {
    host::Environment environment;
    environment.plugin_dirs = config_.plugin_dirs;
    environment.plugin_dirs.push_back(default_plugin_dir);
    environment.control = &control_;
    environment.server_name = settings_.server_name;
    environment.clock = &clock_;
    environment.heartbeat = &heartbeat();
    environment.log = &error_log_;
    environment.is_dry_run = is_dry_run_;
    environment.stores = &stores_;
    environment.password_check = [this](std::string_view name) { return find_passwords(name); };
    environment.sql_query = [this](std::string_view statement) {
        return DatabaseQuery::prepare(record_, record_->process->pconf, statement);
    };
    environment.resolve_path = [pool = record_->process->pconf](std::string_view path) {
        const char* full = ap_server_root_relative(pool, std::string(path).c_str());
        return std::string(full != nullptr ? full : path);
    };
    return environment;
}

bool Server::can_judge(const engine::AuthMechanism& mechanism) const {
    return settings_.auth_mechanisms.contains(mechanism) &&
           (plugins_->can_accept(mechanism.hook) || (mechanism.tells_password && plugins_->can_accept(HookId::auth)));
}

bool Server::offers_auth() const {
    return std::any_of(std::begin(engine::auth_mechanisms), std::end(engine::auth_mechanisms),
                       [this](const engine::AuthMechanism& mechanism) { return can_judge(mechanism); });
}

/// Checks for settings that are allowed but probably unintended.
void Server::check_plugins_and_files(host::Problems& problems) {
    const host::ServerFacts facts{
        .where = config_.where,
        .server_name = settings_.server_name,
        .control_dir = config_.control_dir.value_or(""),
        .is_for_this_machine_only = httpd::is_for_this_machine_only(record_),
        .can_encrypt = has_tls_ || settings_.start_tls != engine::StartTls::off,
        .allows_auth_without_tls = settings_.auth_without_tls,
        .believes_proxies = !settings_.trusted_proxies.empty(),
        .is_submission = settings_.submission,
        .auth_mechanisms = settings_.auth_mechanisms,
    };
    host::check_plugins(*plugins_, control_, facts, problems);
    if (!is_dry_run_) check_files(*plugins_, control_, config_.control_dir, config_.where, problems);
}

/// Checks that clients can log in, because only authenticated clients may send.
void Server::check_submission(host::Problems& problems) const {
    const auto complain = [&](const char* what) { problems.push_back({true, config_.submission->where, what}); };
    if (!settings_.trusted_proxies.empty()) return;  // they may announce authenticated clients
    if (!offers_auth())
        complain(
            "SmtpSubmission needs a plugin that authenticates clients, such as auth/auth_flat_file: otherwise no "
            "client could send a "
            "message");
    else if (!has_tls_ && settings_.start_tls == engine::StartTls::off && !settings_.auth_without_tls)
        complain(
            "SmtpSubmission needs TLS, because clients may not log in without it: SSLEngine on, SmtpStartTLS, or else "
            "SmtpAuthWithoutTLS on");
}

void Server::choose_settings(host::Problems& problems) {
    const auto first_line = [this](const char* name) { return control_.first_line(name).value_or(""); };
    settings_.server_name = first_line("me");
    if (settings_.server_name.empty())
        settings_.server_name = record_->server_hostname != nullptr ? record_->server_hostname : "localhost";
    settings_.greeting = config_.greeting.value_or("");
    settings_.authserv_id = first_line("me-auth-results");
    settings_.max_message_size = config_.max_message_size.value_or(0);
    settings_.max_recipients = config_.max_recipients.value_or(settings_.max_recipients);
    settings_.max_transactions = config_.max_transactions.value_or(settings_.max_transactions);
    settings_.max_recipient_domains = config_.max_recipient_domains.value_or(settings_.max_recipient_domains);
    choose_extensions(problems);
    choose_protocol(problems);
    settings_.max_errors = config_.max_errors.value_or(settings_.max_errors);
    settings_.max_text_line = config_.max_text_line.value_or(0);
    settings_.bare_newline = config_.bare_newline.value_or(smtp::BareNewline::reject);
    settings_.bare_newline_exempt = config_.bare_newline_exempt;
    settings_.trusted_proxies = config_.trusted_proxies.value_or(std::vector<IpNetwork>{});
    settings_.mixed_results = config_.mixed_results.value_or(MixedResultsChoice{}).rule;
    settings_.ignore_unknown_parameters = config_.ignore_unknown_parameters.value_or(false);
    settings_.strict_addresses = config_.strict_addresses.value_or(false);
    settings_.local_part_case = config_.local_part_case.value_or(settings_.local_part_case);
    control_.set_local_part_case(settings_.local_part_case);
    settings_.start_tls = config_.start_tls.value_or(StartTlsChoice{}).mode;
    settings_.auth_without_tls = auth_without_tls(control_, config_.auth_without_tls, settings_.start_tls, problems);
    warn_of_tls_files(control_, problems);
    settings_.submission = config_.submission.value_or(SubmissionChoice{}).is_on;
    settings_.auth_mechanisms = config_.auth_mechanisms.value_or(engine::AuthMechanismSet());
    settings_.scram_secret = format_text("{} {} {}", support::random_bits(), support::random_bits(),
                                         support::random_bits());
    for (const auto* passwords : config_.passwords)
        if (const auto problem = passwords->check_providers(); !problem.empty())
            problems.push_back({true, passwords->where(), problem});
    settings_.spool.directory = config_.spool_dir.value_or(default_spool_dir);
    settings_.spool.threshold = config_.spool_threshold.value_or(256 * 1024);
    if (expects_proxy_header() && settings_.trusted_proxies.empty())
        problems.push_back({true, config_.proxy_protocol_where,
                            "SmtpProxyProtocol needs SmtpTrustedProxies: without it, no proxy is trusted"});
    if (is_dry_run_) settings_.spool.threshold = std::numeric_limits<std::uint64_t>::max();  // no spool file
    else if (!children_may_write(settings_.spool.directory))
        problems.push_back({true, config_.where,
                            format_text("SmtpSpoolDir {}: the serving user ({}) cannot create files there; run: {}",
                                        settings_.spool.directory, name_of_serving_user(),
                                        command_for_directory(settings_.spool.directory))});
}

Result<const PasswordCheck*> Server::find_passwords(std::string_view name) const {
    const auto found = std::find_if(config_.passwords.rbegin(), config_.passwords.rend(),
                                    [&](const Passwords* passwords) { return passwords->name() == name; });
    if (found != config_.passwords.rend()) return *found;
    if (name.empty()) return Error{ErrorCode::config, "there is no section <SmtpAuth> without a name", 0};
    return Error{ErrorCode::config, format_text("there is no section <SmtpAuth> with name={}", name), 0};
}

/// RFC 2033 5: what an LMTP server requires, and where it must not run.
void Server::choose_protocol(host::Problems& problems) {
    const ProtocolChoice choice = config_.protocol.value_or(ProtocolChoice{});
    settings_.protocol = choice.protocol;
    if (choice.protocol != engine::Protocol::lmtp) return;
    for (const auto needed : {engine::Extension::pipelining, engine::Extension::enhanced_status_codes})
        if (!settings_.extensions.has(needed))
            problems.push_back(
                {true, choice.where,
                 format_text("SmtpProtocol lmtp needs {}, which SmtpExtensions switches off (RFC 2033 5)",
                             engine::keyword_of(needed))});
    if (serves_port(record_, 25))
        problems.push_back(
            {false, choice.where,
             "SmtpProtocol lmtp is not for port 25, where clients speak SMTP (RFC 2033 5); 24 is LMTP's"});
}

/// Switches an extension off with another one that it needs, unless it was explicitly requested.
void Server::choose_extensions(host::Problems& problems) {
    const auto wanted = config_.extensions.applied_to(settings_.extensions);
    settings_.extensions = engine::workable(wanted);
    for (unsigned i = 0; i < static_cast<unsigned>(engine::Extension::count); ++i)
        if (const auto extension = static_cast<engine::Extension>(i);
            config_.extensions.on.has(extension) && !settings_.extensions.has(extension))
            problems.push_back({true, config_.where,
                                format_text("SmtpExtensions: {} needs {}, which is off", engine::keyword_of(extension),
                                            engine::keyword_of(*engine::needed_by(extension)))});
}

void Server::find_lender(const std::vector<server_rec*>& servers_with_tls, host::Problems& problems) {
    if (settings_.start_tls == engine::StartTls::off || has_tls_) return;
    const StartTlsChoice& choice = *config_.start_tls;
    const auto complain = [&](std::string text) { problems.push_back({true, choice.where, std::move(text)}); };
    if (!is_mod_ssl_loaded()) return complain("SmtpStartTLS needs mod_ssl: LoadModule ssl_module modules/mod_ssl.so");
    const std::string name = !choice.host.empty()                  ? choice.host
                             : record_->server_hostname != nullptr ? record_->server_hostname
                                                                   : "";
    if (const server_rec* host = find_by_name(servers_with_tls, name.c_str())) {
        lender_ = std::make_unique<const TlsLender>(*host, *record_);
        if (auto doubt = doubt_about(*host, servers_with_tls, name.c_str()); !doubt.empty())
            problems.push_back({false, choice.where, format_text("SmtpStartTLS of {}: {}", key_, doubt)});
        return;
    }
    std::string others;
    for (const server_rec* server : servers_with_tls)
        if (server->server_hostname != nullptr)
            others.append(others.empty() ? "" : ", ").append(server->server_hostname);
    complain(format_text(
        "SmtpStartTLS of {} needs the certificate of a virtual host with SSLEngine on and the ServerName {}; {}", key_,
        name,
        others.empty() ? "there is none with SSLEngine on" : "there is " + others + ", which SmtpStartTLS can name"));
}

/// The lines of the control directory's `plugins` file, then the directives.
std::vector<host::PluginLine> Server::plugin_lines(host::Problems& problems) {
    std::vector<host::PluginLine> lines;
    for (const char* name : {"logging", "plugins"}) {
        if (!config_.control_dir || !std::filesystem::exists(*config_.control_dir + "/" + name)) continue;
        auto from_file = host::read_plugin_file(control_, name);
        if (!from_file) {
            problems.push_back(host::control_file_error(from_file.error().what));
            continue;
        }
        lines.insert(lines.end(), from_file->begin(), from_file->end());
    }
    lines.insert(lines.end(), config_.plugins.begin(), config_.plugins.end());
    take_tls_plugin(lines, config_.start_tls || has_tls_, problems);
    return lines;
}

void Server::defer_all_mail(const host::Problems& problems) {
    for (const auto& problem : problems)
        if (problem.is_error) reasons_to_defer_.push_back(problem.to_string());
    host::Environment environment;
    environment.control = &control_;
    environment.clock = &clock_;
    environment.heartbeat = &heartbeat();
    environment.log = &error_log_;
    environment.built_in = {&defers_all_mail};
    host::PluginLine line;
    line.name = defers_all_mail.name;
    host::Problems none;
    plugins_ = host::PluginSet::build({line}, environment, none);
}

void Server::child_start() {
    const auto started = plugins_->child_start();
    ready_ = static_cast<bool>(started);
    if (!ready_)
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, record_, "SMTPD0003: %s; clients of %s are deferred",
                     started.error().what.c_str(), key_.c_str());
}

namespace {

/// Namespaces that the configuration names but no plugin opens: probably a typing error.
void warn_of_unused_places(server_rec* main_server, host::Problems& problems) {
    const auto is_used = [main_server](const store::Place& place) {
        for (const server_rec* record = main_server; record != nullptr; record = record->next)
            if (const Server* server = config_of(record).runtime;
                server != nullptr && server->stores().uses(place.space))
                return true;
        return false;
    };
    for (const server_rec* record = main_server; record != nullptr; record = record->next)
        for (const auto& place : config_of(record).stores) {
            const auto is_known = [&](const host::Problem& problem) { return problem.position == place.where; };
            if (place.space.empty() || is_used(place) || std::any_of(problems.begin(), problems.end(), is_known))
                continue;
            problems.push_back({false, place.where,
                                format_text("SmtpStore {}: no plugin uses a namespace of that name", place.space)});
        }
}

/// A wrong control file must not keep web sites from being served, or stop httpd; a configuration test reports it as an
/// error all the same.
bool stops_httpd(const host::Problem& problem) {
    return problem.is_error && (!problem.is_in_control_file || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST);
}

bool log_problems(const host::Problems& problems, const server_rec* record) {
    bool good = true;
    for (const auto& problem : problems) {
        good = good && !stops_httpd(problem);
        const int level = problem.is_error ? APLOG_ERR : problem.is_note ? APLOG_NOTICE : APLOG_WARNING;
        ap_log_error(APLOG_MARK, level | APLOG_STARTUP, 0, record, "%s", problem.to_string().c_str());
    }
    return good;
}

}  // namespace

bool make_servers(apr_pool_t* pool, server_rec* main_server) {
    bool good = true;
    bool any = false;
    const auto with_tls = servers_with_tls(main_server);
    DryRun* const dry_run = config_of(main_server).dry_run;
    ServerStores& stores = make_in_pool<ServerStores>(pool, main_server, dry_run);
    config_of(main_server).server_stores = &stores;
    ProcessKeptContents& kept = make_in_pool<ProcessKeptContents>(pool, main_server->process->pool);
    for (server_rec* record = main_server; record != nullptr; record = record->next) {
        ServerConfig& config = config_of(record);
        config.runtime = nullptr;
        if (!config.engine.value_or(false)) continue;
        any = true;
        host::Problems problems;
        config.runtime = &make_in_pool<Server>(pool, record, config, SMTPD_PLUGIN_DIR, stores.backends(), with_tls,
                                               dry_run, kept, problems);
        good = log_problems(problems, record) && good;
        const auto is_error = [](const host::Problem& problem) { return problem.is_error; };
        if (!good || std::none_of(problems.begin(), problems.end(), is_error)) continue;
        config.runtime->defer_all_mail(problems);
    }
    host::Problems problems;
    if (dry_run == nullptr) stores.check(problems);  // a dry run writes nothing, and any user may run it
    if (good && any) warn_of_unused_places(main_server, problems);
    if (any) check_hosts(main_server, problems);
    return log_problems(problems, main_server) && good;
}

void log_deferring_servers(const server_rec* main_server) {
    for (const server_rec* record = main_server; record != nullptr; record = record->next)
        if (const Server* server = config_of(record).runtime)
            for (const auto& reason : server->reasons_to_defer())
                ap_log_error(
                    APLOG_MARK, APLOG_ERR, 0, record,
                    "SMTPD0005: %s answers 451 to every client until this is corrected and httpd is restarted: "
                    "%s",
                    server->key().c_str(), reason.c_str());
}

}  // namespace smtpd::httpd
