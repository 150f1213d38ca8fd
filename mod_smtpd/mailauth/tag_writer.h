/// tag_writer.h: writes the tag lists of signatures, folded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

/// Builds the value of a field. Lines have at most 76 characters, unless a piece is longer.
class TagWriter {
public:
    /// `name_size` is the length of the field's name, which takes up room on the first line.
    explicit TagWriter(std::size_t name_size) noexcept : column_(name_size + 2) {}

    /// Adds `name=value`, in one piece.
    void add(std::string_view name, std::string_view value);
    /// Adds a list with colons between its elements; a line may end after each colon.
    template <class Names>
    void add_list(std::string_view name, const Names& names) {
        begin(name);
        bool is_first = true;
        for (const auto& element : names) {
            if (!is_first) put(":");
            is_first = false;
            put_or_fold(element, 1);
        }
    }
    /// Adds base64; a line may end anywhere in it.
    void add_base64(std::string_view name, std::string_view text);
    const std::string& text() const noexcept { return out_; }

private:
    static constexpr std::size_t width = 76;

    void begin(std::string_view name, std::size_t size_of_value = 0);
    void put(std::string_view text);
    /// Adds a piece to this line if the piece and `room` more characters fit, otherwise to a new line.
    void put_or_fold(std::string_view text, std::size_t room);
    void fold();

    std::string out_;
    std::size_t column_;
};

}  // namespace smtpd::mailauth
