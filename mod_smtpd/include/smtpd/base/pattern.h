/// pattern.h: regular expressions in control files and options, in Perl's syntax (PCRE2), because the files were
/// written for Perl.
///
/// Matching is limited to a number of steps, so that a bad pattern costs bounded time. Immutable after compile();
/// thread-safe.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd {

class SMTPD_API Pattern {
public:
    enum class Case { sensitive, folded };

    /// Compiles the expression; slashes around it are not removed. The Error says where the expression is wrong.
    static Result<Pattern> compile(std::string_view expression, Case letter_case = Case::sensitive);

    /// Whether the expression matches anywhere in `subject`. A match that exceeds the limit counts as no match.
    bool matches(std::string_view subject) const;
    const std::string& expression() const noexcept { return expression_; }

private:
    Pattern() = default;
    std::string expression_;
    std::shared_ptr<const void> code_;  ///< pcre2_code
};

}  // namespace smtpd
