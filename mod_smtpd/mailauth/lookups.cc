/// lookups.cc: in the final evaluation, a missing answer counts as timed out.
#include <smtpd/mailauth/lookups.h>

namespace smtpd::mailauth {

const DnsAnswer& AnswerLookups::dns(DnsType type, std::string_view name) {
    static const DnsAnswer late = DnsAnswer::failure(DnsStatus::timed_out, "no answer in time");
    const DnsAnswer& answer = answers_.dns(type, name);
    return answer.status() == DnsStatus::not_asked ? late : answer;
}

}  // namespace smtpd::mailauth
