/// reports_errors.cc: the constructor reports two errors and a warning.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class ReportsErrors final : public Plugin {
public:
    explicit ReportsErrors(Setup& setup) {
        setup.error("the first of {} mistakes", 2);
        setup.warning("something doubtful");
        setup.error("the second mistake");
    }
};

SMTPD_PLUGIN("reports_errors", ReportsErrors);
}  // namespace smtpd::plugins
