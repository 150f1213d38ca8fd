/// tag_list.h: parses lists of `name=value` pairs separated by semicolons (RFC 6376 3.2), which DKIM and ARC use in
/// header fields and key records.
///
/// The views of a list point into the text that it was parsed from, which must outlive it. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// White space within a value, including folds.
constexpr bool is_fws(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
/// `text` without white space at its ends.
std::string_view trim_fws(std::string_view text) noexcept;
/// `text` without any white space: for base64 and lists of names, in which it has no meaning.
std::string without_fws(std::string_view text);

struct Tag {
    std::string_view name;
    std::string_view value;      ///< without white space at its ends
    std::string_view raw_value;  ///< everything between `=` and `;`
};

class TagList {
public:
    /// More tags are a mistake, or an attempt to waste time.
    static constexpr std::size_t max_tags = 100;

    /// Parses a list. An invalid list has no tags and a problem(): an element without `=`, an empty element before the
    /// last one, a name with characters other than letters, digits and `_`, a control character in a value, a duplicate
    /// tag, or too many tags. Octets beyond ASCII are allowed in values (RFC 8616 3).
    explicit TagList(std::string_view text);

    /// Why the text is not a valid list ("duplicate tag d"); "" if it is.
    const std::string& problem() const noexcept { return problem_; }
    /// The tag with this name (case-sensitive); null if there is none.
    const Tag* find(std::string_view name) const noexcept;
    /// The value of this tag; std::nullopt if there is none.
    std::optional<std::string_view> value(std::string_view name) const noexcept;
    /// All tags, in order.
    const std::vector<Tag>& tags() const noexcept { return tags_; }

private:
    void read(std::string_view text);
    void read_element(std::string_view element);

    std::vector<Tag> tags_;
    std::string problem_;
};

/// Whether a list with colons between its elements has this element. White space around elements is ignored; case
/// matters (RFC 6376 3.6.1: h=, s=, t=).
bool colon_list_has(std::string_view list, std::string_view element) noexcept;

/// Decodes a value in base64. White space is ignored, and the padding may be missing (RFC 6376 2.10). std::nullopt if
/// it is not base64.
std::optional<std::string> tag_octets(std::string_view value);

/// Parses a decimal number of 1 to `digits` digits (RFC 6376 3.5: l=, t=, x=). std::nullopt if the value is anything
/// else or does not fit.
std::optional<std::uint64_t> tag_number(std::string_view value, std::size_t digits) noexcept;

}  // namespace smtpd::mailauth
