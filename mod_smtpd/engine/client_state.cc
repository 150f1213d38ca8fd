#include "engine/client_state.h"

#include <algorithm>
#include <utility>

namespace smtpd::engine {

/// A login by XCLIENT also depends on the client's words: a right to relay that came with it is not kept.
void ClientState::remember_before_hello() {
    if (before_hello) return;
    const bool may_relay = is_relay_client && auth_user.empty();
    before_hello = std::make_unique<const BeforeHello>(
        BeforeHello{may_relay, whitelisted, complaints, authentication_results.size()});
}

void ClientState::record_login() {
    authentication_results.add(
        {.method = "auth", .result = "pass", .properties = {{"smtp", "auth", auth_user}}, .comment = auth_mechanism});
}

void ClientState::forget_complaints_of_transaction() noexcept {
    using enum HookSubject;
    std::erase_if(complaints, [](const Complaint& one) {
        return !one.is_told && (one.subject == sender || one.subject == recipient || one.subject == message);
    });
}

ClientState after_starttls(ClientState&& clear, const Settings& settings, const IpAddress& address) {
    ClientState next(settings, address);
    next.introduced_by = clear.introduced_by;
    next.host = std::move(clear.host);
    next.last_line = std::move(clear.last_line);
    next.sessions_of_client = clear.sessions_of_client;
    next.max_message_size = clear.max_message_size;
    next.channel_bindings = std::move(clear.channel_bindings);

    next.errors = clear.errors;
    next.messages = clear.messages;
    next.exchanges = clear.exchanges;
    next.junk_commands = clear.junk_commands;
    next.mail_commands = clear.mail_commands;
    next.recipient_domains = std::move(clear.recipient_domains);

    next.karma = clear.karma - clear.hello_karma;  // HELO and EHLO will be judged again
    next.notes = std::move(clear.notes);
    next.notes.forget(NoteScope::hello);
    next.authentication_results = std::move(clear.authentication_results);
    if (const auto& before = clear.before_hello) {
        next.is_relay_client = before->is_relay_client;
        next.whitelisted = before->whitelisted;
        next.complaints = before->complaints;
        next.authentication_results.truncate(before->results);
    } else {
        next.is_relay_client = clear.is_relay_client && clear.auth_user.empty();
        next.whitelisted = std::move(clear.whitelisted);
        next.complaints = std::move(clear.complaints);
    }
    next.authentication_results.remove("auth");
    return next;
}

ClientState after_xclient(const ClientState& before, const Settings& settings, const IpAddress& address,
                          const IpAddress& proxy) {
    ClientState next(settings, address);
    next.introduced_by = proxy;
    next.sessions_of_client = before.sessions_of_client;
    return next;
}

}  // namespace smtpd::engine
