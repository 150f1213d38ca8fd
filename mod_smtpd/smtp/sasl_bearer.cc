/// sasl_bearer.cc: bearer tokens of OAuth 2: OAUTHBEARER (RFC 7628) and its predecessor XOAUTH2, which Google and
/// Microsoft describe.
#include "smtp/octets.h"
#include "smtp/sasl_mechanisms.h"
#include "smtp/scram.h"

#include <algorithm>
#include <optional>

namespace smtpd::smtp {
namespace {

constexpr char separator = '\x01';

/// b64token of RFC 6750 2.1.
bool is_token(std::string_view text) {
    const auto end = text.find_last_not_of('=');
    if (text.empty() || end == text.npos) return false;
    const auto is_allowed = [](char c) {
        return is_alnum(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
    };
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end) + 1, is_allowed);
}

/// The token in "Bearer …".
std::optional<std::string_view> bearer(std::string_view value) {
    constexpr std::string_view scheme = "Bearer ";
    if (!starts_with_folded(value, scheme)) return std::nullopt;
    const auto token = trim_left(value.substr(scheme.size()));
    return is_token(token) ? std::optional(token) : std::nullopt;
}

/// key=value pairs, each ended by the separator, and one more separator at the end; returns the value of `auth`, or
/// nothing if the text is malformed.
std::optional<std::string_view> authorization_of(std::string_view pairs) {
    std::optional<std::string_view> found;
    while (pairs.size() > 1) {
        const auto end = pairs.find(separator);
        const auto equals = pairs.substr(0, end).find('=');
        if (end == pairs.npos || equals == pairs.npos || equals == 0) return std::nullopt;
        const auto key = pairs.substr(0, equals);
        const auto value = pairs.substr(equals + 1, end - equals - 1);
        const auto is_value = [](char c) {
            return (c >= ' ' && c != 0x7f) || c == '\t' || c == '\r' || c == '\n' || !is_ascii(c);
        };
        if (!std::all_of(key.begin(), key.end(), is_alpha) || !std::all_of(value.begin(), value.end(), is_value))
            return std::nullopt;
        if (key == "auth") {
            if (found) return std::nullopt;
            found = value;
        }
        pairs.remove_prefix(end + 1);
    }
    return pairs.size() == 1 && pairs.front() == separator ? found : std::nullopt;
}

class Bearer : public SaslMechanism {
public:
    using SaslMechanism::SaslMechanism;
    std::string first_challenge() const override { return {}; }

protected:
    Step take_token(std::string_view pairs) {
        const auto value = authorization_of(pairs);
        if (!value) return {Status::malformed, {}};
        const auto token = bearer(*value);
        if (!token) return {Status::refused, {}};
        credentials_.set_token(*token);
        return {Status::complete, {}};
    }
};

/// `user=…^Aauth=Bearer …^A^A`
class XOAuth2 final : public Bearer {
public:
    XOAuth2() : Bearer("XOAUTH2") {}
    Step take(std::string_view octets) override {
        constexpr std::string_view key = "user=";
        const auto end = octets.find(separator);
        if (!octets.starts_with(key) || end == octets.npos) return {Status::malformed, {}};
        auto step = take_token(octets.substr(end + 1));
        if (step.status != Status::malformed &&
            take_user(octets.substr(key.size(), end - key.size())) != Status::complete)
            step.status = Status::refused;
        return step;
    }
    std::string_view refusal() const noexcept override { return R"({"status":"401","schemes":"bearer","scope":""})"; }
};

/// `n,a=…,^Ahost=…^Aport=…^Aauth=Bearer …^A^A`
class OAuthBearer final : public Bearer {
public:
    OAuthBearer() : Bearer("OAUTHBEARER") {}
    Step take(std::string_view octets) override {
        const auto end = octets.find(separator);
        if (end == octets.npos) return {Status::malformed, {}};
        // The header is that of SCRAM's first message, so append what must follow it there.
        const auto header = ScramClientFirst::parse(std::string(octets.substr(0, end)) + "n=n,r=r");
        if (!header || header->gs2_header.size() != end) return {Status::malformed, {}};
        auto step = take_token(octets.substr(end + 1));
        if (step.status == Status::malformed || header->binding_flag == 'p')
            return {header->binding_flag == 'p' ? Status::refused : Status::malformed, {}};
        if (!header->authorization.empty() && take_user(header->authorization) != Status::complete)
            step.status = Status::refused;
        return step;
    }
    std::string_view refusal() const noexcept override { return R"({"status":"invalid_token"})"; }
};

}  // namespace

std::unique_ptr<SaslMechanism> make_xoauth2() { return std::make_unique<XOAuth2>(); }
std::unique_ptr<SaslMechanism> make_oauthbearer() { return std::make_unique<OAuthBearer>(); }

}  // namespace smtpd::smtp
