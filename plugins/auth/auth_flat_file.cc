/// auth/auth_flat_file: check passwords in a control file.
///
/// The control file `flat_auth_pw` has one user a line:
///
///     joe@example.com:secret
///     jane@example.com:{CRYPT}$6$abcdefgh$…
///     jim@example.com:$2y$05$…
///     ann@example.com:SCRAM-SHA-256$4096:c2FsdA==$…:…
///
/// A name must have a domain; case does not matter. If a client gives a name without a domain, the next plugin decides.
/// The text after the first colon is one of these:
///
/// - the clear password, up to the end of the line;
/// - `{CRYPT}` and a hash from crypt(3);
/// - a hash that `htpasswd -B`, `-m` or `-s` writes;
/// - keys of SCRAM (RFC 5803), as PostgreSQL stores them;
/// - `{PLAIN}` and the clear password, whatever it looks like. It also says that you store a clear password on purpose:
///   without it, configtest warns.
///
/// Blanks at the end of a line are invisible and not part of the password. After a clear password they are an error.
/// Store a password that ends in a blank as a hash.
///
/// A user with a clear password can log in with every mechanism. A user with a hash can use PLAIN and LOGIN. A user
/// with keys of SCRAM can use that form of SCRAM, PLAIN and LOGIN. The server offers CRAM-MD5 only if
/// SmtpAuthMechanisms names it.
///
/// Only the server's user should be able to read the file. configtest warns if every user can read it. The plugin reads
/// the file again when it changes.
///
///     SmtpPlugin auth/auth_flat_file
///
/// ## Differences from qpsmtpd
///
/// The plugin understands hashes and keys. Dots and other characters in a name stand for themselves; in qpsmtpd they
/// are part of a regular expression.
#include <smtpd/auth/stored_password.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {
namespace {

using Users = std::unordered_map<std::string, std::string>;

Result<Users> parse_users(const ControlText& text) {
    Users users;
    for (const auto& line : text) {
        const auto colon = line.text.find(':');
        const auto name = std::string_view(line.text).substr(0, colon);
        if (colon == std::string::npos || name.find('@') == std::string_view::npos)
            return Error{ErrorCode::config, format_text("{}: expected user@domain:password", line.position()), 0};
        if (line.text.size() == colon + 1)
            return Error{ErrorCode::config, format_text("{}: {} has no password", line.position(), quoted(name)), 0};
        if (line.had_final_blanks && !StoredPassword::parse(std::string_view(line.text).substr(colon + 1)).is_hashed())
            return Error{ErrorCode::config,
                         format_text("{}: blanks follow the password of {} and are not part of it; remove them, "
                                     "or store a hash if the password ends in a blank",
                                     line.position(), quoted(name)),
                         0};
        if (!users.emplace(login_key(name), line.text.substr(colon + 1)).second)
            return Error{ErrorCode::config, format_text("{}: {} is listed twice", line.position(), quoted(name)), 0};
    }
    return users;
}

}  // namespace

class AuthFlatFile final : public Plugin {
public:
    static constexpr bool reads_body = false;

    explicit AuthFlatFile(Setup& setup) : users_(setup.control().parsed<Users>("flat_auth_pw", parse_users)) {
        setup.uses({FileUse::Kind::passwords, "flat_auth_pw"});
        warn_of_clear_passwords(setup);
        serve_passwords(setup.hooks, [this](const AuthHook& hook) { return find(hook); });
    }

private:
    /// Warns about the first clear password without {PLAIN}, which marks an intentionally clear password.
    void warn_of_clear_passwords(Setup& setup) const {
        const auto lines = setup.control().lines("flat_auth_pw").get();
        for (const auto& line : *lines) {
            const auto colon = line.text.find(':');
            if (colon == std::string::npos) return;
            const auto stored = std::string_view(line.text).substr(colon + 1);
            if (stored.starts_with("{PLAIN}") || StoredPassword::parse(stored).is_hashed()) continue;
            return setup.warning(
                "{}: the password of {} is in clear text, so everyone who can read the file can log in; write what "
                "\"htpasswd "
                "-nB {}\" prints, or {PLAIN} in front of the password if it must be readable (SCRAM, CRAM-MD5)",
                line.position(), line.text.substr(0, colon), line.text.substr(0, colon));
        }
    }

    Result<std::optional<StoredPassword>> find(const AuthHook& hook) const {
        std::optional<StoredPassword> stored;
        const auto users = users_.get();
        if (const auto user = users->find(login_key(hook.user())); user != users->end())
            stored = StoredPassword::parse(user->second);
        return stored;
    }
    const Watched<Users> users_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_flat_file", smtpd::plugins::AuthFlatFile);
