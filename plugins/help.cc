/// help: answer HELP with texts from files.
///
/// `HELP` alone gets a hint. `HELP MAIL` gets the content of the file `mail` (the command in lower case) in the
/// directory `help_dir`, line by line. You can name another file for a command. The plugin reads the file each time a
/// client asks for it.
///
/// ## Options
///
/// Bare words are pairs of a command and its file. A relative file name is relative to `help_dir`.
///
///     SmtpPlugin help help_dir=/etc/smtpd/help
///     SmtpPlugin help MAIL mail.txt RCPT recipients.txt
///     SmtpPlugin help not_implemented=1
///
/// ## Replies
///
/// 214 with the text. `504 5.5.4 No help for X` if the file does not exist. `501 5.5.4` if the argument is more than
/// one word of letters, digits and `_`. With `not_implemented`, `502 5.5.1` to every HELP.
///
/// ## Differences from qpsmtpd
///
/// `help_dir` keeps its default if other options are set, and relative file names are found. `help_dir` is relative to
/// the server's root, not to the directory in which the server was started.
///
/// ## Limits
///
/// The plugin does not show a file longer than 16 KB.
#include <smtpd/base/files.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <cerrno>
#include <map>

namespace smtpd::plugins {

class Help final : public Plugin {
public:
    struct Options {
        bool not_implemented = false;
        std::string help_dir = "help";
        std::vector<std::string> files;

        static OptionTable table() {
            return {
                option("not_implemented", &Options::not_implemented, "reply that HELP is not implemented"),
                option("help_dir", &Options::help_dir, "the folder with the files"),
                option("files", &Options::files, "pairs of a command and the file with its text").positional(0).rest()};
        }
    };

    Help(Setup& setup, const Options& options) : directory_(setup.path(options.help_dir)) {
        if (options.files.size() % 2 != 0) setup.error("the command \"{}\" has no file after it", options.files.back());
        for (std::size_t i = 0; i + 1 < options.files.size(); i += 2)
            add_file(setup, ascii_lower(options.files[i]), options.files[i + 1]);
        if (options.not_implemented)
            setup.hooks.help.add([](const CommandHook&) {
                return deny("HELP is not implemented").with_code(502).with_status({5, 5, 1});
            });
        else setup.hooks.help.add([this](const CommandHook& hook) { return respond(hook); });
    }

private:
    static constexpr std::size_t largest = 16384;

    void add_file(Setup& setup, const std::string& command, const std::string& file) {
        if (!is_word(command)) setup.error("\"{}\" is not a command: it may have only letters, digits and _", command);
        files_[command] = file.starts_with('/') || file.starts_with('~') ? setup.path(file) : directory_ + "/" + file;
    }

    static bool is_word(std::string_view text) {
        return !text.empty() && std::all_of(text.begin(), text.end(),
                                            [](char c) { return is_ascii_letter(c) || is_ascii_digit(c) || c == '_'; });
    }

    Response respond(const CommandHook& hook) const {
        if (hook.argument.empty()) return ok("Try HELP and a command, such as HELP MAIL");
        if (!is_word(hook.argument))
            return deny("HELP takes the name of one command").with_code(501).with_status({5, 5, 4});
        const std::string command = ascii_lower(hook.argument);
        const auto known = files_.find(command);
        auto text = read_file(known != files_.end() ? known->second : directory_ + "/" + command, largest);
        if (text && !text->empty()) return {Verdict::ok, *text};
        if (!text && text.error().os_status != ENOENT) hook.log(LogLevel::warning, "error: {}", text.error().what);
        return deny("No help for {}", hook.argument).with_code(504).with_status({5, 5, 4});
    }

    const std::string directory_;
    std::map<std::string, std::string> files_;  ///< command in lower case → path
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("help", smtpd::plugins::Help);
