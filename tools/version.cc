#include "tools/version.h"

#include <smtpd/base/format.h>

#include <cstdio>

namespace smtpd::tools {

void show_version(std::string_view program) {
    std::fputs(format_text("{} (mod_smtpd) {}\n", program, SMTPD_VERSION).c_str(), stdout);
}

}  // namespace smtpd::tools
