/// sasl.cc: PLAIN (RFC 4616), LOGIN (no RFC; as clients do it) and CRAM-MD5 (RFC 2195).
#include "smtp/sasl.h"

#include "smtp/octets.h"
#include "smtp/utf8.h"

#include <smtpd/format.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace smtpd::smtp {
namespace {

using Status = SaslMechanism::Status;
using Step = SaslMechanism::Step;

constexpr bool is_user(std::string_view name) noexcept {
    return !name.empty() && name.size() <= max_user_octets && std::none_of(name.begin(), name.end(), is_control) && is_valid_utf8(name);
}

/// `[authorization] NUL user NUL password`
class Plain final : public SaslMechanism {
public:
    explicit Plain(std::string_view name) : SaslMechanism(name) {}
    std::string first_challenge() const override { return {}; }

    Step take(std::string_view octets) override {
        const auto first = octets.find('\0');
        const auto second = first == octets.npos ? octets.npos : octets.find('\0', first + 1);
        if (second == octets.npos || octets.find('\0', second + 1) != octets.npos) return {Status::malformed, {}};
        const auto authorization = octets.substr(0, first);
        const auto user = octets.substr(first + 1, second - first - 1);
        const auto password = octets.substr(second + 1);
        if (password.empty() || (!authorization.empty() && authorization != user)) return {Status::refused, {}};
        credentials_.set_password(password);
        return {take_user(user), {}};
    }
};

class Login final : public SaslMechanism {
public:
    explicit Login(std::string_view name) : SaslMechanism(name) {}
    std::string first_challenge() const override { return "Username:"; }

    Step take(std::string_view octets) override {
        if (octets.find('\0') != octets.npos) return {Status::malformed, {}};
        if (!has_user_) {
            has_user_ = true;
            user_status_ = take_user(octets);  // the client is not told before it has sent its password
            return {Status::challenge, "Password:"};
        }
        if (octets.empty()) return {Status::refused, {}};
        credentials_.set_password(octets);
        return {user_status_, {}};
    }

private:
    bool has_user_ = false;
    Status user_status_ = Status::refused;
};

/// `user SP digest`; a user's name may have blanks.
class CramMd5 final : public SaslMechanism {
public:
    CramMd5(std::string_view name, std::string_view nonce, std::string_view server) : SaslMechanism(name) {
        credentials_.set_challenge(format_text("<{}@{}>", nonce, server));
    }
    bool begins_with_challenge() const noexcept override { return true; }
    std::string first_challenge() const override { return credentials_.challenge(); }

    Step take(std::string_view octets) override {
        constexpr std::size_t digest_digits = 32;
        const auto blank = octets.rfind(' ');
        if (blank == octets.npos || octets.size() - blank - 1 != digest_digits) return {Status::malformed, {}};
        std::array<char, digest_digits> digest{};
        std::transform(octets.begin() + static_cast<std::ptrdiff_t>(blank) + 1, octets.end(), digest.begin(), to_lower);
        if (!std::all_of(digest.begin(), digest.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); })) return {Status::malformed, {}};
        credentials_.set_response({digest.data(), digest.size()});
        return {take_user(octets.substr(0, blank)), {}};
    }
};

}  // namespace

SaslMechanism::Status SaslMechanism::take_user(std::string_view name) {
    if (!is_user(name)) return Status::refused;
    credentials_.set_user(name);
    return Status::complete;
}

std::unique_ptr<SaslMechanism> make_sasl(std::string_view name, std::string_view nonce, std::string_view server) {
    if (equals_folded(name, "PLAIN")) return std::make_unique<Plain>("PLAIN");
    if (equals_folded(name, "LOGIN")) return std::make_unique<Login>("LOGIN");
    if (equals_folded(name, "CRAM-MD5")) return std::make_unique<CramMd5>("CRAM-MD5", nonce, server);
    return nullptr;
}

std::string hmac_md5(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const auto* const octets = reinterpret_cast<const unsigned char*>(text.data());
    const char* const secret = key.empty() ? "" : key.data();  // a null one would be no key at all
    if (HMAC(EVP_md5(), secret, static_cast<int>(key.size()), octets, text.size(), digest.data(), &size) == nullptr) return {};
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (unsigned i = 0; i < size; ++i) {
        out += digits[digest[i] >> 4U];
        out += digits[digest[i] & 15U];
    }
    return out;
}

}  // namespace smtpd::smtp

namespace smtpd {

bool Credentials::proves(std::string_view password) const {
    if (has_password_) return password_.equals(password);
    if (response_.empty()) return false;
    const std::string expected = smtp::hmac_md5(password, challenge_);
    return !expected.empty() && response_.equals(expected);
}

}  // namespace smtpd
