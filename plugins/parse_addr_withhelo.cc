/// parse_addr_withhelo: reject ESMTP parameters from clients that said HELO.
///
/// A client that greets with HELO does not use extensions (RFC 5321 2.2.1), so parameters after its addresses are an
/// error. At the mail_parse and rcpt_parse hooks, before any other plugin looks at the command, this plugin refuses a
/// command with anything after the address. It does not affect clients that said EHLO.
///
/// ## Replies
///
/// `501 5.5.4 No parameters allowed after HELO`.
///
/// ## Differences from qpsmtpd
///
/// The plugin does not refuse `RCPT TO:postmaster` without brackets, but leaves it to the parser (and to
/// dont_require_anglebrackets).
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class ParseAddressWithHelo final : public Plugin {
public:
    explicit ParseAddressWithHelo(Setup& setup) {
        for (auto* point : {&setup.hooks.mail_parse, &setup.hooks.rcpt_parse})
            point->add([](const ParseHook& hook) { return check(hook); });
    }

private:
    static Response check(const ParseHook& hook) {
        if (hook.connection.greeted() != Greeted::helo || behind_path(hook.argument).empty()) return declined();
        hook.log(LogLevel::info, "fail: parameters after HELO: {}", quoted(hook.argument));
        return deny("No parameters allowed after HELO").with_status({5, 5, 4});
    }

    /// The text after the address of "FROM:<a@b> SIZE=1".
    static std::string_view behind_path(std::string_view argument) {
        const auto colon = argument.find(':');
        if (colon == std::string_view::npos) return {};
        argument.remove_prefix(std::min(argument.find_first_not_of(" \t", colon + 1), argument.size()));
        argument.remove_prefix(path_length(argument));
        argument.remove_prefix(std::min(argument.find_first_not_of(" \t"), argument.size()));
        return argument;
    }

    /// Up to the closing bracket or, without brackets, to the first blank; quoted strings may contain either.
    static std::size_t path_length(std::string_view text) {
        const bool in_brackets = !text.empty() && text.front() == '<';
        bool in_quotes = false;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (in_quotes && text[i] == '\\') ++i;
            else if (text[i] == '"') in_quotes = !in_quotes;
            else if (!in_quotes && in_brackets && text[i] == '>') return i + 1;
            else if (!in_quotes && !in_brackets && (text[i] == ' ' || text[i] == '\t')) return i;
        }
        return text.size();
    }
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("parse_addr_withhelo", smtpd::plugins::ParseAddressWithHelo);
