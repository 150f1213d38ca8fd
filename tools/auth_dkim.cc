/// auth_dkim.cc: smtpd-auth dkim and dkim-sign: verify and make the DKIM signatures of a message.
#include "tools/auth_message.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/dkim_sign.h>

#include <cstdio>

namespace smtpd::tools {
namespace {

using mailauth::Canonicalization;

std::chrono::sys_seconds seconds_of(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

int verify(AuthCall& call) {
    const auto message = read_message(read_message());
    mailauth::KeyCache keys;
    const mailauth::DkimPolicy policy{.accepts_partial_body = !call.has("--whole-body")};
    const auto signatures = call.evaluate([&](mailauth::Lookups& lookups) {
        return mailauth::verify_dkim(*message, lookups, keys, seconds_of(call.now()), policy);
    });
    call.print([&](dry_run::JsonWriter& json) {
        json.array("signatures", [&] {
            for (const auto& signature : signatures)
                json.object([&] {
                    json.text("d", signature.domain);
                    json.text("s", signature.selector);
                    json.text("i", signature.identity);
                    json.text("a", signature.algorithm);
                    json.text("result", dkim_result_word(signature.result));
                    json.text("reason", signature.reason);
                    json.truth("testing", signature.is_testing);
                    json.number("key_bits", signature.key_bits);
                    json.number("unsigned", static_cast<std::int64_t>(signature.unsigned_octets));
                });
        });
    });
    return good;
}

Canonicalization form_of(const std::string& word) {
    if (word == "relaxed" || word == "r") return Canonicalization::relaxed;
    if (word == "simple" || word == "s") return Canonicalization::simple;
    throw AuthError(format_text("--canon takes header/body, each simple or relaxed, not \"{}\"", quoted(word)),
                    usage_error);
}

/// Reads "relaxed/simple" or "r/s". A single word is the form of the header; the body is simple then, as in c= (RFC
/// 6376 3.5).
std::pair<Canonicalization, Canonicalization> forms_of(const std::string& text) {
    const auto slash = text.find('/');
    return {form_of(text.substr(0, slash)),
            slash == std::string::npos ? Canonicalization::simple : form_of(text.substr(slash + 1))};
}

int sign(AuthCall& call) {
    const auto selectors = call.values("--selector"), keys = call.values("--key");
    if (keys.empty()) throw AuthError("dkim-sign needs --key and --selector", usage_error);
    if (selectors.size() != keys.size()) throw AuthError("each --key needs a --selector", usage_error);
    const std::string message = read_message();
    const auto [header_form, body_form] = forms_of(call.value("--canon", "relaxed/relaxed"));
    std::optional<std::uint64_t> limit;
    if (call.has("--l")) limit = call.number("--l", 0, 0, ~std::uint64_t{0} >> 1U);
    const auto body = hashed_body(message, body_form, limit);
    const auto reader = read_message(message);
    mailauth::DkimSigning signing{
        .domain = ascii_domain(call.value("--domain")), .selector = {}, .header_form = header_form};
    signing.fields = names_of(call.value("--headers"));
    signing.time = std::chrono::sys_seconds(std::chrono::seconds(call.number(
        "--time", static_cast<std::uint64_t>(seconds_of(call.now()).time_since_epoch().count()), 0, 999999999999)));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        signing.selector = selectors[i];
        const auto value = mailauth::sign_dkim(reader->header_block(), body, signing, read_key(keys[i]));
        if (!value) throw AuthError(value.error().what, data_error);
        std::fputs(format_text("DKIM-Signature: {}\r\n", *value).c_str(), stdout);
    }
    return good;
}

}  // namespace

Subcommand dkim_subcommand() {
    using enum AuthOption::Use;
    return {.name = "dkim",
            .words = "",
            .help = "verifies the signatures of the message on standard input",
            .options = {{"--whole-body", "", optional, "l= that leaves out a part of the body is \"policy\""}},
            .run = verify};
}

Subcommand dkim_sign_subcommand() {
    using enum AuthOption::Use;
    return {.name = "dkim-sign",
            .words = "",
            .help = "prints the signature fields of the message on standard input",
            .options = {{"--domain", "DOMAIN", needed, "d="},
                        {"--selector", "NAME", repeated, "s=, one for each key"},
                        {"--key", "FILE", repeated, "a private key in PEM; it decides the algorithm"},
                        {"--canon", "HEADER/BODY", optional, "simple or relaxed, twice (relaxed/relaxed)"},
                        {"--headers", "A:B", optional, "h=; without it, what should be signed, oversigned"},
                        {"--time", "EPOCH", optional, "t=; without it, --now"},
                        {"--l", "NUMBER", optional, "l=, octets of the body that are signed"}},
            .run = sign};
}

}  // namespace smtpd::tools
