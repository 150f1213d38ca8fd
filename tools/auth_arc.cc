/// auth_arc.cc: smtpd-auth arc and arc-seal: validate and seal the ARC chain of a message.
#include "tools/auth_message.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/mailauth/arc.h>

#include <cstdio>

namespace smtpd::tools {
namespace {

std::chrono::sys_seconds seconds_of(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

mailauth::ArcChain chain_of(AuthCall& call, const mailauth::MessageReader& message) {
    mailauth::KeyCache keys;
    return call.evaluate([&](mailauth::Lookups& lookups) {
        return mailauth::validate_arc(message, lookups, keys, seconds_of(call.now()));
    });
}

int validate(AuthCall& call) {
    const auto message = read_message(read_message());
    const auto chain = chain_of(call, *message);
    call.print([&](dry_run::JsonWriter& json) {
        json.text("cv", arc_result_word(chain.result));
        json.text("reason", chain.reason);
        json.number("oldest_pass", static_cast<std::int64_t>(chain.oldest_pass));
        json.number("instances", static_cast<std::int64_t>(chain.instances));
        json.truth("temporary", chain.is_temporary);
        json.array("sealers", [&] {
            for (const auto& set : chain.sets) json.text(set.domain);
        });
    });
    return good;
}

int seal(AuthCall& call) {
    const std::string layout = call.value("--layout", "usual");
    if (layout != "usual" && layout != "standard")
        throw AuthError(format_text("--layout is usual or standard, not \"{}\"", quoted(layout)), usage_error);
    const std::string message = read_message();
    const auto reader = read_message(message);
    const auto chain = chain_of(call, *reader);
    const auto now = static_cast<std::uint64_t>(seconds_of(call.now()).time_since_epoch().count());
    const mailauth::ArcSealing sealing{
        .domain = ascii_domain(call.value("--domain")),
        .selector = call.value("--selector"),
        .authserv_id = call.value("--authserv-id"),
        .fields = names_of(call.value("--headers")),
        .time = std::chrono::sys_seconds(std::chrono::seconds(call.number("--time", now, 0, 999999999999))),
        .layout = layout == "standard" ? mailauth::ArcLayout::standard : mailauth::ArcLayout::usual};
    const auto body = hashed_body(message, mailauth::Canonicalization::relaxed);
    const auto fields = mailauth::seal_arc(reader->header_block(), body, chain, sealing, read_key(call.value("--key")));
    if (!fields) throw AuthError(fields.error().what, data_error);
    if (*fields)
        std::fputs(format_text("ARC-Seal: {}\r\nARC-Message-Signature: {}\r\nARC-Authentication-Results: {}\r\n",
                               (*fields)->seal, (*fields)->message_signature, (*fields)->results)
                       .c_str(),
                   stdout);
    return good;
}

}  // namespace

Subcommand arc_subcommand() {
    return {.name = "arc",
            .words = "",
            .help = "validates the chain of the message on standard input",
            .options = {},
            .run = validate};
}

Subcommand arc_seal_subcommand() {
    using enum AuthOption::Use;
    return {.name = "arc-seal",
            .words = "",
            .help = "prints the three fields of the next set, or nothing if the chain has ended",
            .options = {{"--domain", "DOMAIN", needed, "d= of the sealer"},
                        {"--selector", "NAME", needed, "s="},
                        {"--key", "FILE", needed, "a private key in PEM"},
                        {"--authserv-id", "NAME", needed, "whose Authentication-Results fields are sealed"},
                        {"--headers", "A:B", optional, "h= of ARC-Message-Signature; without it, what DKIM would sign"},
                        {"--time", "EPOCH", optional, "t=; without it, --now"},
                        {"--layout", "WORD", optional, "usual, or standard: tags in alphabetical order"}},
            .run = seal};
}

}  // namespace smtpd::tools
