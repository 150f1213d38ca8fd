/// session_proxy.cc: XCLIENT and XFORWARD: a mail server in front of this one, which the administrator trusts,
/// announces the client that it speaks for.
///
/// After XCLIENT the session starts over with that client: everything known about the previous one, including what
/// plugins found out, is forgotten, and the hooks of a new connection run. XFORWARD is recorded and changes nothing.
/// Postfix defines both.
#include "engine/session.h"

#include "smtp/client_attributes.h"
#include "support/strings.h"

namespace smtpd::engine {

/// Parses the attributes; nothing if the client is not allowed to send them, or not now, or if the syntax is wrong.
/// Then the client was told.
std::optional<smtp::ClientAttributes> Session::attributes_of(smtp::AttributeCommand command, std::string_view rest) {
    auto parsed = smtp::parse_client_attributes(command, rest);
    const auto* const refused = std::get_if<Reply>(&parsed);
    if (!proxy_ || transaction_ || refused) {
        respond(!proxy_        ? reply(StandardReply::not_a_proxy)
                : transaction_ ? reply(StandardReply::nested_mail)
                               : *refused);
        return std::nullopt;
    }
    return std::get<smtp::ClientAttributes>(std::move(parsed));
}

void Session::xforward(std::string_view rest) {
    const auto attributes = attributes_of(smtp::AttributeCommand::xforward, rest);
    if (!attributes) return;
    const auto take = [](auto& target, const auto& value) { target = value.value_or(target); };
    Forwarded& forwarded = state_.forwarded ? *state_.forwarded : state_.forwarded.emplace();
    take(forwarded.name, attributes->name);
    take(forwarded.address, attributes->address);
    take(forwarded.port, attributes->port);
    take(forwarded.protocol, attributes->protocol);
    take(forwarded.helo, attributes->helo);
    take(forwarded.ident, attributes->ident);
    if (attributes->source) forwarded.is_local = *attributes->source == "LOCAL";
    write_log(LogLevel::info, "forwarded for {} {}", quoted(forwarded.name.empty() ? "unknown" : forwarded.name),
              quoted(format_text("[{}]:{} helo={} proto={} ident={} source={}", forwarded.address, forwarded.port,
                                 forwarded.helo, forwarded.protocol, forwarded.ident,
                                 forwarded.is_local ? "local" : "remote")));
    respond(StandardReply::reset_ok);
}

void Session::xclient(std::string_view rest) {
    const auto attributes = attributes_of(smtp::AttributeCommand::xclient, rest);
    if (!attributes) return;
    notify(HookId::disconnect);
    notify(HookId::post_connection);
    become(*attributes);
    if (over_) return;
    begin();
}

void Session::become(const smtp::ClientAttributes& attributes) {
    if (attributes.address) client_ = {attributes.address->is_unspecified() ? proxy_->address : *attributes.address, 0};
    client_.port = attributes.port.value_or(client_.port);
    Endpoint local;
    if (attributes.destination && !attributes.destination->is_unspecified())
        local = local_ = {*attributes.destination, 0};
    local_.port = local.port = attributes.destination_port.value_or(local_.port);
    state_ = after_xclient(state_, settings_, client_.address, proxy_->address);
    lines_.set_limit(line_limit());
    state_.host = attributes.name.value_or("");
    state_.hello_host = attributes.helo.value_or("");
    if (services_.clients) {
        const auto sessions = services_.clients->change_client(client_, local);
        if (!sessions) return end_connection(StandardReply::too_many_sessions);
        state_.sessions_of_client = *sessions;
    }
    write_log(LogLevel::info, "client of proxy {}{}{}", proxy_->address,
              state_.hello_host.empty() ? "" : " helo=" + quoted(hello_host()),
              attributes.protocol.value_or("").empty() ? "" : " proto=" + *attributes.protocol);
    if (const auto login = attributes.login.value_or(""); !login.empty()) {
        state_.auth_user = login;
        state_.auth_mechanism = "XCLIENT";
        state_.record_login();
        state_.is_relay_client = true;
        write_log(LogLevel::info, "authenticated at the proxy as {}", quoted(auth_user()));
    }
}

}  // namespace smtpd::engine
