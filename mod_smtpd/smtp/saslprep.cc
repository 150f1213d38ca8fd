#include "smtp/saslprep.h"

#include "smtp/octets.h"
#include "smtp/utf8.h"

#include <smtpd/auth/credentials.h>

#ifdef HAVE_STRINGPREP
#include <stringprep.h>
#endif

#include <algorithm>

namespace smtpd::smtp {
namespace {

bool has_control(std::string_view utf8) {
    for (; !utf8.empty(); utf8.remove_prefix(first_code_point(utf8).length)) {
        const char32_t value = first_code_point(utf8).value;
        if (value < 0x20 || (value >= 0x7f && value < 0xa0)) return true;
    }
    return false;
}

}  // namespace

std::optional<std::string> saslprep(std::string_view text) {
    if (!is_valid_utf8(text) || has_control(text)) return std::nullopt;
#ifdef HAVE_STRINGPREP
    if (std::all_of(text.begin(), text.end(), is_ascii)) return std::string(text);
    // The longest expansion of one code point: U+FDFA, eighteen.
    const std::size_t room = text.size() * 18 + 1;
    std::string out;
    out.reserve(room);  // at once, because growing would leave the password in freed memory
    out = text;
    out.resize(room);
    if (stringprep(out.data(), out.size(), static_cast<Stringprep_profile_flags>(0), stringprep_saslprep) !=
        STRINGPREP_OK) {
        wipe(out);
        return std::nullopt;
    }
    out.resize(out.find('\0'));
    return out;
#else
    return std::string(text);
#endif
}

std::string prepared_password(std::string_view password) {
    auto prepared = saslprep(password);
    return prepared ? std::move(*prepared) : std::string(password);
}

}  // namespace smtpd::smtp
