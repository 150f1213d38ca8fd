/// envelope.h: the parameters of the MAIL command (RFC 5321 3.3), decoded. The envelope stays with the message from the
/// session to the queue and beyond.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/parameters.h>

#include <cstdint>
#include <optional>
#include <string>

namespace smtpd {

/// RET= of MAIL (RFC 3461 4.3): how much of the message a failure report returns.
enum class DsnReturn : std::uint8_t { full, headers };

/// BODY= of MAIL.
enum class BodyType : std::uint8_t {
    seven_bit,       ///< no parameter, or 7BIT
    eight_bit_mime,  ///< 8BITMIME, RFC 6152
    binary_mime      ///< BINARYMIME, RFC 3030: CR, LF and NUL are data; the body need not consist of lines
};

/// Plain values: a copy may be kept, or written to a file. The parameters of RCPT are in each Recipient.
struct Envelope {
    Address sender;                              ///< null for reports (RFC 5321 4.5.5); plugins may have replaced it
    Parameters parameters;                       ///< all of them, as they came
    std::optional<std::uint64_t> declared_size;  ///< SIZE=, RFC 1870: octets
    BodyType body_type = BodyType::seven_bit;    ///< BODY=
    /// SMTPUTF8 (RFC 6531): addresses and header fields may be UTF-8. The server has checked that those from the client
    /// are valid UTF-8.
    bool is_smtputf8 = false;
    /// REQUIRETLS (RFC 8689): the message must be passed on over verified TLS to a server that supports REQUIRETLS, or
    /// rejected with 5.7.30.
    bool requires_tls = false;
    /// MT-PRIORITY= (RFC 6710), -9 to 9, lowered to 0 if the client may not request more. Nothing if the parameter is
    /// missing, which means 0.
    std::optional<int> priority;
    std::optional<DsnReturn> dsn_return;  ///< RET=
    std::optional<std::string> id;        ///< ENVID= (RFC 3461 4.4), decoded: printable ASCII
    /// AUTH= (RFC 4954 5): who originally submitted the message. The null address if the client does not say, or if it
    /// is not authenticated and so not trusted. Nothing if the parameter is missing.
    std::optional<Address> submitter;

    bool is_8bitmime() const noexcept { return body_type == BodyType::eight_bit_mime; }
    bool is_binarymime() const noexcept { return body_type == BodyType::binary_mime; }
};

}  // namespace smtpd
