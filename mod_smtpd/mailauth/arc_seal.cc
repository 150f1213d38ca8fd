/// arc_seal.cc: adds a set to a chain (RFC 8617 5.1).
#include <smtpd/mailauth/arc.h>
#include <smtpd/mailauth/dkim_sign.h>

#include "mailauth/arc_fields.h"
#include "mailauth/own_results.h"
#include "mailauth/seal_hash.h"
#include "mailauth/tag_writer.h"
#include "support/base64.h"

#include <smtpd/base/format.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

constexpr std::string_view message_signature_name = "ARC-Message-Signature";
constexpr std::string_view seal_name = "ARC-Seal";

using Tags = std::vector<std::pair<std::string, std::string>>;

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (const auto& part : parts) out += (out.empty() ? "" : std::string(separator)) + part;
    return out;
}

/// Writes a tag list in the given layout.
std::string written(Tags tags, std::string_view field, ArcLayout layout) {
    if (layout == ArcLayout::standard) {
        std::sort(tags.begin(), tags.end());
        std::vector<std::string> pieces;
        for (const auto& [name, value] : tags) pieces.push_back(name + "=" + value);
        return joined(pieces, "; ");
    }
    TagWriter writer(field.size());
    for (const auto& [name, value] : tags) {
        if (name == "b") {
            writer.add_base64(name, value);
        } else if (name == "h") {
            std::vector<std::string> names;
            for (std::size_t at = 0; at <= value.size();) {
                const auto colon = std::min(value.find(':', at), value.size());
                names.push_back(value.substr(at, colon - at));
                at = colon + 1;
            }
            writer.add_list(name, names);
        } else {
            writer.add(name, value);
        }
    }
    return writer.text();
}

/// The fields that a DKIM signature covers, and each DKIM-Signature. None of them is a field that ARC must not sign.
std::vector<std::string> usual_fields(std::string_view header_block) {
    std::vector<std::string> names = recommended_fields(header_block);
    const HeaderBlock block(header_block);
    for (const auto& field : block.fields())
        if (field.is_called("DKIM-Signature")) names.emplace_back("DKIM-Signature");
    return names;
}

/// Makes the three fields of one set. The text of each field is needed for the next one.
class Sealer {
public:
    Sealer(std::string_view header_block, const BodyHasher& body, const ArcChain& chain, const ArcSealing& sealing,
           const PrivateKey& key)
        : text_(header_block), block_(header_block), body_(body), chain_(chain), sealing_(sealing), key_(key) {}

    Result<std::optional<ArcFields>> fields() {
        ArcFields out;
        out.results = format_text("i={}; {}{}", instance(), sealing_.authserv_id, results());
        auto message_signature = signed_message();
        if (!message_signature) return message_signature.error();
        out.message_signature = std::move(*message_signature);
        auto seal = sealed(out);
        if (!seal) return seal.error();
        out.seal = std::move(*seal);
        return std::optional(std::move(out));
    }

private:
    std::string instance() const { return std::to_string(chain_.instances + 1); }
    std::string time() const { return std::to_string(sealing_.time.time_since_epoch().count()); }

    std::string results() const {
        const auto entries = own_results(block_, sealing_.authserv_id);
        return entries.empty() ? "; none" : ";\r\n\t" + joined(entries, ";\r\n\t");
    }

    Result<std::string> signed_message() const {
        const std::vector<std::string> names = sealing_.fields.empty() ? usual_fields(text_) : sealing_.fields;
        const auto& digest = body_.digest();
        const std::string body_form = body_.canonicalization() == Canonicalization::relaxed ? "relaxed" : "simple";
        Tags tags{{"i", instance()},
                  {"a", std::string(key_.algorithm())},
                  {"c", "relaxed/" + body_form},
                  {"d", sealing_.domain},
                  {"s", sealing_.selector},
                  {"t", time()},
                  {"h", joined(names, ":")},
                  {"bh", support::base64({reinterpret_cast<const char*>(digest.data()), digest.size()})},
                  {"b", ""}};
        const std::string raw = format_text("{}: {}", message_signature_name,
                                            written(tags, message_signature_name, sealing_.layout));
        const RawField field{message_signature_name, raw};
        const Signature draft(field, SignatureKind::arc_message, SignatureState::draft);
        if (!draft.is_possible()) return Error{ErrorCode::config, draft.problem};
        return completed(std::move(tags), message_signature_name, header_hash(block_, draft));
    }

    Result<std::string> completed(Tags tags, std::string_view name, const Sha256& hash) const {
        auto octets = key_.sign(hash);
        if (!octets) return octets.error();
        tags.back().second = support::base64(*octets);
        return written(std::move(tags), name, sealing_.layout);
    }

    /// A seal covers all sets so far. A seal with cv=fail covers only its own set (RFC 8617 5.1.2).
    Result<std::string> sealed(const ArcFields& own) const {
        const std::string validation(chain_.instances == 0 ? "none" : arc_result_word(chain_.result));
        SealHash hash;
        if (chain_.passes()) {
            const ArcSets sets(block_);
            if (!sets.problem().empty() || sets.size() != chain_.instances)
                return Error{ErrorCode::config, "the fields of the chain have been changed here"};
            for (const auto& set : sets.sets())
                for (const RawField* const field : {set.results, set.message_signature->field, set.seal->field})
                    hash.add(field->raw);
        }
        hash.add("ARC-Authentication-Results: " + own.results);
        hash.add(format_text("{}: {}", message_signature_name, own.message_signature));
        Tags tags{{"i", instance()},
                  {"a", std::string(key_.algorithm())},
                  {"cv", validation},
                  {"d", sealing_.domain},
                  {"s", sealing_.selector},
                  {"t", time()},
                  {"b", ""}};
        const std::string raw = format_text("{}: {}", seal_name, written(tags, seal_name, sealing_.layout));
        const RawField field{seal_name, raw};
        const TagList draft(field.body());
        if (!draft.problem().empty()) return Error{ErrorCode::config, draft.problem()};
        return completed(std::move(tags), seal_name, hash.with_seal(raw, draft.find("b")->raw_value));
    }

    const std::string_view text_;
    const HeaderBlock block_;
    const BodyHasher& body_;
    const ArcChain& chain_;
    const ArcSealing& sealing_;
    const PrivateKey& key_;
};

}  // namespace

Result<std::optional<ArcFields>> seal_arc(std::string_view header_block, const BodyHasher& body, const ArcChain& chain,
                                          const ArcSealing& sealing, const PrivateKey& key) {
    if (chain.is_temporary) return Error{ErrorCode::timeout, chain.reason};
    if (chain.has_ended || chain.instances >= ArcChain::max_sets) return std::optional<ArcFields>();
    return Sealer(header_block, body, chain, sealing, key).fields();
}

}  // namespace smtpd::mailauth
