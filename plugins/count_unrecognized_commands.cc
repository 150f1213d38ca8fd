/// count_unrecognized_commands: close the connection after too many unknown commands.
///
/// A client that sends HTTP or noise to an SMTP server wastes a connection. The plugin counts unknown commands at the
/// unrecognized_command hook. The server answers each of them with 500. When the count reaches `max`, the plugin closes
/// the connection instead.
///
/// ## Replies
///
/// `521 5.5.1 Closing connection, too many unrecognized commands`.
///
/// ## Example
///
///     SmtpPlugin count_unrecognized_commands 4
///
/// ## Limits
///
/// If a plugin serves a command that the server does not know (STARTTLS, XCLIENT), load it before this plugin.
/// Otherwise this plugin counts the command as unknown.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class CountUnrecognizedCommands final : public Plugin {
public:
    struct Options {
        unsigned max = 4;

        static OptionTable table() {
            return {option("max", &Options::max, "the number of unknown commands that ends the session")
                        .range("1", "1000")
                        .positional(0)};
        }
    };

    CountUnrecognizedCommands(Setup& setup, const Options& options) : max_(options.max) {
        setup.hooks.unrecognized_command.add([this](const UnrecognizedHook& hook) { return count(hook); });
    }

private:
    Response count(const UnrecognizedHook& hook) const {
        const unsigned count = ++hook.connection.notes().get(count_note_);
        const bool is_fail = count >= max_;
        hook.log(is_fail ? LogLevel::info : LogLevel::debug, "{}: unrecognized command {} of {}: {}",
                 is_fail ? "fail" : "pass", count, max_, quoted(hook.verb, 64));
        if (!is_fail) return declined();
        return deny_disconnect("Closing connection, too many unrecognized commands").with_status({5, 5, 1});
    }

    const NoteKey<unsigned> count_note_{"count_unrecognized_commands"};
    const unsigned max_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("count_unrecognized_commands", smtpd::plugins::CountUnrecognizedCommands);
