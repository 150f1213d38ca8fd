/// sasl_scram.cc: the server side of SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS forms (RFC 5802, 7677).
#include "smtp/sasl_mechanisms.h"
#include "smtp/saslprep.h"
#include "smtp/scram.h"
#include "support/base64.h"

#include <smtpd/base/format.h>

#include <openssl/crypto.h>

#include <utility>

namespace smtpd::smtp {
namespace {

class Scram final : public SaslMechanism {
public:
    Scram(std::string_view name, ScramHash hash, bool binds, std::string_view nonce, const ScramServer& server)
        : SaslMechanism(name), binds_(binds), nonce_(nonce), server_(server) {
        request_.hash = hash;
    }

    std::string first_challenge() const override { return {}; }
    ScramRequest* scram() noexcept override { return &request_; }

    Step take(std::string_view octets) override {
        switch (stage_) {
            case Stage::client_first: return take_first(octets);
            case Stage::client_final: return take_final(octets);
            case Stage::client_done: break;
        }
        // RFC 4954 4: the server's final message is a challenge, too.
        return {octets.empty() ? Status::proved : Status::malformed, {}};
    }

    std::string first_of_server(bool is_known) override {
        is_known_ = is_known && request_.keys;
        // Take the same time with and without derived keys.
        if (!request_.keys || request_.keys.salt != request_.salt)
            spare_ = ScramKeys::derive(request_.hash, nonce_, request_.salt, request_.iterations);
        if (!request_.keys) request_.keys = std::exchange(spare_, {});
        server_first_ = format_text("r={},s={},i={}", nonce_, support::base64(request_.keys.salt),
                                    request_.keys.iterations);
        stage_ = Stage::client_final;
        return server_first_;
    }

private:
    enum class Stage { client_first, client_final, client_done };

    Step take_first(std::string_view octets) {
        const auto first = ScramClientFirst::parse(octets);
        if (!first) return {Status::malformed, {}};
        const auto authorization = saslprep(first->authorization);
        const Status user = take_user(first->user);
        if (!is_bound(*first) || user != Status::complete) return {Status::refused, {}};
        if (!first->authorization.empty() && authorization != credentials_.user()) return {Status::refused, {}};
        gs2_header_ = first->gs2_header;
        client_first_bare_ = first->bare;
        nonce_.insert(0, first->nonce);
        request_.salt = scram_hmac(ScramHash::sha256, server_.salt_secret, credentials_.user()).substr(0, 16);
        request_.iterations = scram_iterations;
        return {Status::lookup, {}};
    }

    /// RFC 5802 6. If a client says that we do not support binding, although we announced it, an attacker has modified
    /// the announcement.
    bool is_bound(const ScramClientFirst& first) {
        if (!binds_) return first.binding_flag == 'n' || (first.binding_flag == 'y' && !server_.offers_binding);
        if (first.binding_flag != 'p') return false;
        binding_ = server_.bindings.find(first.binding);
        return !binding_.empty();
    }

    Step take_final(std::string_view octets) {
        const auto last = ScramClientFinal::parse(octets);
        if (!last) return {Status::malformed, {}};
        const std::string expected = gs2_header_ + binding_;
        const bool is_same_channel = last->binding.size() == expected.size() &&
                                     CRYPTO_memcmp(last->binding.data(), expected.data(), expected.size()) == 0;
        const std::string auth_message = format_text("{},{},{}", client_first_bare_, server_first_,
                                                     last->without_proof);
        const bool is_good = scram_proof_is_good(request_.hash, request_.keys, auth_message, last->proof);
        if (!is_same_channel || last->nonce != nonce_ || !is_good || !is_known_) return {Status::refused, {}};
        stage_ = Stage::client_done;
        return {Status::challenge,
                "v=" + support::base64(scram_hmac(request_.hash, request_.keys.server_key, auth_message))};
    }

    const bool binds_;
    std::string nonce_;  ///< ours; preceded by the client's when that is known
    const ScramServer server_;
    ScramRequest request_;
    ScramKeys spare_;
    Stage stage_ = Stage::client_first;
    bool is_known_ = false;
    std::string gs2_header_;
    std::string binding_;
    std::string client_first_bare_;
    std::string server_first_;
};

}  // namespace

std::unique_ptr<SaslMechanism> make_scram(std::string_view name, ScramHash hash, bool binds, std::string_view nonce,
                                          const ScramServer& server) {
    return std::make_unique<Scram>(name, hash, binds, nonce, server);
}

}  // namespace smtpd::smtp
