/// auth_check.cc: smtpd-auth check: tests one message with SPF, DKIM, ARC and DMARC, and prints the fields that the
/// plugins would add.
#include "engine/authentication_results.h"
#include "tools/auth_message.h"
#include "tools/auth_spf_request.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/mailauth/arc.h>
#include <smtpd/mailauth/author_domain.h>
#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/dmarc.h>
#include <smtpd/mailauth/spf.h>
#include <smtpd/message.h>

#include <cstdio>

namespace smtpd::tools {
namespace {

/// Runs the tests in the order of the plugins, and collects their results.
class Check {
public:
    explicit Check(AuthCall& call)
        : call_(call), authserv_id_(call.value("--authserv-id")), message_(read_message(read_message())) {}

    void spf() {
        const auto request = spf_request(call_);
        const mailauth::SpfEvaluator evaluator({.receiver = authserv_id_});
        const auto outcome = call_.evaluate(
            [&](mailauth::Lookups& lookups) { return evaluator.evaluate(request, lookups, call_.now()); });
        received_spf_ = received_spf(request, outcome, authserv_id_);
        results_.add(spf_authentication_result(request, outcome));
    }

    void dkim() {
        const mailauth::DkimPolicy policy{.accepts_partial_body = false};
        for (auto& result : mailauth::dkim_results(call_.evaluate([&](mailauth::Lookups& lookups) {
                 return mailauth::verify_dkim(*message_, lookups, keys_, seconds(), policy);
             })))
            results_.add(std::move(result));
    }

    void arc() {
        results_.add(mailauth::arc_result(call_.evaluate(
            [&](mailauth::Lookups& lookups) { return mailauth::validate_arc(*message_, lookups, keys_, seconds()); })));
    }

    void dmarc() {
        const auto author = mailauth::author_domain(Headers(message_->header_block()).get_all("From"));
        if (!author.found()) {
            results_.add({.method = "dmarc", .result = "permerror", .reason = author.reason()});
            return;
        }
        const auto judged = mailauth::dmarc_message(author.domain, view().all());
        const auto result = call_.evaluate(
            [&](mailauth::Lookups& lookups) { return mailauth::evaluate_dmarc(judged, {}, lookups); });
        results_.add(mailauth::dmarc_authentication_result(result, result.disposition));
    }

    void print() const {
        Headers fields;
        fields.append("Received-SPF", received_spf_);
        fields.append("Authentication-Results",
                      engine::authentication_results_value(view(), authserv_id_, engine::FieldText::ascii));
        std::fputs(fields.to_string().c_str(), stdout);
    }

private:
    std::chrono::sys_seconds seconds() const { return std::chrono::floor<std::chrono::seconds>(call_.now()); }
    ResultsView view() const { return {results_, nullptr}; }

    AuthCall& call_;
    const std::string authserv_id_;
    const std::unique_ptr<mailauth::MessageReader> message_;
    mailauth::KeyCache keys_;
    AuthenticationResults results_;
    std::string received_spf_;
};

int run(AuthCall& call) {
    Check check(call);
    check.spf();
    check.dkim();
    check.arc();
    check.dmarc();
    check.print();
    return good;
}

}  // namespace

Subcommand check_subcommand() {
    using enum AuthOption::Use;
    return {.name = "check",
            .words = "",
            .help = "prints the fields that the plugins write into the message on standard input",
            .options = {{"--ip", "ADDRESS", needed, "of the client"},
                        {"--helo", "NAME", needed, "what the client said with EHLO"},
                        {"--mail-from", "ADDRESS", needed, "the sender, \"\" for the null sender"},
                        {"--authserv-id", "NAME", needed, "our name in the fields"}},
            .run = run};
}

}  // namespace smtpd::tools
