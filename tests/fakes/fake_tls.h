/// fake_tls.h: a connection driver's answers about STARTTLS, as the test sets them, and the result of a successful
/// handshake.
#pragma once

#include "engine/tls_service.h"

#include <smtpd/auth/tls.h>

#include <memory>
#include <string_view>
#include <utility>

namespace smtpd::fakes {

class FakeTls final : public engine::TlsService {
public:
    bool can_start = true;
    engine::TlsStart answer = engine::TlsStart::ready;
    unsigned prepared = 0;

    bool can_start_tls() const noexcept override { return can_start; }
    engine::TlsStart prepare_tls() override {
        ++prepared;
        return answer;
    }
};

inline Tls tls_facts(std::string_view protocol = "TLSv1.3") {
    Tls facts;
    facts.protocol = protocol;
    facts.cipher = "TLS_AES_256_GCM_SHA384";
    return facts;
}

inline Tls tls_facts_with_certificate(bool is_verified = true) {
    ClientCertificate certificate;
    certificate.subject = "CN=client.example";
    certificate.issuer = "CN=Authority";
    certificate.is_verified = is_verified;
    if (!is_verified) certificate.problem = "self-signed certificate";
    Tls facts = tls_facts();
    facts.certificate = std::make_shared<const ClientCertificate>(std::move(certificate));
    return facts;
}

}  // namespace smtpd::fakes
