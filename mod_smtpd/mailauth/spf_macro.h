/// spf_macro.h: macro strings of SPF (RFC 7208 7): parsed once, expanded for each client.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/mailauth/spf.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// What the letters stand for.
struct SpfMacroValues {
    const SpfRequest& request;
    std::string_view domain;     ///< `%{d}`: the domain whose record is evaluated
    std::string_view validated;  ///< `%{p}`
    std::string_view receiver;   ///< `%{r}`
    WallTime now;                ///< `%{t}`
};

class SpfMacroString {
public:
    /// An expansion that would be longer is cut off there: a record of 64 KB could name megabytes.
    static constexpr std::size_t max_expanded = 4096;

    enum class Kind {
        modifier,    ///< a macro-string: any text but blanks
        domain,      ///< a domain-spec: ends in a top label or a macro
        explanation  ///< blanks, and the letters c, r and t, too
    };
    /// Nothing if the text breaks the grammar (RFC 7208 7.1).
    static std::optional<SpfMacroString> parse(std::string_view text, Kind kind);

    /// The text itself, if it has no macro; otherwise "".
    const std::string& literal() const noexcept { return literal_; }
    bool is_literal() const noexcept { return macros_.empty(); }
    bool uses_validated_name() const noexcept { return uses('p'); }
    bool uses_local_part() const noexcept { return uses('s') || uses('l'); }

    std::string expand(const SpfMacroValues& values) const;
    /// The name that is looked up: without final dot, at most 253 octets.
    std::string expand_domain(const SpfMacroValues& values) const;

private:
    /// What stands before a macro, and the macro.
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
    std::string literal_;  ///< behind the last macro
};

/// The name without final dot, without as many labels from the left as it takes to have 253 octets.
std::string spf_fitting_name(std::string name);

}  // namespace smtpd::mailauth
