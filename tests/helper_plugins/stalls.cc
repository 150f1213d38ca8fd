/// stalls: a plugin whose back end stands still as long as a file exists.
///
///     SmtpPlugin stalls /path/of/the/file at=queue
///
/// `at` is mail, rcpt, queue, auth or disconnect. With `declared=no` it does not say that it waits.
#include <smtpd/plugin.h>

#include <filesystem>
#include <system_error>

namespace smtpd::plugins {

class Stalls final : public Plugin {
public:
    static constexpr bool reads_body = false;
    enum class At { mail, rcpt, queue, auth, disconnect };

    struct Options {
        std::string file;
        At at = At::queue;
        bool declared = true;

        static OptionTable table() {
            return {option("file", &Options::file, "it waits as long as this exists").positional(0).required(),
                    option("at", &Options::at, "where").choices({{"mail", At::mail},
                                                                  {"rcpt", At::rcpt},
                                                                  {"queue", At::queue},
                                                                  {"auth", At::auth},
                                                                  {"disconnect", At::disconnect}}),
                    option("declared", &Options::declared, "whether it says so")};
        }
    };
    static bool waits_for_backend(const Options& options) noexcept { return options.declared; }

    Stalls(Setup& setup, const Options& options) : file_(options.file) {
        auto& hooks = setup.hooks;
        switch (options.at) {
            case At::mail: hooks.mail.add([this](const MailHook& hook) { return stall(hook), declined(); }); break;
            case At::rcpt: hooks.rcpt.add([this](const RcptHook& hook) { return stall(hook), declined(); }); break;
            case At::queue: hooks.queue.deliver([this](const QueueHook& hook) { return stall(hook), declined(); }); break;
            case At::auth:
                hooks.auth.add([this](const AuthHook& hook) { return stall(hook), denysoft(); });
                break;
            case At::disconnect: hooks.disconnect.observe([this](const DisconnectHook& hook) { stall(hook); }); break;
        }
    }

private:
    void stall(const HookContext& hook) const {
        std::error_code ignored;
        while (std::filesystem::exists(file_, ignored)) hook.wait(Duration(10));
    }

    const std::string file_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("stalls", smtpd::plugins::Stalls);
