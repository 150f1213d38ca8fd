/// tls.h: what is known about an encrypted connection.
///
/// Filled in once, when the handshake is done, by whoever made it; constant from then on.
#pragma once

#include <memory>
#include <string>

namespace smtpd {

/// What the client has shown to say who it is. Its texts come from outside: quote them where they are logged or sent.
struct ClientCertificate {
    std::string subject;       ///< "CN=client.example,O=Example" (RFC 2253)
    std::string issuer;        ///< likewise
    std::string serial;        ///< hexadecimal, as the issuer counts
    std::string fingerprint;   ///< SHA-256 of the certificate, 64 hexadecimal digits in lower case
    std::string pem;           ///< the certificate itself
    bool is_verified = false;  ///< an authority that the server trusts has issued it, and it is valid now
    std::string problem;       ///< why it is not verified, "" where it is
};

struct Tls {
    std::string protocol;     ///< "TLSv1.3", "" = the connection is not encrypted
    std::string cipher;       ///< "TLS_AES_256_GCM_SHA384": OpenSSL's name
    unsigned key_bits = 0;    ///< of the cipher; 0 = not known
    bool is_resumed = false;  ///< an earlier session of the client was taken up
    std::string server_name;  ///< whom the client wanted to speak to (SNI), "" = it did not say
    std::shared_ptr<const ClientCertificate> certificate;  ///< of the client; null = none was asked for, or shown

    explicit operator bool() const noexcept { return !protocol.empty(); }
};

}  // namespace smtpd
