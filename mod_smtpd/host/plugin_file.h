/// plugin_file.h: which plugins a server has, in which order and with which options.
///
/// The list comes from qpsmtpd's control file `plugins` (and `logging`, of the same form) and from httpd's directives,
/// which fill the same struct.
#pragma once

#include <smtpd/control.h>

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

/// One plugin that is to be loaded.
struct PluginLine {
    enum class Origin {
        plugins_file,  ///< words are as qpsmtpd splits them; a plugin that does not exist is a warning
        directive      ///< a plugin that does not exist is an error
    };

    std::string name;                ///< "queue/maildir"
    std::string label;               ///< what follows the colon of "queue/maildir:archive", or ""
    std::vector<std::string> words;  ///< options, quotes removed
    std::string file;
    unsigned line = 0;
    Origin origin = Origin::directive;
    /// Lines of one scope are written side by side: a plugins file, the main server, a virtual host. A line of a later
    /// scope may well replace one of an earlier scope; within one, that is hardly meant.
    std::string scope;

    /// The name in logs and messages: "queue/maildir:archive".
    std::string instance() const { return label.empty() ? name : name + ":" + label; }
    /// "config/plugins:12", and for directives "httpd.conf line 12".
    std::string position() const;
};

/// Cuts "name:label" in two. A colon that no word follows belongs to the name, and so do the two of a Perl module's
/// name.
void split_instance(std::string_view text, std::string& name, std::string& label);

/// The lines of a plugin list: words split at white space, the first one is the plugin. Quotation marks mean nothing
/// there, as in qpsmtpd. A name from before qpsmtpd 0.90 (`check_relay`) becomes the present one. The Error names a
/// line with characters that qpsmtpd refuses as well (control characters and octets above 126).
Result<std::vector<PluginLine>> plugin_lines(const ControlText& text);

/// The same for the control file of that name; a file that does not exist is an empty list.
Result<std::vector<PluginLine>> read_plugin_file(ControlFiles& control, std::string_view name = "plugins");

}  // namespace smtpd::host
