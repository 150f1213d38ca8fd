/// pattern.cc: smtpd::Pattern on PCRE2.
///
/// The expression comes from an administrator, the subject from a client; the limits below bound a pattern with
/// catastrophic backtracking to a few milliseconds for each match. Subjects are bytes: `.` matches one byte of a UTF-8
/// character unless the expression says (*UTF).
#include <smtpd/base/pattern.h>

#include <smtpd/base/format.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>

namespace smtpd {
namespace {

constexpr std::uint32_t match_limit = 100'000;
constexpr std::uint32_t depth_limit = 1'000;
constexpr std::uint32_t heap_limit_kib = 4'096;
constexpr std::size_t max_expression_size = 16 * 1024;

struct Compiled {
    pcre2_code* code = nullptr;
    pcre2_match_context* context = nullptr;

    Compiled() = default;
    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;
    ~Compiled() {
        pcre2_match_context_free(context);
        pcre2_code_free(code);
    }
};

std::string pcre_message(int status) {
    PCRE2_UCHAR text[256];
    const int size = pcre2_get_error_message(status, text, sizeof text);
    return size > 0 ? std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size))
                    : format_text("PCRE2 error {}", status);
}

PCRE2_SPTR as_pcre(std::string_view text) noexcept {
    return reinterpret_cast<PCRE2_SPTR>(text.data() ? text.data() : "");
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view expression, Case letter_case) {
    if (expression.size() > max_expression_size)
        return Error{ErrorCode::config,
                     format_text("a regular expression has at most {} characters", max_expression_size), 0};
    auto compiled = std::make_shared<Compiled>();
    int status = 0;
    PCRE2_SIZE offset = 0;
    const std::uint32_t options = letter_case == Case::folded ? PCRE2_CASELESS : 0;
    compiled->code = pcre2_compile(as_pcre(expression), expression.size(), options, &status, &offset, nullptr);
    if (!compiled->code)
        return Error{
            ErrorCode::config,
            format_text("regular expression {}: {} at character {}", expression, pcre_message(status), offset + 1), 0};
    compiled->context = pcre2_match_context_create(nullptr);
    if (!compiled->context) throw std::bad_alloc();
    pcre2_set_match_limit(compiled->context, match_limit);
    pcre2_set_depth_limit(compiled->context, depth_limit);
    pcre2_set_heap_limit(compiled->context, heap_limit_kib);

    Pattern pattern;
    pattern.expression_ = expression;
    pattern.code_ = std::move(compiled);
    return pattern;
}

bool Pattern::matches(std::string_view subject) const {
    const auto& compiled = *static_cast<const Compiled*>(code_.get());
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> result(
        pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
    if (!result) throw std::bad_alloc();
    return pcre2_match(compiled.code, as_pcre(subject), subject.size(), 0, 0, result.get(), compiled.context) >= 0;
}

}  // namespace smtpd
