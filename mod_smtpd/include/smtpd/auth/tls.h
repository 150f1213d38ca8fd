/// tls.h: what is known about an encrypted connection.
///
/// The TLS layer fills it in once, after the handshake; constant from then on.
#pragma once

#include <memory>
#include <string>

namespace smtpd {

/// The certificate that the client presented. Its texts come from outside: quote them in log lines and replies.
struct ClientCertificate {
    std::string subject;       ///< "CN=client.example,O=Example" (RFC 2253)
    std::string issuer;        ///< likewise
    std::string serial;        ///< hexadecimal, as the issuer counts
    std::string fingerprint;   ///< SHA-256 of the certificate, 64 hexadecimal digits in lower case
    std::string pem;           ///< the certificate itself
    bool is_verified = false;  ///< an authority that the server trusts issued it, and it is valid now
    std::string problem;       ///< why it is not verified, "" if it is
};

struct Tls {
    std::string protocol;                                  ///< "TLSv1.3", "" = the connection is not encrypted
    std::string cipher;                                    ///< "TLS_AES_256_GCM_SHA384": OpenSSL's name
    unsigned key_bits = 0;                                 ///< of the cipher; 0 = not known
    bool is_resumed = false;                               ///< the handshake resumed an earlier session of the client
    std::string server_name;                               ///< the host name that the client asked for (SNI), "" = none
    std::shared_ptr<const ClientCertificate> certificate;  ///< of the client; null = the server asked for none, or the
                                                           ///< client sent none

    explicit operator bool() const noexcept { return !protocol.empty(); }
};

}  // namespace smtpd
