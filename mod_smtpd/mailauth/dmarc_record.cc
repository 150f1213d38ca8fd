/// dmarc_record.cc: parses DMARC records.
#include <smtpd/mailauth/dmarc.h>

#include "support/strings.h"

#include <algorithm>
#include <utility>

namespace smtpd::mailauth {
namespace {

using support::equals_folded;

constexpr std::string_view policy_names[] = {"none", "quarantine", "reject"};
constexpr std::string_view outcome_names[] = {"none", "pass", "fail", "temperror", "permerror"};

std::string_view trim_blanks(std::string_view text) noexcept {
    while (!text.empty() && support::is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && support::is_blank(text.back())) text.remove_suffix(1);
    return text;
}

struct Tag {
    std::string_view name, value;  ///< an empty name: not a tag
};

/// Removes the next tag from `rest`.
Tag next_tag(std::string_view& rest) noexcept {
    const auto end = std::min(rest.find(';'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto equals = text.find('=');
    if (equals == text.npos) return {};
    return {trim_blanks(text.substr(0, equals)), trim_blanks(text.substr(equals + 1))};
}

std::optional<DmarcPolicy> parse_policy(std::string_view word) noexcept {
    for (std::size_t i = 0; i < std::size(policy_names); ++i)
        if (equals_folded(word, policy_names[i])) return static_cast<DmarcPolicy>(i);
    return {};
}

// --- URIs (RFC 3986)

/// A comma and an exclamation mark must be percent-encoded (RFC 9989 4.7), so they are not allowed here.
constexpr bool is_uri_character(char c) noexcept {
    return support::is_alpha(c) || support::is_digit(c) ||
           std::string_view("-._~:/?#[]@$&'()*+;=%").find(c) != std::string_view::npos;
}

bool is_scheme(std::string_view text) noexcept {
    return !text.empty() && support::is_alpha(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
        return support::is_alpha(c) || support::is_digit(c) || c == '+' || c == '-' || c == '.';
    });
}

/// The text after "mailto:": an address, perhaps with header fields after "?".
bool is_mail_address(std::string_view text) noexcept {
    text = text.substr(0, text.find('?'));
    const auto at = text.rfind('@');
    return at != text.npos && at > 0 && at + 1 < text.size();
}

bool is_uri(std::string_view text) noexcept {
    const auto colon = text.find(':');
    if (colon == text.npos || !is_scheme(text.substr(0, colon))) return false;
    const std::string_view rest = text.substr(colon + 1);
    if (rest.empty() || !std::all_of(rest.begin(), rest.end(), is_uri_character)) return false;
    return !equals_folded(text.substr(0, colon), "mailto") || is_mail_address(rest);
}

/// Removes "!10m", the size limit of RFC 7489.
std::string_view without_size_limit(std::string_view uri) noexcept { return trim_blanks(uri.substr(0, uri.find('!'))); }

std::vector<std::string> parse_uris(std::string_view value) {
    std::vector<std::string> uris;
    while (!value.empty() && uris.size() < max_report_uris) {
        const auto end = std::min(value.find(','), value.size());
        const auto uri = without_size_limit(trim_blanks(value.substr(0, end)));
        value.remove_prefix(std::min(end + 1, value.size()));
        if (is_uri(uri)) uris.emplace_back(uri);
    }
    return uris;
}

// --- tags

/// The known tags. Their positions are the bits that mark seen tags, to detect duplicates.
constexpr std::string_view known_tags[] = {"p", "sp", "np", "adkim", "aspf", "psd", "t", "pct", "fo", "rua", "ruf"};

class Reader {
public:
    Reader(std::string_view text, DmarcRfc rfc) : is_9989_(rfc == DmarcRfc::rfc9989) { record_.text = text; }

    DmarcRecord read(std::string_view tags) {
        while (!tags.empty()) {
            const Tag tag = next_tag(tags);
            if (!tag.name.empty() && is_first(tag.name)) take(tag.name, tag.value);
        }
        finish();
        return std::move(record_);
    }

private:
    bool is_first(std::string_view name) {
        const auto* known = std::find_if(std::begin(known_tags), std::end(known_tags),
                                         [&](std::string_view tag) { return equals_folded(tag, name); });
        if (known == std::end(known_tags)) return false;
        const unsigned bit = 1U << (known - std::begin(known_tags));
        const bool is_new = (seen_ & bit) == 0;
        seen_ |= bit;
        if (!is_new) record_.has_duplicate_tag = true;
        return is_new;
    }

    void take(std::string_view name, std::string_view value) {
        if (equals_folded(name, "p")) p_ = take_policy(value);
        else if (equals_folded(name, "sp")) record_.sp = take_policy(value);
        else if (equals_folded(name, "np") && is_9989_) record_.np = take_policy(value);
        else if (equals_folded(name, "adkim")) record_.adkim = alignment(value);
        else if (equals_folded(name, "aspf")) record_.aspf = alignment(value);
        else if (equals_folded(name, "psd") && is_9989_) record_.psd = psd(value);
        else if (equals_folded(name, "t") && is_9989_) record_.is_test = equals_folded(value, "y");
        else if (equals_folded(name, "pct") && !is_9989_) record_.pct = percentage(value);
        else if (equals_folded(name, "fo")) take_fo(value);
        else if (equals_folded(name, "rua")) record_.rua = parse_uris(value);
        else if (equals_folded(name, "ruf")) record_.ruf = parse_uris(value);
    }

    std::optional<DmarcPolicy> take_policy(std::string_view value) {
        const auto policy = parse_policy(value);
        if (!policy) record_.has_bad_policy = true;
        return policy;
    }

    static DmarcAlignment alignment(std::string_view value) {
        return equals_folded(value, "s") ? DmarcAlignment::strict : DmarcAlignment::relaxed;
    }
    static DmarcRecord::Psd psd(std::string_view value) {
        return equals_folded(value, "y")   ? DmarcRecord::Psd::yes
               : equals_folded(value, "n") ? DmarcRecord::Psd::no
                                           : DmarcRecord::Psd::unknown;
    }
    static unsigned percentage(std::string_view value) {
        const auto number = support::parse_unsigned(value);
        return number && *number <= 100 ? static_cast<unsigned>(*number) : 100;
    }

    /// Reads "0", "1", "d" and "s", separated by colons.
    void take_fo(std::string_view value) {
        std::string options;
        for (const auto part : support::split(value, ':')) {
            const std::string option = support::folded(trim_blanks(part));
            if (option != "0" && option != "1" && option != "d" && option != "s") return;
            options += (options.empty() ? "" : ":") + option;
        }
        record_.fo = std::move(options);
    }

    void finish() {
        if (!p_) record_.has_bad_policy = true;
        record_.is_usable = !record_.has_bad_policy || !record_.rua.empty();
        if (!record_.has_bad_policy) {
            record_.p = *p_;
        } else {
            record_.sp.reset();
            record_.np.reset();
        }
    }

    DmarcRecord record_;
    const bool is_9989_;
    std::optional<DmarcPolicy> p_;
    unsigned seen_ = 0;
};

}  // namespace

std::string_view dmarc_policy_name(DmarcPolicy policy) noexcept {
    return policy_names[static_cast<std::size_t>(policy)];
}

std::string_view dmarc_outcome_name(DmarcOutcome outcome) noexcept {
    return outcome_names[static_cast<std::size_t>(outcome)];
}

std::optional<DmarcRecord> DmarcRecord::parse(std::string_view text, DmarcRfc rfc) {
    std::string_view rest = text;
    const Tag version = next_tag(rest);
    if (text.empty() || support::is_blank(text.front())) return {};
    if (!equals_folded(version.name, "v") || version.value != "DMARC1") return {};
    return Reader(text, rfc).read(rest);
}

}  // namespace smtpd::mailauth
