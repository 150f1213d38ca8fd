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
    /// Names in h=, in this order. If empty: recommended_fields().
    std::vector<std::string> fields{};
    std::optional<std::chrono::sys_seconds> time{};    ///< t=
    std::optional<std::chrono::sys_seconds> expiry{};  ///< x=
};

/// Returns the first mailbox in the value of a From field (RFC 5322 3.4): the address in angle brackets or, without
/// brackets, the whole text. Comments, quoted names and groups are understood. Returns std::nullopt if the address has
/// no domain.
SMTPD_API std::optional<Address> first_author(std::string_view from);

/// Returns the names for h= of a signature of this header block. They cover all fields that a reader sees or that
/// affect how the message is shown: each name once for every occurrence of the field. From, Reply-To, Subject, Date,
/// To, Cc, MIME-Version, Content-Type and Content-Transfer-Encoding have one more entry each, so that nobody can add
/// another such field.
SMTPD_API std::vector<std::string> recommended_fields(std::string_view header_block);

/// Makes the value of a DKIM-Signature field, folded. `body` must be finished; it determines the canonical form of the
/// body, and l= if it has a limit. Returns an Error if the message does not have exactly one From field (RFC 5322 3.6),
/// if `signing` or the header block is not valid (`fields` without From, for example), or if the key does not work.
SMTPD_API Result<std::string> sign_dkim(std::string_view header_block, const BodyHasher& body,
                                        const DkimSigning& signing, const PrivateKey& key);

}  // namespace smtpd::mailauth
