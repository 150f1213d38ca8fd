/// envelope.h: what MAIL has said about a message (RFC 5321 3.3), its parameters decoded. It goes with the message,
/// from the session to the queue and on.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/parameters.h>

#include <cstdint>
#include <optional>
#include <string>

namespace smtpd {

/// RET= of MAIL (RFC 3461 4.3): what of the message a report about its failure returns.
enum class DsnReturn : std::uint8_t { full, headers };

/// BODY= of MAIL.
enum class BodyType : std::uint8_t {
    seven_bit,       ///< nothing said, or 7BIT
    eight_bit_mime,  ///< 8BITMIME, RFC 6152
    binary_mime      ///< BINARYMIME, RFC 3030: CR, LF and NUL are data, and there are no lines to be relied on
};

/// Plain values: a copy may be kept, or written to a file. What RCPT has said is in each Recipient.
struct Envelope {
    Address sender;                              ///< null for reports (RFC 5321 4.5.5); plugins may have replaced it
    Parameters parameters;                       ///< all of them, as they came
    std::optional<std::uint64_t> declared_size;  ///< SIZE=, RFC 1870: octets
    BodyType body_type = BodyType::seven_bit;    ///< BODY=
    /// SMTPUTF8 (RFC 6531): addresses and header fields may be UTF-8. Those of the client are valid UTF-8 then.
    bool is_smtputf8 = false;
    /// REQUIRETLS (RFC 8689): to be handed on over verified TLS to servers that know REQUIRETLS, and else refused with
    /// 5.7.30.
    bool requires_tls = false;
    /// MT-PRIORITY= (RFC 6710), -9 to 9, lowered to 0 where the client may not ask for more; nothing without the
    /// parameter, which is 0.
    std::optional<int> priority;
    std::optional<DsnReturn> dsn_return;  ///< RET=
    std::optional<std::string> id;        ///< ENVID= (RFC 3461 4.4), decoded: printable ASCII
    /// AUTH= (RFC 4954 5): who submitted the message first; the null address where the client does not say, or is not
    /// authenticated and so not believed. Nothing without the parameter.
    std::optional<Address> submitter;

    bool is_8bitmime() const noexcept { return body_type == BodyType::eight_bit_mime; }
    bool is_binarymime() const noexcept { return body_type == BodyType::binary_mime; }
};

}  // namespace smtpd
