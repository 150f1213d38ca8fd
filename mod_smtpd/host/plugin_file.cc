/// plugin_file.cc: parses qpsmtpd's list of plugins.
#include "host/plugin_file.h"

#include "host/plugin_names.h"
#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>

namespace smtpd::host {
namespace {

bool is_label_character(char c) { return support::is_alpha(c) || support::is_digit(c) || c == '_' || c == '-'; }

bool is_printable(char c) { return (c >= ' ' && c <= '~') || c == '\t'; }

}  // namespace

std::string PluginLine::position() const {
    if (file.empty()) return {};
    return format_text("{}{}{}", file, origin == Origin::plugins_file ? ":" : " line ", line);
}

void split_instance(std::string_view text, std::string& name, std::string& label) {
    const std::size_t colon = text.rfind(':');
    name = text;
    label.clear();
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || text[colon - 1] == ':') return;
    const std::string_view word = text.substr(colon + 1);
    if (!std::all_of(word.begin(), word.end(), is_label_character)) return;
    name = text.substr(0, colon);
    label = word;
}

Result<std::vector<PluginLine>> plugin_lines(const ControlText& text) {
    std::vector<PluginLine> lines;
    for (const auto& from : text) {
        if (!std::all_of(from.text.begin(), from.text.end(), is_printable))
            return Error{ErrorCode::config,
                         format_text("{}: a line of the plugin list must have printable ASCII characters only: {}",
                                     from.position(), quoted(from.text)),
                         0};
        PluginLine line;
        line.words = from.words();
        split_instance(line.words.front(), line.name, line.label);
        line.words.erase(line.words.begin());
        use_current_name(line);
        line.file = from.file;
        line.line = from.number;
        line.origin = PluginLine::Origin::plugins_file;
        line.scope = "plugins file";
        lines.push_back(std::move(line));
    }
    return lines;
}

Result<std::vector<PluginLine>> read_plugin_file(ControlFiles& control, std::string_view name) {
    const auto text = control.source(name)->text();
    if (!text) return text.error();
    return plugin_lines(*text);
}

}  // namespace smtpd::host
