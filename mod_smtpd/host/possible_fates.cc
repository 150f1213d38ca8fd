#include "host/possible_fates.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <utility>

namespace smtpd::host {
namespace {

/// "" if the fate is valid.
std::string problem_of(const Fate& fate) {
    using Kind = Fate::Kind;
    int code_class = 0;
    switch (fate.kind) {
        case Kind::unknown: return "no fate";
        case Kind::delivered: code_class = 2; break;
        case Kind::deferred: code_class = 4; break;
        case Kind::rejected: code_class = 5; break;
        default: return format_text("impossible fate {}", static_cast<int>(fate.kind));
    }
    if (fate.reply.code == 0 || fate.reply.code / 100 == code_class) return {};
    return format_text("impossible reply code {}", fate.reply.code);
}

}  // namespace

Fate local_error() { return deferred("Local error in processing").with_code(451).with_status({4, 3, 0}); }

std::string make_possible(DeliveryResult& result, const std::vector<Recipient>& recipients) {
    if (result.is_declined() && result.count_own() == 0) return {};
    const auto has_own = [&](const Recipient& recipient) { return result.has_own(recipient); };
    const bool names_strangers = result.count_own() >
                                 static_cast<std::size_t>(std::count_if(recipients.begin(), recipients.end(), has_own));
    std::string problem;
    if (names_strangers) problem = "a fate for an address that is not a recipient";
    else if (result.is_declined()) problem = "both not_mine() and a fate for a recipient";
    else if (recipients.empty()) problem = problem_of(result.for_all());
    DeliveryResult possible = local_error();
    for (const auto& recipient : recipients) {
        const bool is_left_out = names_strangers && !has_own(recipient);
        const std::string why = is_left_out ? std::string() : problem_of(result.of(recipient));
        if (problem.empty() && !why.empty())
            problem = format_text("{} for {}", why, quoted(recipient.address().path()));
        if (!is_left_out && why.empty()) possible[recipient] = result.of(recipient);
    }
    if (!problem.empty()) result = std::move(possible);
    return problem;
}

}  // namespace smtpd::host
