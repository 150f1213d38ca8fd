#include <smtpd/auth/stored_password.h>

#include <apr_md5.h>

#include <array>

namespace smtpd {
namespace {

/// The formats that apr_password_validate() supports itself, in addition to crypt(3).
constexpr std::array<std::string_view, 5> hash_prefixes{"{SHA}", "$apr1$", "$2y$", "$2a$", "$2b$"};

}  // namespace

StoredPassword::~StoredPassword() {
    wipe(clear_);
    wipe(crypt_);
}

StoredPassword StoredPassword::parse(std::string_view text) {
    StoredPassword stored;
    constexpr std::string_view crypt = "{CRYPT}", plain = "{PLAIN}";
    if (auto keys = ScramKeys::parse(ScramHash::sha1, text)) stored.sha1_ = std::move(*keys);
    else if (auto other = ScramKeys::parse(ScramHash::sha256, text)) stored.sha256_ = std::move(*other);
    else if (text.starts_with(crypt)) stored.crypt_ = text.substr(crypt.size());
    else if (text.starts_with(plain)) stored.clear_ = text.substr(plain.size());
    else {
        for (const auto prefix : hash_prefixes)
            if (text.size() > prefix.size() && text.starts_with(prefix)) stored.crypt_ = text;
        if (stored.crypt_.empty()) stored.clear_ = text;
    }
    return stored;
}

Response StoredPassword::judge(const AuthHook& hook) const {
    if (empty()) return deny();
    if (const ScramRequest* const wanted = hook.scram()) {
        if (!clear_.empty()) return hook.proves(clear_) ? ok() : deny();
        return hook.is_proved_by(wanted->hash == ScramHash::sha1 ? sha1_ : sha256_) ? ok() : declined();
    }
    const Secret* const password = hook.password();
    if (!password) return clear_.empty() ? declined() : hook.proves(clear_) ? ok() : deny();
    if (!clear_.empty() && hook.proves(clear_)) return ok();
    if (!crypt_.empty() && apr_password_validate(password->reveal().c_str(), crypt_.c_str()) == APR_SUCCESS)
        return ok();
    if (sha256_.are_of(ScramHash::sha256, password->reveal()) || sha1_.are_of(ScramHash::sha1, password->reveal()))
        return ok();
    return deny();
}

Response PasswordJudge::judge(const AuthHook& hook, std::optional<StoredPassword> stored) {
    Response response = stored ? stored->judge(hook) : declined();
    if (!hook.password()) return response;
    const bool was_slow = stored && stored->is_hashed();
    std::shared_ptr<const StoredPassword> another;
    {
        const std::lock_guard lock(mutex_);
        if (was_slow && !hashed_) hashed_ = std::make_shared<const StoredPassword>(std::move(*stored));
        another = hashed_;
    }
    if (response.verdict != Verdict::ok && !was_slow && another) (void)another->judge(hook);
    return response;
}

}  // namespace smtpd
