/// auth_ar_parse.cc: smtpd-auth ar-parse: parses an Authentication-Results field.
#include "support/strings.h"
#include "tools/auth_command.h"

#include <smtpd/mailauth/authentication_results_field.h>

namespace smtpd::tools {
namespace {

using mailauth::AuthenticationResultsField;

/// The value of a field. The input is a whole field or only its value; further header lines after it are ignored.
std::string value_of(std::string text) {
    for (const std::string_view name : {"authentication-results:", "original-authentication-results:"})
        if (support::starts_with_folded(text, name)) text.erase(0, name.size());
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', end + 1))
        if (end + 1 == text.size() || !support::is_blank(text[end + 1])) text.resize(end);
    return text;
}

void print(dry_run::JsonWriter& json, const AuthenticationResult& result) {
    json.object([&] {
        json.text("method", result.method);
        json.number("version", result.version);
        json.text("result", result.result);
        json.text("reason", result.reason);
        json.text("comment", result.comment);
        json.array("properties", [&] {
            for (const auto& property : result.properties)
                json.object([&] {
                    json.text("type", property.type);
                    json.text("name", property.name);
                    json.text("value", property.value);
                });
        });
    });
}

int run(AuthCall& call) {
    const std::string value = value_of(AuthCall::read_input());
    std::string why;
    const auto field = AuthenticationResultsField::parse(value, &why);
    call.print([&](dry_run::JsonWriter& json) {
        json.truth("valid", field.has_value());
        if (!field) json.text("problem", why);
        if (field) {
            json.text("authserv_id", field->authserv_id);
            json.number("version", field->version);
            json.array("results", [&] {
                for (const auto& result : field->results) print(json, result);
            });
        }
        if (call.has("--authserv-id"))
            json.truth("claims_id", mailauth::claims_authserv_id(value, call.value("--authserv-id")));
    });
    return good;
}

}  // namespace

Subcommand ar_parse_subcommand() {
    return {.name = "ar-parse",
            .words = "",
            .help = "parses a field Authentication-Results from standard input",
            .options = {{"--authserv-id", "NAME", AuthOption::Use::optional,
                         "says whether the field claims to be of NAME"}},
            .run = run};
}

}  // namespace smtpd::tools
