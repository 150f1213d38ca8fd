/// dry_run.h: simulates a client of a server's engine and plugins, and reports the dialogue with what each plugin said.
///
/// A dry run leaves no trace: the store must discard changes (store/overlay_store.h), plugins are told that it is a dry
/// run, and plugins that would deliver the message are named, but not called.
#pragma once

#include "dry_run/conversation.h"
#include "dry_run/request.h"
#include "engine/settings.h"
#include "host/plugin_set.h"

#include <smtpd/history.h>

#include <optional>
#include <string>
#include <vector>

namespace smtpd::dry_run {

/// The server under test. All objects referred to must outlive the dry run.
struct Server {
    std::string name;   ///< "mx.example.com:25"
    std::string where;  ///< "httpd.conf line 12"
    Endpoint local;
    const engine::Settings& settings;
    host::PluginSet& plugins;
    DryRunClock& clock;
    net::Resolver& resolver;     ///< of the server, for a dry run without its own zone
    bool is_tls = false;         ///< connections are encrypted from the first octet
    bool can_start_tls = false;  ///< there is a certificate for STARTTLS
};

/// The cause of a refusal.
struct Cause {
    std::string by;         ///< plugin
    std::string complaint;  ///< plugin whose deferred failure was enforced, or ""
    std::string hook;       ///< the hook at which the reason was found
    std::string reason;
};

/// A recipient that a plugin rejected or deferred after DATA.
struct RefusedRecipient {
    std::string recipient;  ///< "<user@example.com>"
    int code = 0;           ///< of the reply about this recipient
    std::string reply;
    Cause cause;

    bool is_deferred() const noexcept { return code < 500; }
};

/// A command of the client, what plugins said about it, and the replies.
struct Exchange {
    std::string command;  ///< "" = the connection itself
    std::vector<HistoryEntry> said;
    Duration waited{0};                   ///< how long the session was parked
    std::vector<std::string> deliverers;  ///< plugins that would be asked to take the message, in order
    std::vector<std::string> log;         ///< "warning (rcpt) plugin: text"
    std::vector<std::string> replies;     ///< lines, without line ends
    int code = 0;                         ///< of the last reply; with LMTP, of the best one about a recipient; 0 = none
    std::optional<Cause> cause;           ///< of a refusal by a plugin
    std::vector<RefusedRecipient> refused;  ///< of the message's recipients; the others would have got it if the reply
                                            ///< is positive

    bool is_refusal() const noexcept { return code >= 400; }
};

/// One session.
struct Visit {
    std::string time;  ///< "2026-11-20 18:27:00 UTC"
    std::vector<Exchange> exchanges;
    MailOutcome outcome = MailOutcome::accepted;
    std::size_t decisive = 0;  ///< the exchange that decided the outcome, if it is not accepted
    std::vector<std::string> remarks;
    unsigned dropped = 0;  ///< entries for one command that exceeded what a session keeps
};

struct Report {
    Request request;
    std::string server, where;
    std::vector<std::string> remarks;  ///< about the dry run as a whole
    std::vector<Visit> visits;
    MailOutcome outcome() const noexcept { return visits.empty() ? MailOutcome::failed : visits.back().outcome; }
};

/// The Error describes what is wrong with the request.
Result<Report> run(const Request& request, const Server& server);

std::string to_text(const Report& report);
std::string to_json(const Report& report);

/// Lists the chains of hooks, and the plugins with their options.
std::string list_text(const Server& server);
std::string list_json(const Server& server);

}  // namespace smtpd::dry_run
