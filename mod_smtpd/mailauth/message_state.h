/// message_state.h: the data that a MessageReader has collected about a message.
#pragma once

#include "mailauth/arc_fields.h"
#include "mailauth/header_block.h"
#include "mailauth/signature.h"

#include <smtpd/mailauth/message_reader.h>

#include <optional>
#include <string>
#include <vector>

namespace smtpd::mailauth {

struct MessageReader::State {
    /// The position of the reader, to find the end of the header block.
    enum class Place : unsigned char { line_start, after_cr, inside_line, body };

    void take(std::string_view octets);
    void end();
    const BodyHasher* find_hash(Canonicalization form, std::optional<std::uint64_t> limit) const noexcept;
    void want_hash(Canonicalization form, std::optional<std::uint64_t> limit);

    std::string header;
    bool header_is_too_large = false;
    bool is_complete = false;
    HeaderBlock block;
    /// DKIM-Signature fields, from the top. Those beyond the limit are std::nullopt.
    std::vector<std::optional<Signature>> signatures;
    std::vector<const RawField*> signature_fields;  ///< the field of each signature
    ArcSets arc;
    std::vector<BodyHasher> hashers;

private:
    std::string_view take_header(std::string_view octets);
    void keep(std::string_view octets);
    void header_ends();
    void read_signatures();
    std::string author_domain() const;

    Place place_ = Place::line_start;
};

}  // namespace smtpd::mailauth
