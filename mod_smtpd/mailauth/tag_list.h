/// tag_list.h: lists of `name=value` pairs separated by semicolons (RFC 6376 3.2), as DKIM and ARC have them in header
/// fields and key records.
///
/// The views of a list point into the text that it was made of, which has to outlive it. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// White space within a value, folding included.
constexpr bool is_fws(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
/// `text` without white space at its ends.
std::string_view trim_fws(std::string_view text) noexcept;
/// `text` without any white space: for base64 and lists of names, where it has no meaning.
std::string without_fws(std::string_view text);

struct Tag {
    std::string_view name;
    std::string_view value;      ///< without white space at its ends
    std::string_view raw_value;  ///< everything between `=` and `;`
};

class TagList {
public:
    /// More tags than that are a mistake, or an attempt to cost time.
    static constexpr std::size_t max_tags = 100;

    /// Reads a list. A wrong list has no tags and a problem(): an element without `=`, an empty element before the last
    /// one, a name of other characters than letters, digits and `_`, a control character in a value, a tag that occurs
    /// twice, or too many tags. Octets beyond ASCII may be in values (RFC 8616 3).
    explicit TagList(std::string_view text);

    /// Why the text is no tag list ("duplicate tag d"); "" if it is one.
    const std::string& problem() const noexcept { return problem_; }
    /// The tag of that name, upper and lower case being different; null if there is none.
    const Tag* find(std::string_view name) const noexcept;
    /// Its value; nothing if there is no such tag.
    std::optional<std::string_view> value(std::string_view name) const noexcept;
    /// All tags, in order.
    const std::vector<Tag>& tags() const noexcept { return tags_; }

private:
    void read(std::string_view text);
    void read_element(std::string_view element);

    std::vector<Tag> tags_;
    std::string problem_;
};

/// Whether a list whose elements are separated by colons has that element; white space around elements does not count,
/// case does (RFC 6376 3.6.1: h=, s=, t=).
bool colon_list_has(std::string_view list, std::string_view element) noexcept;

/// The octets of a value in base64: white space in it does not count, and the padding may be missing (RFC 6376 2.10).
/// Nothing if it is no base64.
std::optional<std::string> tag_octets(std::string_view value);

/// A decimal number of 1 to `digits` digits and nothing else (RFC 6376 3.5: l=, t=, x=); nothing if it is something
/// else or does not fit.
std::optional<std::uint64_t> tag_number(std::string_view value, std::size_t digits) noexcept;

}  // namespace smtpd::mailauth
