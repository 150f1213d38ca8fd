/// spf_macro.h: macro strings of SPF (RFC 7208 7). They are parsed once, and expanded for each client.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/mailauth/spf.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// The values of the macro letters.
struct SpfMacroValues {
    const SpfRequest& request;
    std::string_view domain;     ///< `%{d}`: the domain whose record is evaluated
    std::string_view validated;  ///< `%{p}`
    std::string_view receiver;   ///< `%{r}`
    WallTime now;                ///< `%{t}`
};

class SpfMacroString {
public:
    /// Octets. Longer expansions are cut off: a record of 64 KB could expand to megabytes.
    static constexpr std::size_t max_expanded = 4096;

    enum class Kind {
        modifier,    ///< a macro-string: any text without blanks
        domain,      ///< a domain-spec: ends with a top label or a macro
        explanation  ///< blanks and the letters c, r and t are also allowed
    };
    /// Returns std::nullopt if the text breaks the grammar (RFC 7208 7.1).
    static std::optional<SpfMacroString> parse(std::string_view text, Kind kind);

    /// The text itself, if it has no macro; otherwise "".
    const std::string& literal() const noexcept { return literal_; }
    bool is_literal() const noexcept { return macros_.empty(); }
    bool uses_validated_name() const noexcept { return uses('p'); }
    bool uses_local_part() const noexcept { return uses('s') || uses('l'); }

    std::string expand(const SpfMacroValues& values) const;
    /// The name to look up: without a final dot, at most 253 octets.
    std::string expand_domain(const SpfMacroValues& values) const;

private:
    /// A macro, and the literal text before it.
    struct Macro {
        std::string before;
        char letter = 0;
        bool is_escaped = false;
        bool is_reversed = false;
        unsigned keep = 0;  ///< parts from the right; 0 = all
        std::string delimiters;
    };
    class Parser;

    bool uses(char letter) const noexcept;
    static std::string transformed(const Macro& macro, std::string value);

    std::vector<Macro> macros_;
    std::string literal_;  ///< the text after the last macro
};

/// Removes the final dot, and labels from the left until the name has at most 253 octets.
std::string spf_fitting_name(std::string name);

}  // namespace smtpd::mailauth
