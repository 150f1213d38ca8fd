/// random_error: fail at random, to test how other software reacts.
///
/// Use it for tests only, never on a production server. The plugin fails at connect, helo, ehlo, mail, rcpt, data and
/// data_post at random, so that about `percent` of 100 messages that go through the usual six steps meet an error. Two
/// of five errors close the connection. All errors are temporary.
///
/// The chances are derived from the session's id, so a test with fixed ids has the same errors each time.
///
/// ## Notes
///
/// If another plugin sets the connection's note `random_error_percent`, its value replaces the option for that client.
/// With a percentage of 0 or less, the plugin causes no errors.
///
/// ## Replies
///
/// `4xx 4.3.0 Random temporary error`, with the code of the hook.
///
/// ## Example
///
///     SmtpPlugin random_error 5
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

#include <cmath>
#include <functional>
#include <random>

namespace smtpd::plugins {

class RandomError final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool accepts_recipients = false;

    struct Options {
        double percent = 1;

        static OptionTable table() {
            return {option("percent", &Options::percent, "how many of 100 messages fail; 0 or less = none")
                        .range("-100", "100")
                        .positional(0)};
        }
    };

    RandomError(Setup& setup, const Options& options) : percent_(options.percent) {
        auto& hooks = setup.hooks;
        const auto response = [this](const SessionContext& hook) { return roll(hook); };
        hooks.connect.add(response);
        hooks.helo.add(response);
        hooks.ehlo.add(response);
        hooks.mail.add(response);
        hooks.rcpt.add(response);
        hooks.data.add(response);
        hooks.data_post.add(response);
    }

private:
    static constexpr double steps_of_a_message = 6;

    struct Dice {
        std::minstd_rand numbers;
        bool is_seeded = false;
    };

    Response roll(const SessionContext& hook) const {
        auto& notes = hook.connection.notes();
        const auto* of_client = notes.find(notes::random_error_percent);
        const double percent = of_client ? *of_client : percent_;
        if (percent <= 0) return declined();
        auto& dice = notes.get(dice_note_);
        if (!std::exchange(dice.is_seeded, true))
            dice.numbers.seed(static_cast<unsigned>(std::hash<std::string>{}(hook.connection.id())));

        std::uniform_real_distribution<double> chance(0, 1);
        if (chance(dice.numbers) < std::pow(1 - std::min(percent, 100.0) / 100, 1 / steps_of_a_message))
            return declined();
        const bool disconnects = chance(dice.numbers) < 0.4;
        hook.log(LogLevel::info, "fail: random error");
        return Response(disconnects ? Verdict::denysoft_disconnect : Verdict::denysoft, "Random temporary error")
            .with_status({4, 3, 0});
    }

    const NoteKey<Dice> dice_note_{"random_error.dice"};
    const double percent_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("random_error", smtpd::plugins::RandomError);
