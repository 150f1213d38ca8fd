/// dkim_sign.cc: see dkim_sign.h.
#include <smtpd/mailauth/dkim_sign.h>

#include "mailauth/header_block.h"
#include "mailauth/signature.h"
#include "mailauth/tag_writer.h"
#include "support/base64.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <array>

namespace smtpd::mailauth {
namespace {

constexpr std::string_view field_name = "DKIM-Signature";

/// Oversigned, so that nobody can add another such field later.
constexpr std::array<std::string_view, 9> oversigned{
    "From", "Reply-To", "Subject", "Date", "To", "Cc", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"};
/// Signed if present.
constexpr std::array<std::string_view, 20> also_signed{
    "Sender",      "Message-ID",    "In-Reply-To",    "References",       "Resent-Date",
    "Resent-From", "Resent-Sender", "Resent-To",      "Resent-Cc",        "Resent-Message-ID",
    "List-Id",     "List-Help",     "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post",
    "List-Post",   "List-Owner",    "List-Archive",   "Content-ID",       "Content-Description"};

std::size_t count(const HeaderBlock& block, std::string_view name) {
    const auto& fields = block.fields();
    return static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(), [&](const RawField& field) { return field.is_called(name); }));
}

std::vector<std::string> recommended(const HeaderBlock& block) {
    std::vector<std::string> names;
    for (const auto name : oversigned) names.insert(names.end(), count(block, name) + 1, std::string(name));
    for (const auto name : also_signed) names.insert(names.end(), count(block, name), std::string(name));
    return names;
}

std::string form_name(Canonicalization form) { return form == Canonicalization::simple ? "simple" : "relaxed"; }

/// Writes all tags except b=.
TagWriter write_tags(const BodyHasher& body, const DkimSigning& signing, const PrivateKey& key,
                     const std::vector<std::string>& fields) {
    TagWriter writer(field_name.size());
    writer.add("v", "1");
    writer.add("a", key.algorithm());
    writer.add("c", form_name(signing.header_form) + "/" + form_name(body.canonicalization()));
    writer.add("d", signing.domain);
    writer.add("s", signing.selector);
    const auto seconds = [](std::chrono::sys_seconds moment) {
        return std::to_string(moment.time_since_epoch().count());
    };
    if (signing.time) writer.add("t", seconds(*signing.time));
    if (signing.expiry) writer.add("x", seconds(*signing.expiry));
    if (body.limit()) writer.add("l", std::to_string(*body.limit()));
    writer.add_list("h", fields);
    const auto& digest = body.digest();
    writer.add("bh", support::base64({reinterpret_cast<const char*>(digest.data()), digest.size()}));
    return writer;
}

}  // namespace

std::vector<std::string> recommended_fields(std::string_view header_block) {
    return recommended(HeaderBlock(header_block));
}

Result<std::string> sign_dkim(std::string_view header_block, const BodyHasher& body, const DkimSigning& signing,
                              const PrivateKey& key) {
    const HeaderBlock block(header_block);
    if (const std::size_t authors = count(block, "From"); authors != 1)
        return Error{ErrorCode::config, format_text("the message has {} From fields", authors)};
    if (block.has_junk()) return Error{ErrorCode::config, "a header line is no field"};
    if (body.limit().value_or(0) > body.canonical_size())
        return Error{ErrorCode::config, format_text("the body has {} octets", body.canonical_size())};
    const std::vector<std::string> fields = signing.fields.empty() ? recommended(block) : signing.fields;
    TagWriter writer = write_tags(body, signing, key, fields);
    TagWriter draft = writer;
    draft.add_base64("b", "");
    const std::string raw = std::string(field_name) + ": " + draft.text();
    const RawField field{field_name, raw};
    const Signature signature(field, SignatureKind::dkim, SignatureState::draft);
    if (!signature.is_possible()) return Error{ErrorCode::config, signature.problem};
    auto octets = key.sign(header_hash(block, signature));
    if (!octets) return octets.error();
    writer.add_base64("b", support::base64(*octets));
    return writer.text();
}

}  // namespace smtpd::mailauth
