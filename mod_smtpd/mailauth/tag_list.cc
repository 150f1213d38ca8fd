/// tag_list.cc: reads tag lists in one pass; a list is short, so tags are searched one by one.
#include "mailauth/tag_list.h"

#include "support/base64.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <algorithm>

namespace smtpd::mailauth {
namespace {

bool is_tag_name(std::string_view name) noexcept {
    if (name.empty() || !support::is_alpha(name.front())) return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return support::is_alpha(c) || support::is_digit(c) || c == '_'; });
}

/// VALCHAR, FWS between, and UTF-8.
bool is_tag_value(std::string_view value) noexcept {
    return std::all_of(value.begin(), value.end(),
                       [](char c) { return is_fws(c) || (static_cast<unsigned char>(c) > ' ' && c != '\x7f'); });
}

}  // namespace

std::string_view trim_fws(std::string_view text) noexcept {
    while (!text.empty() && is_fws(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_fws(text.back())) text.remove_suffix(1);
    return text;
}

std::string without_fws(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto end = std::find_if(text.begin(), text.end(), is_fws);
        const auto size = static_cast<std::size_t>(end - text.begin());
        out += text.substr(0, size);
        text.remove_prefix(size);
        while (!text.empty() && is_fws(text.front())) text.remove_prefix(1);
    }
    return out;
}

TagList::TagList(std::string_view text) {
    tags_.reserve(12);
    read(text);
    if (!problem_.empty()) tags_.clear();
}

void TagList::read(std::string_view text) {
    while (problem_.empty()) {
        const auto semicolon = text.find(';');
        const std::string_view element = text.substr(0, semicolon);
        const bool is_last = semicolon == text.npos;
        if (!is_last || !trim_fws(element).empty()) read_element(element);
        if (is_last) return;
        text.remove_prefix(semicolon + 1);
    }
}

void TagList::read_element(std::string_view element) {
    const auto equals = element.find('=');
    const std::string_view name = trim_fws(element.substr(0, equals));
    if (equals == element.npos || !is_tag_name(name)) {
        problem_ = trim_fws(element).empty() ? "tag syntax: empty element" : "tag syntax";
        return;
    }
    const std::string_view raw = element.substr(equals + 1);
    if (!is_tag_value(raw)) problem_ = format_text("tag syntax: control character in {}=", name);
    else if (find(name)) problem_ = format_text("duplicate tag {}", name.substr(0, 20));
    else if (tags_.size() == max_tags) problem_ = format_text("more than {} tags", max_tags);
    else tags_.push_back({name, trim_fws(raw), raw});
}

const Tag* TagList::find(std::string_view name) const noexcept {
    const auto found = std::find_if(tags_.begin(), tags_.end(), [&](const Tag& tag) { return tag.name == name; });
    return found == tags_.end() ? nullptr : &*found;
}

std::optional<std::string_view> TagList::value(std::string_view name) const noexcept {
    const Tag* const tag = find(name);
    return tag ? std::optional(tag->value) : std::nullopt;
}

bool colon_list_has(std::string_view list, std::string_view element) noexcept {
    for (;;) {
        const auto colon = list.find(':');
        if (trim_fws(list.substr(0, colon)) == element) return true;
        if (colon == list.npos) return false;
        list.remove_prefix(colon + 1);
    }
}

std::optional<std::string> tag_octets(std::string_view value) {
    std::string text = without_fws(value);
    if (!text.ends_with('=')) text.append((4 - text.size() % 4) % 4, '=');
    return support::from_base64(text);
}

std::optional<std::uint64_t> tag_number(std::string_view value, std::size_t digits) noexcept {
    if (value.empty() || value.size() > digits) return std::nullopt;
    return support::parse_unsigned(value);
}

}  // namespace smtpd::mailauth
