/// stored_password.h: a password as files and databases store it, and how to check a client against it with any
/// mechanism.
///
///     serve_passwords(setup.hooks, [this](const AuthHook& hook) -> Result<std::optional<StoredPassword>> {
///         return find(hook.user());
///     });
#pragma once

#include <smtpd/base/result.h>
#include <smtpd/hooks.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace smtpd {

class SMTPD_API StoredPassword {
public:
    StoredPassword() = default;
    ~StoredPassword();
    StoredPassword(StoredPassword&&) noexcept = default;
    StoredPassword& operator=(StoredPassword&&) noexcept = default;
    StoredPassword(const StoredPassword&) = delete;
    StoredPassword& operator=(const StoredPassword&) = delete;

    /// Recognises the format: "{CRYPT}$6$…" (crypt(3)), what httpd's htpasswd writes ("{SHA}…", "$apr1$…", "$2y$…") and
    /// "SCRAM-SHA-256$4096:…" (RFC 5803). Anything else is a clear password, which may have the prefix "{PLAIN}".
    static StoredPassword parse(std::string_view text);
    void set_clear(std::string_view password) { clear_ = password; }
    void set_crypt(std::string_view hash) { crypt_ = hash; }
    bool empty() const noexcept { return clear_.empty() && crypt_.empty() && !sha1_ && !sha256_; }
    /// Whether the password is stored as a hash, so that checking it takes time.
    bool is_hashed() const noexcept { return !crypt_.empty() || sha1_ || sha256_; }

    /// ok: the client knows the password, or with SCRAM may go on to prove it. deny: the client does not know it, or
    /// there is no password at all. declined: this mechanism cannot be checked against the stored form.
    Response judge(const AuthHook& hook) const;

private:
    std::string clear_;
    std::string crypt_;
    ScramKeys sha1_;
    ScramKeys sha256_;
};

/// Checks clients against the passwords of a back end. An unknown user takes as long as a known one; otherwise the time
/// would tell an attacker which names exist. The object learns that time from the first user whose password is a hash.
/// Thread-safe.
class SMTPD_API PasswordJudge {
public:
    /// The verdict of StoredPassword::judge(); `declined` if there is no such user.
    Response judge(const AuthHook& hook, std::optional<StoredPassword> stored);

private:
    std::mutex mutex_;
    std::shared_ptr<const StoredPassword> hashed_;
};

/// Adds handlers for every password mechanism. `find` returns the password of hook.user(); nothing for an unknown user,
/// which leaves the user to the next plugin; or the Error of a back end that could not answer, for which the client
/// gets 454.
template <class Find>
void serve_passwords(Hooks& hooks, Find find) {
    const auto serve = [find = std::move(find),
                        judge = std::make_shared<PasswordJudge>()](const AuthHook& hook) -> Response {
        Result<std::optional<StoredPassword>> stored = find(hook);
        if (!stored) {
            hook.log(LogLevel::error, "error: {}", stored.error().what);
            return denysoft();
        }
        return judge->judge(hook, std::move(*stored));
    };
    for (auto* point : {&hooks.auth_plain, &hooks.auth_login, &hooks.auth_cram_md5, &hooks.auth_scram_sha_1,
                        &hooks.auth_scram_sha_256})
        point->add(serve);
}

}  // namespace smtpd
