/// dmarc_load.cc: how many evaluations of DMARC a second one core makes with a warm DNS cache.
///
/// dmarc_load [--seconds S]
///
/// 1,000 domains with a record each. A message comes from a name two labels below its domain, with a signature of the
/// domain itself; every other one has a second signature, of another name below the domain, and SPF of a third one, so
/// that three walks are made. The From field is read as well. The answers come from the server's own DNS cache. Prints
/// JSON: evaluations, passes, seconds of CPU.
#include "bench/evaluation_load.h"

#include <smtpd/mailauth/dmarc.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;
using bench::domain_of;

bool passes(int number, mailauth::Lookups& lookups) {
    const std::string domain = domain_of(number);
    const auto author = mailauth::author_domain({"\"A. User\" <user@a.mail." + domain + ">"});
    mailauth::DmarcMessage message{.author = author.domain};
    if (number % 2 != 0) {
        message.dkim = {{domain, "pass"}};
    } else {
        message.dkim = {{"news." + domain, "pass"}};
        message.spf = {{"bounce." + domain, "pass"}};
    }
    return mailauth::evaluate_dmarc(message, {}, lookups)->outcome == mailauth::DmarcOutcome::pass;
}

int measure(double seconds) {
    net::ZoneResolver zone;
    for (int i = 0; i < bench::domains; ++i)
        if (!zone.add("_dmarc." + domain_of(i) + " TXT v=DMARC1; p=reject; rua=mailto:r@" + domain_of(i))) return 1;
    return bench::measure_evaluations(zone, seconds, 1, passes);
}

}  // namespace

int main(int argc, char** argv) {
    double seconds = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--seconds" && i + 1 < argc) seconds = std::atof(argv[++i]);
        else return 2;
    }
    return measure(seconds);
}
