/// stored_password.h: a password as files and databases keep it, and what it says to a client, whatever the mechanism.
///
///     serve_passwords(setup.hooks, [this](const AuthHook& hook) -> Result<std::optional<StoredPassword>> { return
///     find(hook.user()); });
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

    /// By its form: "{CRYPT}$6$…" (crypt(3)) and what httpd's htpasswd writes ("{SHA}…", "$apr1$…", "$2y$…"),
    /// "SCRAM-SHA-256$4096:…" (RFC 5803); all else is the clear password, also behind "{PLAIN}".
    static StoredPassword parse(std::string_view text);
    void set_clear(std::string_view password) { clear_ = password; }
    void set_crypt(std::string_view hash) { crypt_ = hash; }
    bool empty() const noexcept { return clear_.empty() && crypt_.empty() && !sha1_ && !sha256_; }
    /// Whether it is kept as a hash, so that to check a password takes time.
    bool is_hashed() const noexcept { return !crypt_.empty() || sha1_ || sha256_; }

    /// ok: the client knows it, or with SCRAM may go on to prove it; deny: it does not, or there is no password at all;
    /// declined: with this mechanism that cannot be told from what is stored.
    Response judge(const AuthHook& hook) const;

private:
    std::string clear_;
    std::string crypt_;
    ScramKeys sha1_;
    ScramKeys sha256_;
};

/// Judges clients by the passwords of a back end, and takes as long over a user who does not exist as over one who
/// does: else the time would tell an attacker which names are worth a try. How long that is, is learned from the first
/// user whose password is a hash. Thread-safe.
class SMTPD_API PasswordJudge {
public:
    /// What StoredPassword::judge() says; `declined` where there is no such user.
    Response judge(const AuthHook& hook, std::optional<StoredPassword> stored);

private:
    std::mutex mutex_;
    std::shared_ptr<const StoredPassword> hashed_;
};

/// Handlers for every mechanism of passwords. `find` gives the password of hook.user(), nothing for an unknown user
/// (who is left to the next plugin), or the Error of a back end that could not say, which is told as 454.
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
