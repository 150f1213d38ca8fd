/// store_probe: gives access to the store over SMTP, for tests of a running server.
///
///     SmtpPlugin store_probe namespace=probe count_mail=yes
///
/// The command `STORE operation key [value] [seconds]` does that operation and replies 250 with the result, or 450 with
/// the Error. With `count_mail` it counts each sender, as policies do, and refuses a sender with more than 1000
/// messages.
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <sstream>

namespace smtpd::plugins {

class StoreProbe final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;

    struct Options {
        std::string space = "probe";
        bool count_mail = false;

        static OptionTable table() {
            return {option("namespace", &Options::space, "where entries are kept"),
                    option("count_mail", &Options::count_mail, "whether senders are counted")};
        }
    };

    StoreProbe(Setup& setup, const Options& options)
        : octets_(setup.store(options.space)), numbers_(setup.store<std::int64_t>(options.space)) {
        setup.hooks.unrecognized_command.add([this](const UnrecognizedHook& hook) {
            return ascii_equal(hook.verb, "STORE") ? serve(hook) : declined();
        });
        if (!options.count_mail) return;
        setup.hooks.mail.decide([this](const MailHook& hook) -> Finding {
            const auto count = hook.store(numbers_).add(hook.sender().to_string(), 1, std::chrono::hours(1));
            if (!count) return error("store: {}", count.error().what);
            return *count > 1000 ? fail("{} messages", *count) : pass("{} messages", *count);
        });
    }

private:
    Response serve(const UnrecognizedHook& hook) const {
        std::istringstream words{std::string(hook.argument)};
        std::string operation, key, value;
        words >> operation >> key >> value;
        int seconds = 3600;
        words >> seconds;
        const auto said = run(hook, operation, key, value, std::chrono::seconds(words ? seconds : 3600));
        hook.connection.send(said ? Reply{250, {2, 0, 0}, *said} : Reply{450, {4, 3, 0}, quoted(said.error().what)});
        return Response(Verdict::done);
    }

    Result<std::string> run(const UnrecognizedHook& hook, const std::string& operation, const std::string& key,
                            const std::string& value, Duration lifetime) const {
        const auto octets = hook.store(octets_);
        if (operation == "get") {
            const auto found = octets.get(key);
            if (!found) return found.error();
            return found->value_or("(nothing)");
        }
        if (operation == "put") {
            const auto done = octets.put(key, value, lifetime);
            if (!done) return done.error();
            return std::string("done");
        }
        const auto sum = hook.store(numbers_).add(key, std::atoi(value.c_str()), lifetime);
        if (!sum) return sum.error();
        return format_text("{}", *sum);
    }

    const Store<> octets_;
    const Store<std::int64_t> numbers_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("store_probe", smtpd::plugins::StoreProbe);
