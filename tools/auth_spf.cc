/// auth_spf.cc: smtpd-auth spf: tests with SPF whether a client may send for a sender.
#include "tools/auth_spf_request.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/mailauth/spf.h>

namespace smtpd::tools {
namespace {

using mailauth::SpfRequest;

/// Reads a sender: "<a@b>", "\"a b\"@c", "@c", "c" or "". Even a domain that no mail server would accept is tested.
SpfRequest request_for(const IpAddress& client, const std::string& helo, std::string sender) {
    if (sender.starts_with('<') && sender.ends_with('>')) sender = sender.substr(1, sender.size() - 2);
    if (sender.starts_with('"'))
        if (const auto address = Address::parse(sender)) return SpfRequest::mail_from(client, helo, *address);
    const auto at = sender.rfind('@');
    if (at == std::string::npos) return SpfRequest::mail_from(client, helo, "", sender);
    return SpfRequest::mail_from(client, helo, sender.substr(0, at), sender.substr(at + 1));
}

int run(AuthCall& call) {
    const auto request = spf_request(call);
    const std::string receiver = call.value("--receiver");
    const mailauth::SpfEvaluator spf(
        {.void_limit = static_cast<unsigned>(call.number("--void", 2, 0, 1000)), .receiver = receiver});
    const auto outcome = call.evaluate(
        [&](mailauth::Lookups& lookups) { return spf.evaluate(request, lookups, call.now()); });
    call.print([&](dry_run::JsonWriter& json) {
        json.text("result", spf_result_name(outcome.result));
        json.text("explanation", outcome.explanation);
        json.text("identity", request.identity == mailauth::SpfIdentity::helo ? "helo" : "mailfrom");
        json.text("domain", request.domain);
        json.text("mechanism", outcome.mechanism);
        json.text("problem", outcome.problem);
        json.number("lookups", outcome.lookups);
        json.number("void", outcome.voids);
        json.text("received_spf", "Received-SPF: " + received_spf(request, outcome, receiver));
    });
    return good;
}

}  // namespace

SpfRequest spf_request(const AuthCall& call) {
    const std::string ip = call.value("--ip"), helo = call.value("--helo");
    const auto client = IpAddress::parse(ip);
    if (!client) throw AuthError(format_text("--ip takes an IP address, not \"{}\"", quoted(ip)), usage_error);
    return call.has("--mail-from") ? request_for(*client, helo, call.value("--mail-from"))
                                   : SpfRequest::from_helo(*client, helo);
}

Subcommand spf_subcommand() {
    using enum AuthOption::Use;
    return {.name = "spf",
            .words = "",
            .help = "checks whether a client may send for a domain",
            .options = {{"--ip", "ADDRESS", needed, "of the client"},
                        {"--helo", "NAME", optional, "what the client said with EHLO"},
                        {"--mail-from", "ADDRESS", optional,
                         "the sender, \"\" for the null sender; without it, HELO is checked"},
                        {"--receiver", "NAME", optional, "our name, for explanations and Received-SPF"},
                        {"--void", "NUMBER", optional, "void answers that are allowed (2)"}},
            .run = run};
}

}  // namespace smtpd::tools
