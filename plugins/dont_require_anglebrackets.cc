/// dont_require_anglebrackets: accept MAIL FROM:user@example.com.
///
/// RFC 5321 4.1.2 requires `<user@example.com>`, and without this plugin the server refuses any other form with 501.
/// Some old programs, and people who type, omit the brackets. At the mail_pre and rcpt_pre hooks the plugin adds
/// brackets to an address without them. An empty address (`MAIL FROM:`) becomes the null sender. A client that omits
/// the brackets loses two points of karma.
///
/// ## Differences from qpsmtpd
///
/// Other plugins at these hooks run as well; in qpsmtpd, this plugin always ends the chain.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class DontRequireAngleBrackets final : public Plugin {
public:
    explicit DontRequireAngleBrackets(Setup& setup) {
        for (auto* point : {&setup.hooks.mail_pre, &setup.hooks.rcpt_pre})
            point->add([](const PathHook& hook) { return add_brackets(hook); });
    }

private:
    static constexpr int karma = -2;

    static Response add_brackets(const PathHook& hook) {
        const bool has_any = !hook.path.empty() && (hook.path.front() == '<' || hook.path.back() == '>');
        if (!has_any) {
            hook.log(LogLevel::info, "info: no brackets around {}", quoted(hook.path));
            hook.path = "<" + hook.path + ">";
            hook.connection.adjust_karma(karma);
        }
        return declined();
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("dont_require_anglebrackets", smtpd::plugins::DontRequireAngleBrackets);
