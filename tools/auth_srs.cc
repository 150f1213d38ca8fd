/// auth_srs.cc: smtpd-auth srs: rewrites an address as a forwarder does, and reverses it.
#include "mailauth/srs.h"
#include "support/strings.h"
#include "tools/auth_command.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

namespace smtpd::tools {
namespace {

std::vector<std::string> read_secrets(const AuthCall& call) {
    std::vector<std::string> secrets = call.values("--secret");
    if (call.has("--secret-file")) {
        const std::string text = read_whole_file(call.value("--secret-file"));
        for (const auto line : support::split(text, '\n'))
            if (const auto secret = support::trim(line); !secret.empty() && secret.front() != '#')
                secrets.emplace_back(secret);
    }
    if (secrets.empty()) throw AuthError("srs needs --secret-file FILE or --secret TEXT", usage_error);
    return secrets;
}

int run(AuthCall& call) {
    const std::string& direction = call.words()[0];
    const bool is_forward = direction == "forward";
    if (!is_forward && direction != "reverse")
        throw AuthError(format_text("srs takes forward or reverse, not \"{}\"", quoted(direction)), usage_error);
    std::string text = call.words()[1];
    if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
    const auto address = text.empty() ? Address() : Address::parse(text);
    if (!address) throw AuthError(format_text("\"{}\" is no address", quoted(text)), usage_error);
    const std::string separator = call.value("--separator", "=");
    if (separator != "=" && separator != "+" && separator != "-")
        throw AuthError(format_text("--separator takes =, + or -, not \"{}\"", quoted(separator)), usage_error);
    if (is_forward && !call.has("--domain")) throw AuthError("srs forward needs --domain NAME", usage_error);
    const mailauth::SrsSettings settings{
        .secrets = read_secrets(call),
        .domain = call.value("--domain"),
        .separator = separator.front(),
        .hash_length = static_cast<std::size_t>(call.number("--hash-length", 4, 4, 27)),
        .max_age_days = static_cast<unsigned>(call.number("--max-age", 21, 0, 1023)),
        .max_local_part = static_cast<std::size_t>(call.number("--max-local-part", 64, 1, 1000))};
    const auto made = is_forward ? srs_forward(*address, settings, call.now())
                                 : srs_reverse(*address, settings, call.now());
    call.print([&](dry_run::JsonWriter& json) {
        json.text("result", made ? "pass" : "fail");
        if (made) json.text("address", made->to_string());
        else json.text("reason", made.error().what);
    });
    return good;
}

}  // namespace

Subcommand srs_subcommand() {
    using enum AuthOption::Use;
    return {.name = "srs",
            .words = "forward|reverse ADDRESS",
            .help = "rewrites a sender as a forwarder does, and back",
            .options = {{"--domain", "NAME", optional, "ours"},
                        {"--secret-file", "FILE", optional, "a secret a line; the first one signs"},
                        {"--secret", "TEXT", repeated, "a secret; others on this machine may see it"},
                        {"--separator", "=|+|-", optional, "behind SRS0 (=)"},
                        {"--hash-length", "NUMBER", optional, "characters (4)"},
                        {"--max-age", "DAYS", optional, "of an address that comes back (21)"},
                        {"--max-local-part", "NUMBER", optional, "octets (64)"}},
            .least_words = 2,
            .most_words = 2,
            .run = run};
}

}  // namespace smtpd::tools
