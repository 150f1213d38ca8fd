/// scram_client.h: the client's side of SCRAM (RFC 5802), for tests. It uses only the digests of the server's code.
#pragma once

#include "smtp/scram.h"
#include "support/base64.h"

#include <openssl/evp.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace smtpd::fakes {

class ScramClient {
public:
    ScramClient(ScramHash hash, std::string user, std::string password, std::string gs2_header = "n,,",
                std::string binding = {})
        : hash_(hash),
          password_(std::move(password)),
          gs2_header_(std::move(gs2_header)),
          binding_(std::move(binding)),
          bare_("n=" + user + ",r=" + nonce) {}

    std::string first() const { return gs2_header_ + bare_; }
    /// The answer to the server's first message.
    std::string last(std::string_view server_first) {
        const auto field = [&](std::string_view key) {
            const auto at = server_first.find(key);
            if (at == std::string_view::npos) throw std::runtime_error("the server said " + std::string(server_first));
            return std::string(server_first.substr(at + key.size(), server_first.find(',', at + 1) - at - key.size()));
        };
        const std::string salt = support::from_base64(field(",s=")).value();
        const int iterations = std::stoi(field(",i="));
        std::string salted(smtp::digest_size(hash_), '\0');
        PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                          iterations, hash_ == ScramHash::sha1 ? EVP_sha1() : EVP_sha256(),
                          static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
        const std::string without_proof = "c=" + support::base64(gs2_header_ + binding_) + ",r=" + field("r=");
        const std::string auth_message = bare_ + "," + std::string(server_first) + "," + without_proof;
        std::string proof = smtp::scram_hmac(hash_, salted, "Client Key");
        const std::string signature = smtp::scram_hmac(hash_, smtp::scram_digest(hash_, proof), auth_message);
        for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
        expected_ = "v=" + support::base64(
                               smtp::scram_hmac(hash_, smtp::scram_hmac(hash_, salted, "Server Key"), auth_message));
        return without_proof + ",p=" + support::base64(proof);
    }
    /// The server's proof.
    const std::string& expected() const noexcept { return expected_; }

    static constexpr const char* nonce = "fyko+d2lbbFgONRv9qkxdawL";

private:
    ScramHash hash_;
    std::string password_, gs2_header_, binding_, bare_, expected_;
};

}  // namespace smtpd::fakes
