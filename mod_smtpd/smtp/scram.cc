#include "smtp/scram.h"

#include "smtp/octets.h"
#include "smtp/saslprep.h"
#include "smtp/utf8.h"
#include "support/base64.h"
#include "support/strings.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace smtpd::smtp {
namespace {

const EVP_MD* digest_of(ScramHash hash) { return hash == ScramHash::sha1 ? EVP_sha1() : EVP_sha256(); }
const unsigned char* octets_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.empty() ? "" : text.data());
}
unsigned char* octets_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

bool is_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

/// Removes "k=value" from the front, up to the next comma or the end.
std::optional<std::string_view> take_attribute(std::string_view& text, char key) {
    if (text.size() < 2 || text[0] != key || text[1] != '=') return std::nullopt;
    const auto end = std::min(text.find(','), text.size());
    const auto value = text.substr(2, end - 2);
    text.remove_prefix(std::min(end + 1, text.size()));
    return value;
}

/// saslname: "=2C" is a comma, "=3D" an equals sign; other equals signs are not allowed.
std::optional<std::string> unescaped_name(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '=') {
            out += name[i];
            continue;
        }
        const auto code = name.substr(i, 3);
        if (code != "=2C" && code != "=3D") return std::nullopt;
        out += code == "=2C" ? ',' : '=';
        i += 2;
    }
    if (out.empty() || out.find('\0') != std::string::npos || !is_valid_utf8(out)) return std::nullopt;
    return out;
}

bool is_nonce(std::string_view nonce) {
    constexpr std::size_t max_nonce = 512;
    return !nonce.empty() && nonce.size() <= max_nonce && std::all_of(nonce.begin(), nonce.end(), is_graphic);
}

/// attr-val of unknown extensions: ALPHA "=" value; they may be ignored (RFC 5802 5.1).
bool are_extensions(std::string_view text) {
    while (!text.empty()) {
        if (!is_alpha(text.front()) || text.front() == 'm') return false;
        const auto value = take_attribute(text, text.front());
        if (!value || value->empty()) return false;
    }
    return true;
}

/// cb-name: letters, digits, dot and hyphen.
bool is_binding_name(std::string_view name) {
    return !name.empty() &&
           std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '.' || c == '-'; });
}

}  // namespace

std::string scram_digest(ScramHash hash, std::string_view octets) {
    std::string out(digest_size(hash), '\0');
    EVP_Digest(octets.data(), octets.size(), octets_of(out), nullptr, digest_of(hash), nullptr);
    return out;
}

std::string scram_hmac(ScramHash hash, std::string_view key, std::string_view text) {
    std::string out(digest_size(hash), '\0');
    HMAC(digest_of(hash), octets_of(key), static_cast<int>(key.size()), octets_of(text), text.size(), octets_of(out),
         nullptr);
    return out;
}

std::optional<ScramClientFirst> ScramClientFirst::parse(std::string_view message) {
    ScramClientFirst first;
    if (message.empty()) return std::nullopt;
    std::string_view rest = message;
    first.binding_flag = rest.front();
    if (first.binding_flag == 'p') {
        const auto name = take_attribute(rest, 'p');
        if (!name || !is_binding_name(*name)) return std::nullopt;
        first.binding = *name;
    } else {
        if ((first.binding_flag != 'n' && first.binding_flag != 'y') || !rest.substr(1).starts_with(','))
            return std::nullopt;
        rest.remove_prefix(2);
    }
    if (rest.starts_with("a=")) {
        auto name = unescaped_name(take_attribute(rest, 'a').value_or(""));
        if (!name) return std::nullopt;
        first.authorization = std::move(*name);
    } else {
        if (!rest.starts_with(',')) return std::nullopt;
        rest.remove_prefix(1);
    }
    first.gs2_header = message.substr(0, message.size() - rest.size());
    first.bare = rest;
    // A mandatory extension, m=, would come before it, but none is known.
    auto user = unescaped_name(take_attribute(rest, 'n').value_or(""));
    const auto nonce = user ? take_attribute(rest, 'r') : std::nullopt;
    if (!nonce || !is_nonce(*nonce) || !are_extensions(rest) || message.back() == ',') return std::nullopt;
    first.user = std::move(*user);
    first.nonce = *nonce;
    return first;
}

