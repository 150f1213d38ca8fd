/// srs.cc: the Sender Rewriting Scheme.
#include "mailauth/srs.h"

#include "support/strings.h"

#include <smtpd/base/base64.h>
#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace smtpd::mailauth {
namespace {

constexpr std::string_view separators = "=+-";
constexpr std::string_view base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr unsigned day_numbers = 1024;  ///< two characters of base32
constexpr std::size_t longest_hash = 27;

Error wrong(std::string what) { return {ErrorCode::config, std::move(what), 0}; }

std::string hash(const std::string& secret, std::string_view text, std::size_t length) {
    const std::string lower = ascii_lower(text);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(lower.data()), lower.size(), digest.data(), &size) == nullptr)
        return {};
    return base64({reinterpret_cast<const char*>(digest.data()), size}).substr(0, std::min(length, longest_hash));
}

/// Whether one of the secrets gives this hash. Ignores case, because mail servers may change the case of a local part.
bool is_own_hash(const SrsSettings& settings, std::string_view given, std::string_view text) {
    if (given.size() < settings.least_hash || given.empty() || given.size() > longest_hash) return false;
    const std::string lower = ascii_lower(given);
    bool is_own = false;
    for (const auto& secret : settings.secrets) {
        const std::string made = ascii_lower(hash(secret, text, given.size()));
        is_own |= made.size() == lower.size() && CRYPTO_memcmp(made.data(), lower.data(), made.size()) == 0;
    }
    return is_own;
}

unsigned day_of(WallTime now) {
    const auto days = std::chrono::floor<std::chrono::duration<long long, std::ratio<86400>>>(now.time_since_epoch());
    return static_cast<unsigned>(((days.count() % day_numbers) + day_numbers) % day_numbers);
}

std::string shown_day(unsigned day) { return {base32[day >> 5U], base32[day & 31U]}; }

std::optional<unsigned> read_day(std::string_view text) {
    if (text.size() != 2) return std::nullopt;
    unsigned day = 0;
    for (const char c : text) {
        const auto digit = base32.find(support::to_upper(c));
        if (digit == base32.npos) return std::nullopt;
        day = day << 5U | static_cast<unsigned>(digit);
    }
    return day;
}

/// Whether the local part begins with this tag ("SRS0" or "SRS1") and a separator.
bool has_tag(std::string_view local_part, std::string_view tag) {
    return local_part.size() > tag.size() && ascii_equal(local_part.substr(0, tag.size()), tag) &&
           separators.find(local_part[tag.size()]) != separators.npos;
}

/// Removes the text before the next '=' from the front, and returns it; std::nullopt if there is none.
std::optional<std::string_view> take_part(std::string_view& text) {
    const auto end = text.find('=');
    if (end == text.npos) return std::nullopt;
    const auto part = text.substr(0, end);
    text.remove_prefix(end + 1);
    return part;
}

/// "HASH=HOST=REST", the text after SRS1 and its separator. REST begins with the separator of SRS0.
struct Guarded {
    std::string_view hash, host, rest;
};
std::optional<Guarded> read_guarded(std::string_view local_part) {
    std::string_view text = local_part.substr(5);
    const auto hash = take_part(text);
    const auto host = hash ? take_part(text) : std::nullopt;
    if (!host || host->empty() || text.empty() || separators.find(text.front()) == separators.npos) return std::nullopt;
    return Guarded{*hash, *host, text};
}

std::string signed_text(std::string_view first, std::string_view second, std::string_view third = {}) {
    return std::string(first).append(second).append(third);
}

Result<Address> made(std::string local_part, const std::string& domain, std::size_t most) {
    if (local_part.size() > most)
        return wrong(format_text("the rewritten local part has {} octets, more than {}", local_part.size(), most));
    return Address::from_parts(std::move(local_part), domain);
}

}  // namespace

bool is_srs(const Address& address) {
    return has_tag(address.local_part(), "SRS0") || has_tag(address.local_part(), "SRS1");
}

Result<Address> srs_forward(const Address& sender, const SrsSettings& settings, WallTime now) {
    if (settings.secrets.empty()) return wrong("there is no secret");
    if (sender.is_null() || is_same_domain(sender.domain(), settings.domain)) return sender;
    if (!sender.has_domain()) return wrong("the address has no domain");
    const std::string& secret = settings.secrets.front();
    const std::string& local_part = sender.local_part();
    const auto finish = [&](std::string_view tag, std::string_view to_sign, std::string_view rest) {
        std::string text(tag);
        text += settings.separator;
        text.append(hash(secret, to_sign, settings.hash_length)).append("=").append(rest);
        return made(std::move(text), settings.domain, settings.max_local_part);
    };
    if (has_tag(local_part, "SRS1")) {
        const auto guarded = read_guarded(local_part);
        if (!guarded) return wrong("the address begins with SRS1 and is not complete");
        return finish("SRS1", signed_text(guarded->host, guarded->rest),
                      format_text("{}={}", guarded->host, guarded->rest));
    }
    if (has_tag(local_part, "SRS0")) {
        const auto rest = std::string_view(local_part).substr(4);
        return finish("SRS1", signed_text(sender.domain(), rest), format_text("{}={}", sender.domain(), rest));
    }
    const std::string day = shown_day(day_of(now));
    return finish("SRS0", signed_text(day, sender.domain(), local_part),
                  format_text("{}={}={}", day, sender.domain(), local_part));
}

Result<Address> srs_reverse(const Address& recipient, const SrsSettings& settings, WallTime now) {
    if (settings.secrets.empty()) return wrong("there is no secret");
    if (!is_srs(recipient)) return wrong("the address is not one of SRS");
    if (!settings.domain.empty() && !is_same_domain(recipient.domain(), settings.domain))
        return wrong(format_text("the address is not at {}", settings.domain));
    const std::string& local_part = recipient.local_part();
    if (has_tag(local_part, "SRS1")) {
        const auto guarded = read_guarded(local_part);
        if (!guarded) return wrong("the address is not complete");
        if (!is_own_hash(settings, guarded->hash, signed_text(guarded->host, guarded->rest)))
            return wrong("the hash is not ours");
        return Address::from_parts(format_text("SRS0{}", guarded->rest), std::string(guarded->host));
    }
    std::string_view text = std::string_view(local_part).substr(5);
    const auto given = take_part(text);
    const auto day_text = given ? take_part(text) : std::nullopt;
    const auto domain = day_text ? take_part(text) : std::nullopt;
    if (!domain || domain->empty() || text.empty()) return wrong("the address is not complete");
    if (!is_own_hash(settings, *given, signed_text(*day_text, *domain, text))) return wrong("the hash is not ours");
    const auto day = read_day(*day_text);
    if (!day) return wrong("the day is not one of SRS");
    const unsigned age = (day_of(now) + day_numbers - *day) % day_numbers;
    if (age > settings.max_age_days)
        return wrong(format_text("the address is {} days old, more than {}", age, settings.max_age_days));
    return Address::from_parts(std::string(text), std::string(*domain));
}

}  // namespace smtpd::mailauth
