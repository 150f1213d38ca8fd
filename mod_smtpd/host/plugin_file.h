/// plugin_file.h: a server's plugins, with their order and options.
///
/// The list comes from qpsmtpd's control file `plugins` (and `logging`, in the same format) and from httpd's
/// directives, which fill the same struct.
#pragma once

#include <smtpd/control.h>

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

/// One plugin to load.
struct PluginLine {
    enum class Origin {
        plugins_file,  ///< words are split as in qpsmtpd; a missing plugin is a warning
        directive      ///< a missing plugin is an error
    };

    std::string name;                ///< "queue/maildir"
    std::string label;               ///< the part after the colon of "queue/maildir:archive", or ""
    std::vector<std::string> words;  ///< options, quotes removed
    std::string file;
    unsigned line = 0;
    Origin origin = Origin::directive;
    /// The lines of one scope are written together: a plugins file, the main server, a virtual host. A line of a later
    /// scope may replace one of an earlier scope; within one scope, that is probably unintended.
    std::string scope;

    /// The name in logs and messages: "queue/maildir:archive".
    std::string instance() const { return label.empty() ? name : name + ":" + label; }
    /// "config/plugins:12", and for directives "httpd.conf line 12".
    std::string position() const;
};

/// Splits "name:label". A colon that no word follows belongs to the name, as do the two colons of a Perl module's name.
void split_instance(std::string_view text, std::string& name, std::string& label);

/// The lines of a plugin list, split into words at white space; the first word is the plugin. Quotation marks have no
/// special meaning, as in qpsmtpd. A name from before qpsmtpd 0.90 (`check_relay`) is replaced by its current one. The
/// Error names a line with characters that qpsmtpd also rejects (control characters and octets above 126).
Result<std::vector<PluginLine>> plugin_lines(const ControlText& text);

/// The same for the control file of that name; a missing file is an empty list.
Result<std::vector<PluginLine>> read_plugin_file(ControlFiles& control, std::string_view name = "plugins");

}  // namespace smtpd::host
