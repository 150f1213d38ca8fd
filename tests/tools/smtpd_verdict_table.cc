/// smtpd_verdict_table.cc: prints the effect of each verdict at each hook, as the engine shows it, in the form of the
/// tables of docs/hooks.md.
///
///     smtpd-verdict-table <docs/hooks.md
///
/// Copies standard input to standard output, with the lines between `<!-- verdicts: HOOK -->` and `<!-- end of verdicts
/// -->` replaced by the hook's table. Every hook that takes verdicts must have exactly one such place. The text of
/// hook_table replaces the line that begins with "- Handlers: " below the heading of a hook (### `HOOK`); every hook
/// must have one. Exit status: 0 success, 1 a place is missing or wrong.
#include "fakes/session_under_test.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace smtpd;
using fakes::SessionUnderTest;

/// How to reach a hook, and how to see whether its trigger had an effect.
struct Way {
    HookId hook;
    std::string_view before;
    std::string_view trigger;  ///< "" if the session's start triggers it
    std::string_view probe;    ///< sent afterwards
    std::string_view good;     ///< the beginning of the reply to the probe after an effect; "queued": the message was
                               ///< queued
    const char* effect;
    const char* no_effect;
};

constexpr std::string_view helo = "HELO client.example\r\n";
constexpr std::string_view ehlo = "EHLO client.example\r\n";
constexpr std::string_view mail = "MAIL FROM:<me@client.example>\r\n";
constexpr std::string_view rcpt = "RCPT TO:<user@example.com>\r\n";
constexpr std::string_view to_rcpt = "EHLO client.example\r\nMAIL FROM:<me@client.example>\r\n";
constexpr std::string_view to_data =
    "EHLO client.example\r\nMAIL FROM:<me@client.example>\r\nRCPT TO:<user@example.com>\r\n";
constexpr std::string_view to_message =
    "EHLO client.example\r\nMAIL FROM:<me@client.example>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n";
constexpr std::string_view message = "Subject: x\r\n\r\ntext\r\n.\r\n";

constexpr std::string_view to_password = "EHLO client.example\r\nAUTH LOGIN am9l\r\n";
constexpr std::string_view to_response = "EHLO client.example\r\nAUTH CRAM-MD5\r\n";
constexpr std::string_view cram_response = "am9lIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm\r\n";

constexpr const char* greeted = "the session goes on";
constexpr const char* introduced = "the client is greeted";
constexpr const char* not_introduced = "the client is not greeted, and may say it again";
constexpr const char* authenticated = "the client is authenticated and may relay";
constexpr const char* not_authenticated = "the client may try again";
constexpr const char* has_sender = "the transaction begins";
constexpr const char* no_sender = "no transaction begins";
constexpr const char* has_recipient = "the recipient is added";
constexpr const char* no_recipient = "the recipient is not added, the transaction goes on";
constexpr const char* is_queued = "on to the next stage";
constexpr const char* not_queued = "the message is dropped, the transaction is over";
constexpr const char* kept = "the transaction goes on";
constexpr const char* dropped = "the transaction is dropped";