std::optional<ScramClientFinal> ScramClientFinal::parse(std::string_view message) {
    ScramClientFinal last;
    const auto end = message.rfind(",p=");
    if (end == message.npos) return std::nullopt;
    last.without_proof = message.substr(0, end);
    auto proof = support::from_base64(message.substr(end + 3));
    std::string_view rest = last.without_proof;
    const auto binding = take_attribute(rest, 'c');
    auto octets = binding ? support::from_base64(*binding) : std::nullopt;
    const auto nonce = octets ? take_attribute(rest, 'r') : std::nullopt;
    if (!proof || proof->empty() || !nonce || !is_nonce(*nonce) || !are_extensions(rest)) return std::nullopt;
    last.binding = std::move(*octets);
    last.nonce = *nonce;
    last.proof = std::move(*proof);
    return last;
}

bool scram_proof_is_good(ScramHash hash, const ScramKeys& keys, std::string_view auth_message, std::string_view proof) {
    std::string client_key = scram_hmac(hash, keys.stored_key, auth_message);
    if (proof.size() != client_key.size()) return false;
    for (std::size_t i = 0; i < proof.size(); ++i) client_key[i] = static_cast<char>(client_key[i] ^ proof[i]);
    const bool is_good = is_equal(scram_digest(hash, client_key), keys.stored_key);
    wipe(client_key);
    return is_good;
}

}  // namespace smtpd::smtp

namespace smtpd {

using namespace smtp;

ScramKeys ScramKeys::derive(ScramHash hash, std::string_view password, std::string_view salt, unsigned iterations) {
    if (iterations == 0 || iterations > max_scram_iterations) return {};
    std::string prepared = prepared_password(password);
    std::string salted(digest_size(hash), '\0');
    const bool is_done = PKCS5_PBKDF2_HMAC(prepared.data(), static_cast<int>(prepared.size()), octets_of(salt),
                                           static_cast<int>(salt.size()), static_cast<int>(iterations), digest_of(hash),
                                           static_cast<int>(salted.size()), octets_of(salted)) == 1;
    wipe(prepared);
    if (!is_done) return {};
    std::string client_key = scram_hmac(hash, salted, "Client Key");
    ScramKeys keys{std::string(salt), iterations, scram_digest(hash, client_key),
                   scram_hmac(hash, salted, "Server Key")};
    wipe(client_key);
    wipe(salted);
    return keys;
}

bool ScramKeys::are_of(ScramHash hash, std::string_view password) const {
    const ScramKeys others = derive(hash, password, salt, iterations);
    return *this && others && is_equal(others.stored_key, stored_key);
}

std::optional<ScramKeys> ScramKeys::parse(ScramHash hash, std::string_view text) {
    const std::string_view scheme = hash == ScramHash::sha1 ? "SCRAM-SHA-1$" : "SCRAM-SHA-256$";
    if (!text.starts_with(scheme)) return std::nullopt;
    text.remove_prefix(scheme.size());
    const auto colon = text.find(':');
    const auto dollar = text.find('$');
    const auto last = text.rfind(':');
    if (dollar == text.npos || colon > dollar || last < dollar) return std::nullopt;
    const auto iterations = support::parse_unsigned(text.substr(0, colon));
    auto salt = support::from_base64(text.substr(colon + 1, dollar - colon - 1));
    auto stored = support::from_base64(text.substr(dollar + 1, last - dollar - 1));
    auto server = support::from_base64(text.substr(last + 1));
    if (!iterations || *iterations == 0 || *iterations > max_scram_iterations || !salt || salt->empty())
        return std::nullopt;
    if (!stored || stored->size() != digest_size(hash) || !server || server->size() != digest_size(hash))
        return std::nullopt;
    return ScramKeys{std::move(*salt), static_cast<unsigned>(*iterations), std::move(*stored), std::move(*server)};
}

}  // namespace smtpd
