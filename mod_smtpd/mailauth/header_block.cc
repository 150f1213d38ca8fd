/// header_block.cc: see header_block.h.
#include "mailauth/header_block.h"

#include "support/strings.h"

#include <algorithm>

namespace smtpd::mailauth {
namespace {

std::string_view without_line_end(std::string_view text) noexcept {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

/// FNV-1a of the name in lower case.
std::size_t hash_of(std::string_view name) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(support::to_lower(c))) * 0x100000001b3U;
    return static_cast<std::size_t>(hash);
}

/// Orders names without regard to case, shorter names first.
int compare_names(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (const int difference = support::to_lower(a[i]) - support::to_lower(b[i])) return difference;
    return 0;
}

/// RFC 5322 3.6.8. The text before the first colon has no colon, so colons are not checked.
bool is_field_name(std::string_view name) noexcept {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::string_view RawField::body() const noexcept { return without_line_end(raw.substr(raw.find(':') + 1)); }

bool RawField::is_called(std::string_view other) const noexcept { return support::equals_folded(name, other); }

HeaderBlock::HeaderBlock(std::string_view block) {
    while (!block.empty()) {
        std::size_t end = block.find('\n');
        // A line that begins with white space continues the field.
        while (end != block.npos && end + 1 < block.size() && support::is_blank(block[end + 1]))
            end = block.find('\n', end + 1);
        const std::string_view raw = block.substr(0, end == block.npos ? end : end + 1);
        block.remove_prefix(raw.size());
        const auto colon = raw.find(':');
        std::string_view name = raw.substr(0, colon);
        while (!name.empty() && support::is_blank(name.back())) name.remove_suffix(1);
        if (colon != raw.npos && is_field_name(name)) fields_.push_back({name, raw});
        else has_junk_ = true;
    }
    index_.reserve(fields_.size());
    for (std::size_t i = 0; i < fields_.size(); ++i)
        index_.push_back({hash_of(fields_[i].name), static_cast<std::uint32_t>(i)});
    std::sort(index_.begin(), index_.end(), [this](const Entry& a, const Entry& b) {
        if (a.hash != b.hash) return a.hash < b.hash;
        const int order = compare_names(fields_[a.field].name, fields_[b.field].name);
        return order != 0 ? order < 0 : a.field > b.field;
    });
}

FieldPicker::FieldPicker(const HeaderBlock& block) : block_(block), given_(block.index_.size(), 0) {}

void FieldPicker::leave_out(const RawField& field) { left_out_ = &field; }

const RawField* FieldPicker::next(std::string_view name) {
    const auto& index = block_.index_;
    const std::size_t hash = hash_of(name);
    const auto first = std::lower_bound(index.begin(), index.end(), hash, [&](const auto& entry, std::size_t wanted) {
        return entry.hash != wanted ? entry.hash < wanted : compare_names(block_.fields_[entry.field].name, name) < 0;
    });
    const auto at = static_cast<std::size_t>(first - index.begin());
    if (at == index.size()) return nullptr;
    for (;;) {
        const std::size_t place = at + given_[at];
        if (place >= index.size() || index[place].hash != hash) return nullptr;
        const RawField& field = block_.fields_[index[place].field];
        if (compare_names(field.name, name) != 0) return nullptr;
        ++given_[at];
        if (&field != left_out_) return &field;
    }
}

namespace {

/// Appends the text of a field's body: unfolded, with each run of white space as one blank, and none at the ends.
void append_relaxed(std::string& out, std::string_view text) {
    const std::size_t begin = out.size();
    out.resize(begin + text.size());  // the result is never longer
    char* to = out.data() + begin;
    bool has_blank = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (support::is_blank(c)) {
            has_blank = true;
        } else if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') {
            ++i;
        } else {
            if (has_blank && to != out.data() + begin) *to++ = ' ';
            has_blank = false;
            *to++ = c;
        }
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
}

void append_relaxed_name(std::string& out, std::string_view raw, std::size_t colon) {
    std::string_view name = raw.substr(0, colon);
    while (!name.empty() && support::is_blank(name.back())) name.remove_suffix(1);
    for (const char c : name) out += support::to_lower(c);
    out += ':';
}

}  // namespace

void append_canonical(std::string& out, std::string_view raw, Canonicalization form) {
    const std::string_view text = without_line_end(raw);
    if (form == Canonicalization::simple) {
        out += text;
    } else {
        const auto colon = text.find(':');
        append_relaxed_name(out, text, colon);
        append_relaxed(out, text.substr(colon + 1));
    }
    out += "\r\n";
}

void append_canonical_signature(std::string& out, std::string_view raw, std::size_t cut_begin, std::size_t cut_size,
                                Canonicalization form) {
    std::string cut(raw.substr(0, cut_begin));
    cut += raw.substr(cut_begin + cut_size);
    append_canonical(out, cut, form);
    out.resize(out.size() - 2);
}

}  // namespace smtpd::mailauth