const Way ways[] = {
    {HookId::pre_connection, "", "", ehlo, "250", greeted, ""},
    {HookId::connect, "", "", ehlo, "250", greeted, ""},
    {HookId::helo_parse, "", helo, mail, "250", introduced, not_introduced},
    {HookId::ehlo_parse, "", ehlo, mail, "250", introduced, not_introduced},
    {HookId::helo, "", helo, mail, "250", introduced, not_introduced},
    {HookId::ehlo, "", ehlo, mail, "250", introduced, not_introduced},
    {HookId::auth_parse, ehlo, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n", "503", authenticated,
     not_authenticated},
    {HookId::auth_plain, ehlo, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n", "503", authenticated,
     not_authenticated},
    {HookId::auth_login, to_password, "c2VjcmV0\r\n", "AUTH LOGIN\r\n", "503", authenticated, not_authenticated},
    {HookId::auth_cram_md5, to_response, cram_response, "AUTH CRAM-MD5\r\n", "503", authenticated, not_authenticated},
    {HookId::auth_scram_sha_1, ehlo, "AUTH SCRAM-SHA-1 biwsbj1qb2Uscj1yYW5kb20=\r\n", "AUTH SCRAM-SHA-1\r\n", "503",
     authenticated, not_authenticated},
    {HookId::auth_scram_sha_256, ehlo, "AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1yYW5kb20=\r\n", "AUTH SCRAM-SHA-256\r\n",
     "503", authenticated, not_authenticated},
    {HookId::auth_bearer, ehlo, "AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rZW4BAQ==\r\n", "AUTH XOAUTH2\r\n", "503",
     authenticated, not_authenticated},
    {HookId::auth_external, ehlo, "AUTH EXTERNAL am9l\r\n", "AUTH EXTERNAL\r\n", "503", authenticated,
     not_authenticated},
    {HookId::auth, ehlo, "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "AUTH PLAIN\r\n", "503", authenticated, not_authenticated},
    {HookId::mail_parse, ehlo, mail, rcpt, "250", has_sender, no_sender},
    {HookId::mail_pre, ehlo, mail, rcpt, "250", has_sender, no_sender},
    {HookId::mail, ehlo, mail, rcpt, "250", has_sender, no_sender},
    {HookId::rcpt_parse, to_rcpt, rcpt, "DATA\r\n", "354", has_recipient, no_recipient},
    {HookId::rcpt_pre, to_rcpt, rcpt, "DATA\r\n", "354", has_recipient, no_recipient},
    {HookId::rcpt, to_rcpt, rcpt, "DATA\r\n", "354", has_recipient, no_recipient},
    {HookId::data, to_data, "DATA\r\n", "text\r\n.\r\n", "250", "the message may come", dropped},
    {HookId::data_headers_end, to_message, message, "", "queued", is_queued, not_queued},
    {HookId::data_post_headers, to_message, message, "", "queued", is_queued, not_queued},
    {HookId::received_line, to_message, message, "", "queued", is_queued, not_queued},
    {HookId::data_post, to_message, message, "", "queued", is_queued, not_queued},
    {HookId::data_post_rcpt, to_message, message, "", "queued", "the recipient is to get the message",
     "the recipient does not get the message"},
    {HookId::queue_pre, to_message, message, "", "queued", is_queued, not_queued},
    {HookId::queue, to_message, message, "", "250", "the message counts as accepted", not_queued},
    {HookId::vrfy, to_rcpt, "VRFY user\r\n", rcpt, "250", kept, dropped},
    {HookId::noop, to_rcpt, "NOOP\r\n", rcpt, "250", kept, dropped},
    {HookId::help, to_rcpt, "HELP\r\n", rcpt, "250", kept, dropped},
    {HookId::unrecognized_command, to_rcpt, "WHAT IS THIS\r\n", rcpt, "250", kept, dropped},
    {HookId::quit, to_rcpt, "QUIT\r\n", "", "", "", ""},
};

constexpr Verdict verdicts[] = {Verdict::ok,
                                Verdict::declined,
                                Verdict::deny,
                                Verdict::denysoft,
                                Verdict::done,
                                Verdict::deny_disconnect,
                                Verdict::denysoft_disconnect};

/// A possible verdict of a handler, and its name.
struct Saying {
    std::string name;
    fakes::FakeHookRunner::Handler handler;
};

std::vector<Saying> sayings_at(HookId hook) {
    std::vector<Saying> out;
    if (hook != HookId::queue) {
        for (const auto verdict : verdicts)
            out.push_back({std::string(verdict_name(verdict)), [verdict](HookContext&) { return Response(verdict); }});
        return out;
    }
    const std::pair<const char*, DeliveryResult> results[] = {
        {"delivered", delivered()}, {"not_mine", not_mine()}, {"rejected", rejected()}, {"deferred", deferred()}};
    for (const auto& [name, result] : results)
        out.push_back({name, [result = result](HookContext& context) { return fakes::conclude(context, result); }});
    return out;
}

/// The first line of a reply, with the session's ids replaced by their names.
std::string shown(std::string output) {
    if (output.empty()) return "nothing";
    std::string first = output.substr(0, output.find("\r\n"));
    for (const auto& [from, to] : {std::pair{"session-1", "*id*"}, {"session", "*id*"}, {"<", "\\<"}})
        for (auto at = first.find(from); at != std::string::npos;
             at = first.find(from, at + std::string_view(to).size()))
            first.replace(at, std::string_view(from).size(), to);
    return first + (output.size() > output.find("\r\n") + 2 ? " …" : "");
}

/// The effect of a handler's verdict, as the last two cells of a row.
std::string outcome(const Way& way, const fakes::FakeHookRunner::Handler& handler) {
    SessionUnderTest client;
    client.hooks.accept_mail();
    const bool is_auth = way.hook >= HookId::auth_parse && way.hook <= HookId::auth;
    if (is_auth) {
        client.hooks.watch(way.hook);  // what nobody handles is not offered
        if (way.hook == HookId::auth_parse) client.hooks.respond(HookId::auth, ok());
        for (const auto& mechanism : engine::auth_mechanisms) client.settings.auth_mechanisms.add(mechanism);
    }
    std::string output;
    if (way.trigger.empty()) {
        client.hooks.on(way.hook, handler);
        output = client.start();
    } else {
        is_auth ? client.start_encrypted(fakes::tls_facts_with_certificate()) : client.start();
        client.feed(way.before);
        client.hooks.on(way.hook, handler);
        output = client.feed(way.trigger);
    }
    if (output.starts_with("334 "))
        return "334 and a challenge | the client answers it, and is told 235 or 535 afterwards";
    if (client.is_closed()) return format_text("{} | the connection is closed", shown(output));
    if (way.good == "queued" && !client.hooks.queued.empty())
        return format_text("what follows from the other stages | {}", way.effect);
    bool has_effect = way.probe.empty() && output.starts_with(way.good);
    if (!way.probe.empty()) {
        client.hooks.respond(way.hook, way.hook == HookId::rcpt ? ok() : declined());
        has_effect = client.feed(way.probe).starts_with(way.good);
    }
    return format_text("{} | {}", shown(output), has_effect ? way.effect : way.no_effect);
}

/// One row for all verdicts with the same effect.
std::string table(const Way& way) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& saying : sayings_at(way.hook)) {
        const std::string leads_to = outcome(way, saying.handler);
        const auto known = std::find_if(rows.begin(), rows.end(),
                                        [&](const auto& row) { return row.second == leads_to; });
        const std::string name = format_text("`{}`", saying.name);
        if (known == rows.end()) rows.emplace_back(name, leads_to);
        else known->first += ", " + name;
    }
    std::string out = format_text("| {} | the client gets | then |\n|---|---|---|\n",
                                  way.hook == HookId::queue ? "fate of all" : "verdict");
    for (const auto& [names, leads_to] : rows)
        out += format_text("| {} | {} |\n", rows.size() == 1 ? "any" : names, leads_to);
    return out;
}

