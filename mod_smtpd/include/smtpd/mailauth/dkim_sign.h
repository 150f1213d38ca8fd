/// dkim_sign.h: makes DKIM signatures (RFC 6376 5).
///
///     BodyHasher body(Canonicalization::relaxed);
///     … body.update(…); body.finish();
///     auto value = sign_dkim(message.headers().to_string(), body, {.domain = "example.com", .selector = "mail"}, key);
///     message.headers().prepend("DKIM-Signature", *value);
///
/// All functions are pure and thread-safe.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/api.h>
#include <smtpd/base/result.h>
#include <smtpd/mailauth/message_reader.h>
#include <smtpd/mailauth/private_key.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

struct DkimSigning {
    std::string domain;    ///< d=, A-labels
    std::string selector;  ///< s=
    Canonicalization header_form = Canonicalization::relaxed;
    /// Names in h=, in that order. Empty: recommended_fields().
    std::vector<std::string> fields{};
    std::optional<std::chrono::sys_seconds> time{};    ///< t=
    std::optional<std::chrono::sys_seconds> expiry{};  ///< x=
};

/// The first mailbox in the value of a From field (RFC 5322 3.4): the address in angle brackets, or all there is.
/// Comments, quoted names and groups are taken into account. Nothing if it has no domain.
SMTPD_API std::optional<Address> first_author(std::string_view from);

/// Names of fields that a signature of this header block should have in h=: every instance of a field that a reader
/// sees or that decides how the message is shown, once for each time that it is there; and once more if nobody may add
/// another one: From, Reply-To, Subject, Date, To, Cc, MIME-Version, Content-Type and Content-Transfer-Encoding.
SMTPD_API std::vector<std::string> recommended_fields(std::string_view header_block);

/// The value of the DKIM-Signature field, folded. The form of the body, and l= if there is one, are those of `body`,
/// which is finished. An Error if the message has not exactly one From field (RFC 5322 3.6), if From is not to be
/// signed, or if the key does not work.
SMTPD_API Result<std::string> sign_dkim(std::string_view header_block, const BodyHasher& body,
                                        const DkimSigning& signing, const PrivateKey& key);

}  // namespace smtpd::mailauth
