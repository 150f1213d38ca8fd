/// header_block.h: the fields of a header block as signatures see them, byte for byte, and their canonical forms
/// (RFC 6376 3.4.1, 3.4.2).
#pragma once

#include <smtpd/mailauth/message_reader.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

struct RawField {
    std::string_view name;  ///< as written, without white space before the colon
    std::string_view raw;   ///< the whole field with its line end, if it has one
    /// What follows the colon, without the line end.
    std::string_view body() const noexcept;
    bool is_called(std::string_view other) const noexcept;
};

/// Views into the block, which has to outlive it.
class HeaderBlock {
public:
    HeaderBlock() = default;
    explicit HeaderBlock(std::string_view block);

    const std::vector<RawField>& fields() const noexcept { return fields_; }
    /// There are lines that belong to no field.
    bool has_junk() const noexcept { return has_junk_; }

private:
    friend class FieldPicker;
    struct Entry {
        std::size_t hash;
        std::uint32_t field;
    };
    /// By name, and of one name the lowest first; made when it is first needed.
    const std::vector<Entry>& by_name() const;

    std::vector<RawField> fields_;
    bool has_junk_ = false;
    std::vector<Entry> index_;
};

/// Gives the fields that a list of names means (RFC 6376 5.4.2): for each mention of a name the lowest field that has
/// not been given yet.
class FieldPicker {
public:
    explicit FieldPicker(const HeaderBlock& block);
    /// A field that is never given: the signature itself.
    void leave_out(const RawField& field);
    /// Null if there is none (any more).
    const RawField* next(std::string_view name);

private:
    const HeaderBlock& block_;
    const RawField* left_out_ = nullptr;
    std::vector<std::uint32_t> given_;  ///< for the first entry of a name in the index, how many are used up
};

/// Adds the canonical form of a field, with its CRLF.
void append_canonical(std::string& out, std::string_view raw, Canonicalization form);
/// The same for the field that has the signature itself: without its CRLF, and without what is between `cut_begin` and
/// `cut_begin + cut_size` of it, the value of b= (RFC 6376 3.7).
void append_canonical_signature(std::string& out, std::string_view raw, std::size_t cut_begin, std::size_t cut_size,
                                Canonicalization form);

}  // namespace smtpd::mailauth