/// The handlers that a plugin may add at that hook.
std::string handlers(const HookTraits& row) {
    if (row.kind == HookKind::process) return "not those of a session.";
    std::string out;
    const auto add = [&](bool takes, std::string_view what) {
        if (takes) out += format_text("{}{}", out.empty() ? "" : ", ", what);
    };
    add(row.takes_verdicts(), "`add`");
    add(row.takes_findings(), "`decide`");
    add(row.has(HookTraits::delivers), "`deliver`");
    add(row.has(HookTraits::streams), "`stream`");
    add(!row.has(HookTraits::streams), "`observe`");
    if (row.has(HookTraits::asks)) out += "; may `ask` first";
    if (row.has(HookTraits::refuses_recipients) && !row.has(HookTraits::delivers))
        out += "; may `refuse` single recipients";
    return out + ".";
}

const HookTraits* row_named(std::string_view name) {
    const auto row = std::find_if(hook_table.begin(), hook_table.end(),
                                  [&](const HookTraits& known) { return known.name == name; });
    return row == hook_table.end() ? nullptr : &*row;
}

int complain(std::string_view what, std::string_view about) {
    std::cerr << "smtpd-verdict-table: " << what << ": " << about << "\n";
    return 1;
}

}  // namespace

int main() {
    constexpr std::string_view begin = "<!-- verdicts: ";
    constexpr std::string_view end = "<!-- end of verdicts -->";
    std::set<HookId> seen;
    constexpr std::string_view heading = "### `";
    constexpr std::string_view takes = "- Handlers: ";
    bool inside = false;
    HookSet told;
    const HookTraits* section = nullptr;
    for (std::string line; std::getline(std::cin, line);) {
        if (line == end) inside = false;
        if (inside) continue;
        if (line.starts_with(heading))
            section = row_named(line.substr(heading.size(), line.rfind('`') - heading.size()));
        if (section != nullptr && line.starts_with(takes)) {
            line = std::string(takes) + handlers(*section);
            told |= HookSet{section->id};
        }
        std::cout << line << "\n";
        if (!line.starts_with(begin)) continue;
        const std::string name = line.substr(begin.size(), line.find(' ', begin.size()) - begin.size());
        const auto way = std::find_if(std::begin(ways), std::end(ways),
                                      [&](const Way& known) { return hook_name(known.hook) == name; });
        if (way == std::end(ways)) return complain("no hook of the dialogue is called so", name);
        if (!seen.insert(way->hook).second) return complain("this hook has two places", name);
        std::cout << table(*way);
        inside = true;
    }
    if (inside) return complain("the last place does not end", end);
    for (const HookTraits& row : hook_table)
        if (row.kind == HookKind::question && !seen.contains(row.id))
            return complain("this hook has no place", row.name);
    for (const HookTraits& row : hook_table)
        if (!told.contains(row.id))
            return complain("no line below its heading says which handlers this hook takes", row.name);
    return 0;
}
