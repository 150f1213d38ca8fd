#include "httpd/tls_config.h"

#include "httpd/config_tree.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include <ap_listen.h>

namespace smtpd::httpd {
namespace {

bool has_alias(const server_rec* server, const char* name) {
    const auto is_in = [name](const apr_array_header_t* names, bool are_patterns) {
        for (int i = 0; names != nullptr && i < names->nelts; ++i) {
            const char* known = reinterpret_cast<char**>(names->elts)[i];
            if (known != nullptr &&
                (are_patterns ? ap_strcasecmp_match(name, known) == 0 : strcasecmp(name, known) == 0))
                return true;
        }
        return false;
    };
    return is_in(server->names, false) || is_in(server->wild_names, true);
}

/// The TLS directives in a server's section, or at the top level.
struct SslLines {
    std::optional<bool> engine;
    bool has_certificate = false;
};

SslLines ssl_lines(const ap_directive_t* line) {
    SslLines found;
    for (; line != nullptr; line = line->next) {
        if (strcasecmp(line->directive, "SSLEngine") == 0) found.engine = strcasecmp(line->args, "on") == 0;
        if (strcasecmp(line->directive, "SSLCertificateFile") == 0) found.has_certificate = true;
    }
    return found;
}

unsigned port_of(const server_rec& server) { return server.addrs != nullptr ? server.addrs->host_port : server.port; }

bool has_port(const server_rec& server, unsigned port) {
    for (const server_addr_rec* address = server.addrs; address != nullptr; address = address->next)
        if (address->host_port == port) return true;
    return false;
}

/// All mod_ssl directives in the section of the server, sorted so that their order does not matter.
std::string ssl_text(const server_rec& server) {
    std::vector<std::string> lines;
    const ap_directive_t* const section = section_of(&server);
    for (const auto* line = section != nullptr ? section->first_child : nullptr; line != nullptr; line = line->next)
        if (support::starts_with_folded(line->directive, "SSL"))
            lines.push_back(support::folded(line->directive) + " " + line->args + "\n");
    std::sort(lines.begin(), lines.end());
    return support::join(lines, "");
}

bool has_name(const server_rec* server, const char* name) {
    return server->server_hostname != nullptr && strcasecmp(server->server_hostname, name) == 0;
}

/// The servers with that name, or with that name and the port after its colon; a ServerAlias counts only if none has
/// the ServerName.
std::vector<server_rec*> called(const std::vector<server_rec*>& servers, std::string name) {
    std::optional<unsigned> port;
    if (const auto colon = name.rfind(':'); colon != std::string::npos && colon > 0) {
        if (const auto number = support::parse_unsigned(std::string_view(name).substr(colon + 1)))
            port = static_cast<unsigned>(*number), name.resize(colon);
    }
    std::vector<server_rec*> by_name, by_alias;
    for (server_rec* const server : servers) {
        if (port && !has_port(*server, *port)) continue;
        if (has_name(server, name.c_str())) by_name.push_back(server);
        else if (has_alias(server, name.c_str())) by_alias.push_back(server);
    }
    return by_name.empty() ? by_alias : by_name;
}

/// On such a port, with a certificate, `SSLEngine on` is not necessary.
bool listens_for_https(const server_rec* server) {
    for (const ap_listen_rec* listener = ap_listeners; listener != nullptr; listener = listener->next)
        for (const server_addr_rec* address = server->addrs; address != nullptr; address = address->next)
            if (listener->bind_addr->port == address->host_port && listener->protocol != nullptr &&
                std::strcmp(listener->protocol, "https") == 0)
                return true;
    return false;
}

/// The mod_ssl directives that correspond to the words of qpsmtpd's line.
std::string advice_for(const host::PluginLine& line) {
    constexpr const char* directives[] = {"SSLCertificateFile", "SSLCertificateKeyFile", "SSLCACertificateFile"};
    constexpr const char* defaults[] = {"config/ssl/qpsmtpd-server.crt", "config/ssl/qpsmtpd-server.key",
                                        "config/ssl/qpsmtpd-ca.crt"};
    std::string out =
        "write \"SmtpStartTLS on\" in the virtual host, and into one of the same ServerName for HTTPS (or 465) "
        "\"SSLEngine on\"";
    for (std::size_t i = 0; i < std::size(directives); ++i)
        out += format_text(", \"{} {}\"", directives[i], i < line.words.size() ? line.words[i] : defaults[i]);
    return out;
}

}  // namespace

/// mod_ssl provides information about connections only, so this reads the configuration. httpd's list has the last
/// virtual host first.
std::vector<server_rec*> servers_with_tls(server_rec* main_server) {
    std::vector<server_rec*> out;
    const SslLines main_lines = ssl_lines(ap_conftree);
    for (server_rec* server = main_server; server != nullptr; server = server->next) {
        SslLines lines = main_lines;
        if (server->is_virtual != 0) {
            const ap_directive_t* section = section_of(server);
            if (section == nullptr) continue;
            const SslLines own = ssl_lines(section->first_child);
            if (own.engine) lines.engine = own.engine;
            lines.has_certificate = lines.has_certificate || own.has_certificate;
        }
        if (lines.engine.value_or(lines.has_certificate && listens_for_https(server))) out.push_back(server);
    }
    std::reverse(out.begin(), out.end());
    return out;
}

bool is_called(const server_rec* server, const char* name) { return has_name(server, name) || has_alias(server, name); }

server_rec* find_by_name(const std::vector<server_rec*>& servers, const char* name) {
    const auto found = called(servers, name);
    return found.empty() ? nullptr : found.front();
}

std::string doubt_about(const server_rec& chosen, const std::vector<server_rec*>& servers, const char* name) {
    const std::string own = ssl_text(chosen);
    std::string others;
    for (const server_rec* const other : called(servers, name))
        if (other != &chosen && ssl_text(*other) != own)
            others += format_text("{}{}:{}", others.empty() ? "" : ", ", other->defn_name, other->defn_line_number);
    if (others.empty()) return {};
    return format_text(
        "the certificate and the other directives of mod_ssl come from the first virtual host with SSLEngine on and "
        "the "
        "name {} ({}:{}); another one has the same name and other directives ({}). Write \"{}:{}\" for the first one, "
        "with the other port for the other one, or give both the same directives",
        name, chosen.defn_name, chosen.defn_line_number, others, name, port_of(chosen));
}

void take_tls_plugin(std::vector<host::PluginLine>& lines, bool is_decided, host::Problems& problems) {
    std::erase_if(lines, [&](const host::PluginLine& line) {
        if (line.name != "tls") return false;
        if (!is_decided)
            problems.push_back({true, line.position(), "tls: mod_ssl provides TLS here: " + advice_for(line)});
        else if (!line.words.empty())
            problems.push_back({false, line.position(),
                                "tls: the files named here are not used; mod_ssl's directives name the files"});
        return true;
    });
}

void warn_of_tls_files(host::DirectoryControlFiles& control, host::Problems& problems) {
    for (const auto& [file, directive] :
         {std::pair{"tls_ciphers", "SSLCipherSuite"}, std::pair{"tls_protocols", "SSLProtocol"}})
        if (control.first_line(file))
            problems.push_back(
                {false, control.source(file)->path(),
                 format_text("{} is not used; set {} in the virtual host with SSLEngine on", file, directive)});
}

bool auth_without_tls(host::DirectoryControlFiles& control, const std::optional<bool>& allowed, engine::StartTls mode,
                      host::Problems& problems) {
    const auto demanded = control.first_line("tls_before_auth");
    if (!demanded) return allowed.value_or(false);
    if (*demanded != "0") return allowed.value_or(false) && mode == engine::StartTls::off;
    if (!allowed)
        problems.push_back(
            {false, control.source("tls_before_auth")->path(),
             "tls_before_auth allows AUTH on unencrypted connections; here that requires SmtpAuthWithoutTLS on"});
    return allowed.value_or(false);
}

}  // namespace smtpd::httpd
