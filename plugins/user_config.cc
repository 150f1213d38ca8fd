/// user_config: read users' settings from files in their folders.
///
/// A plugin can ask for a setting of a user (in C++ `connection.config(name, address)`). This plugin answers with the
/// lines of a file in that user's folder. If that file does not exist, the setting of the site applies.
///
///     SmtpPlugin user_config
///     SmtpPlugin user_config /srv/mail/%h/%u/settings
///
/// ## The folder
///
/// `pattern` is a path in which `%u` is the local part of the address, `%h` its domain, `%a` both, and `%%` a percent
/// sign. The values are in lower case; for the local part, the directive SmtpLocalPartCase can change that. A non-ASCII
/// domain is in its xn-- form. The file in the folder has the name of the setting, and the format of a control file:
/// blank lines and comments are ignored.
///
/// The values come from clients. Therefore an address has no folder if one of its values contains a slash or a control
/// character, or begins with a dot; the plugin logs this. A file that is unreadable, is not a regular file, or is
/// larger than 64 KB counts as missing, with a warning. httpd's user must be able to read these files. The plugin never
/// runs or includes anything.
///
/// ## Differences from qpsmtpd
///
/// Values from the address cannot lead out of the folder. Comments and blank lines are ignored, as in control files;
/// qpsmtpd keeps them.
#include <smtpd/base/files.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>

namespace smtpd::plugins {

class UserConfig final : public Plugin {
public:
    struct Options {
        std::string pattern = "/home/%u/.qpsmtpd";

        static OptionTable table() {
            return {option("pattern", &Options::pattern, "the folder with a user's files").positional(0)};
        }
    };

    UserConfig(Setup& setup, const Options& options) : pattern_(setup.path(options.pattern)) {
        for (auto percent = pattern_.find('%'); percent != std::string::npos; percent = pattern_.find('%', percent + 2))
            if (const auto what = pattern_.substr(percent, 2);
                what != "%u" && what != "%h" && what != "%a" && what != "%%")
                setup.error("the pattern has \"{}\", but only %u, %h, %a and %% are allowed", what);
        setup.hooks.user_config.add([this](const ConfigHook& hook) { return respond(hook); });
    }

private:
    static constexpr std::size_t largest_file = 64 * 1024;

    /// Whether a foreign text may be a part of a path.
    static bool is_safe(std::string_view text) {
        const auto is_bad = [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
        return !text.empty() && text.front() != '.' && std::none_of(text.begin(), text.end(), is_bad);
    }

    /// The folder of that user; nothing if the address cannot have one.
    std::optional<std::string> folder_of(const Address& user) const {
        std::string folder;
        for (std::size_t i = 0; i < pattern_.size(); ++i) {
            if (pattern_[i] != '%') {
                folder += pattern_[i];
                continue;
            }
            const char what = pattern_[++i];
            std::string value = "%";
            if (what == 'u') value = user.local_key();
            if (what == 'h') value = user.domain_key();
            if (what == 'a') value = user.local_key() + "@" + user.domain_key();
            if (!is_safe(value)) return {};
            folder += value;
        }
        return folder;
    }

    Response respond(const ConfigHook& hook) const {
        if (!hook.user || hook.user->is_null()) return declined();
        const auto folder = folder_of(*hook.user);
        if (!folder || !is_safe(hook.name)) {
            hook.log(LogLevel::notice, "{} has no folder for {}", quoted(hook.user->to_string()), quoted(hook.name));
            return declined();
        }
        const auto content = read(format_text("{}/{}", *folder, hook.name));
        if (!content && content.error().code == ErrorCode::not_found) return declined();
        if (!content) {
            hook.log(LogLevel::warning, "{}", quoted(content.error().what));
            return declined();
        }
        hook.values = significant_lines(*content);
        hook.log(LogLevel::debug, "{} of {}: {} lines", hook.name, quoted(hook.user->to_string()), hook.values.size());
        return ok();
    }

    /// The file belongs to a user, so it may be anything: a pipe, a device, a link to another file.
    static Result<std::string> read(const std::string& path) {
        struct stat status {};
        if (stat(path.c_str(), &status) != 0)
            return errno == ENOTDIR ? Error{ErrorCode::not_found, path} : os_error("cannot look at " + path, errno);
        if (!S_ISREG(status.st_mode)) return Error{ErrorCode::config, format_text("{} is not a regular file", path)};
        return read_file(path, largest_file);
    }

    static std::vector<std::string> significant_lines(std::string_view content) {
        std::vector<std::string> lines;
        while (!content.empty()) {
            const auto end = std::min(content.find('\n'), content.size());
            std::string_view line = content.substr(0, end);
            content.remove_prefix(std::min(end + 1, content.size()));
            const auto first = line.find_first_not_of(" \t\r");
            if (first == std::string_view::npos || line[first] == '#') continue;
            lines.emplace_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
        }
        return lines;
    }

    const std::string pattern_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("user_config", smtpd::plugins::UserConfig);
