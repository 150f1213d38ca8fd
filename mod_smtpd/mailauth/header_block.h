/// header_block.h: the fields of a header block as signatures cover them, byte for byte, and their canonical forms (RFC
/// 6376 3.4.1, 3.4.2).
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
    /// The text after the colon, without the line end.
    std::string_view body() const noexcept;
    bool is_called(std::string_view other) const noexcept;
};

/// Views into the text of the block, which must outlive this object.
class HeaderBlock {
public:
    HeaderBlock() = default;
    explicit HeaderBlock(std::string_view block);

    const std::vector<RawField>& fields() const noexcept { return fields_; }
    /// Whether there are lines that do not belong to a field.
    bool has_junk() const noexcept { return has_junk_; }

private:
    friend class FieldPicker;
    struct Entry {
        std::size_t hash;
        std::uint32_t field;
    };
    /// The fields ordered by name; fields with the same name from the bottom up. Made on first use.
    const std::vector<Entry>& by_name() const;

    std::vector<RawField> fields_;
    bool has_junk_ = false;
    std::vector<Entry> index_;
};

/// Finds the fields that a list of names refers to (RFC 6376 5.4.2): each occurrence of a name means the lowest field
/// that has not been used yet.
class FieldPicker {
public:
    explicit FieldPicker(const HeaderBlock& block);
    /// Excludes a field: the signature itself.
    void leave_out(const RawField& field);
    /// Null if there is none left.
    const RawField* next(std::string_view name);

private:
    const HeaderBlock& block_;
    const RawField* left_out_ = nullptr;
    std::vector<std::uint32_t> given_;  ///< how many fields of a name are used, at the index of its first entry
};

/// Appends the canonical form of a field, with its CRLF.
void append_canonical(std::string& out, std::string_view raw, Canonicalization form);
/// The same for the field with the signature itself: without its CRLF, and without the value of b=, which is the text
/// between `cut_begin` and `cut_begin + cut_size` (RFC 6376 3.7).
void append_canonical_signature(std::string& out, std::string_view raw, std::size_t cut_begin, std::size_t cut_size,
                                Canonicalization form);

}  // namespace smtpd::mailauth
