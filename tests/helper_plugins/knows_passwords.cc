/// knows_passwords: a back end for tests of AUTH, with the passwords in its options.
///
///     SmtpPlugin knows_passwords account=joe:secret cram=yes delay=200ms
///
/// With `cram` it handles the hooks of all mechanisms, otherwise only `auth`. The user "down" gets a temporary failure.
/// Each answer takes `delay`.
#include <smtpd/plugin.h>

#include <algorithm>

namespace smtpd::plugins {

class KnowsPasswords final : public Plugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        std::vector<std::string> account;
        bool cram = false;
        Duration delay{0};

        static OptionTable table() {
            return {option("account", &Options::account, "user:password, may be given several times"),
                    option("cram", &Options::cram, "whether CRAM-MD5 is handled"),
                    option("delay", &Options::delay, "how long a client waits")};
        }
    };

    KnowsPasswords(Setup& setup, const Options& options) : options_(options) {
        auto& hooks = setup.hooks;
        if (!options_.cram) serve(hooks.auth);
        if (options_.cram)
            for (auto* point : {&hooks.auth_plain, &hooks.auth_login, &hooks.auth_cram_md5}) serve(*point);
    }

private:
    template <class Point>
    void serve(Point& point) {
        point.ask([this](const AuthHook&, Questions& questions) { questions.delay(options_.delay); })
            .add([this](const AuthHook& hook) { return respond(hook); });
    }

    Response respond(const AuthHook& hook) const {
        if (hook.user() == "down") return denysoft();
        for (const auto& account : options_.account) {
            const auto colon = std::min(account.find(':'), account.size());
            if (std::string_view(account).substr(0, colon) != hook.user()) continue;
            hook.log(LogLevel::debug, "known: {}", quoted(hook.user()));
            return hook.proves(std::string_view(account).substr(std::min(colon + 1, account.size()))) ? ok() : deny();
        }
        return declined();
    }

    const Options options_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("knows_passwords", smtpd::plugins::KnowsPasswords);
