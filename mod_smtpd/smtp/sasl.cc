/// sasl.cc: PLAIN (RFC 4616), LOGIN (no RFC; as clients implement it), CRAM-MD5 (RFC 2195) and EXTERNAL (RFC 4422 A).
#include "smtp/sasl.h"

#include "smtp/octets.h"
#include "smtp/sasl_mechanisms.h"
#include "smtp/saslprep.h"
#include "smtp/utf8.h"

#include <smtpd/base/format.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace smtpd::smtp {
namespace {

using Status = SaslMechanism::Status;
using Step = SaslMechanism::Step;

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
        if (!authorization.empty() && authorization != user) return {Status::refused, {}};
        const Status status = take_password(password);
        return {status == Status::complete ? take_user(user) : status, {}};
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
            user_status_ = take_user(octets);  // the client is told only after it has sent its password
            return {Status::challenge, "Password:"};
        }
        const Status status = take_password(octets);
        return {status == Status::complete ? user_status_ : status, {}};
    }

private:
    bool has_user_ = false;
    Status user_status_ = Status::refused;
};

/// `user SP digest`; a user name may contain blanks.
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
        if (!std::all_of(digest.begin(), digest.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }))
            return {Status::malformed, {}};
        credentials_.set_response({digest.data(), digest.size()});
        return {take_user(octets.substr(0, blank)), {}};
    }
};

/// Contains only the requested identity; the client's certificate proves it.
class External final : public SaslMechanism {
public:
    explicit External(std::string_view name) : SaslMechanism(name) {}
    std::string first_challenge() const override { return {}; }
    Step take(std::string_view octets) override {
        if (octets.find('\0') != octets.npos) return {Status::malformed, {}};
        return {octets.empty() ? Status::complete : take_user(octets), {}};
    }
};

constexpr struct {
    std::string_view name;
    ScramHash hash;
    bool binds;
} scram_forms[] = {{"SCRAM-SHA-1", ScramHash::sha1, false},
                   {"SCRAM-SHA-1-PLUS", ScramHash::sha1, true},
                   {"SCRAM-SHA-256", ScramHash::sha256, false},
                   {"SCRAM-SHA-256-PLUS", ScramHash::sha256, true}};

}  // namespace

std::string SaslMechanism::first_of_server(bool) { return {}; }

bool is_user_name(std::string_view name) {
    return !name.empty() && name.size() <= max_user_octets && std::none_of(name.begin(), name.end(), is_control) &&
           is_valid_utf8(name);
}

SaslMechanism::Status SaslMechanism::take_user(std::string_view name) {
    if (!is_user_name(name)) return Status::refused;
    const auto prepared = saslprep(name);
    if (!prepared || !is_user_name(*prepared)) return Status::refused;
    credentials_.set_user(*prepared);
    return Status::complete;
}

SaslMechanism::Status SaslMechanism::take_password(std::string_view password) {
    if (password.empty() || std::any_of(password.begin(), password.end(), is_control)) return Status::refused;
    credentials_.set_password(password);
    return Status::complete;
}

std::unique_ptr<SaslMechanism> make_sasl(std::string_view name, std::string_view nonce, std::string_view server,
                                         const ScramServer& scram) {
    if (equals_folded(name, "PLAIN")) return std::make_unique<Plain>("PLAIN");
    if (equals_folded(name, "LOGIN")) return std::make_unique<Login>("LOGIN");
    if (equals_folded(name, "CRAM-MD5")) return std::make_unique<CramMd5>("CRAM-MD5", nonce, server);
    if (equals_folded(name, "EXTERNAL")) return std::make_unique<External>("EXTERNAL");
    if (equals_folded(name, "XOAUTH2")) return make_xoauth2();
    if (equals_folded(name, "OAUTHBEARER")) return make_oauthbearer();
    for (const auto& form : scram_forms)
        if (equals_folded(name, form.name)) return make_scram(form.name, form.hash, form.binds, nonce, scram);
    return nullptr;
}

std::string hmac_md5(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const auto* const octets = reinterpret_cast<const unsigned char*>(text.data());
    const char* const secret = key.empty() ? "" : key.data();  // a null pointer would mean no key
    if (HMAC(EVP_md5(), secret, static_cast<int>(key.size()), octets, text.size(), digest.data(), &size) == nullptr)
        return {};
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
    if (has_password_) {
        std::string known = smtp::prepared_password(password);
        std::string sent = smtp::prepared_password(password_.reveal());
        // Always compare both, so that neither is revealed by the time.
        const bool is_same = password_.equals(password);
        const bool is_equal = known.size() == sent.size() &&
                              CRYPTO_memcmp(known.data(), sent.data(), known.size()) == 0;
        wipe(known);
        wipe(sent);
        return is_same || is_equal;
    }
    if (response_.empty()) return false;
    const std::string expected = smtp::hmac_md5(password, challenge_);
    return !expected.empty() && response_.equals(expected);
}

}  // namespace smtpd
