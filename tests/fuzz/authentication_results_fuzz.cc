/// authentication_results_fuzz.cc: fields Authentication-Results of others.
///
/// Holds: what parses has an id and complete results, claims to be of its own id, and is the same with a comment before
/// it; what does not parse says why and where; whoever finds our id in a field that cannot be parsed counts it as
/// forged.
#include <smtpd/base/domain.h>
#include <smtpd/mailauth/authentication_results_field.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace smtpd;
using Field = mailauth::AuthenticationResultsField;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

/// Longer names are cut where they are written.
bool is_short(const AuthenticationResult& result) {
    constexpr std::size_t longest = 64;
    return result.method.size() <= longest && result.result.size() <= longest &&
           std::all_of(result.properties.begin(), result.properties.end(), [](const AuthenticationProperty& property) {
               return property.type.size() <= longest && property.name.size() <= longest;
           });
}

void check(const Field& field, const std::string& value) {
    for (const auto& result : field.results) {
        require(!result.method.empty() && !result.result.empty(), "results are complete");
        for (const auto& property : result.properties)
            require(!property.type.empty() && !property.name.empty(), "properties have their names");
        if (!is_short(result)) continue;
        const auto again = Field::parse("id; " + result.to_string());
        require(again && again->results.size() == 1 && again->results[0].method == result.method,
                "what is written can be read");
    }
    if (!field.authserv_id.empty() && is_same_domain(field.authserv_id, field.authserv_id))
        require(mailauth::claims_authserv_id(value, field.authserv_id), "a field claims its own id");
    const auto again = Field::parse("(\\) ( ; )) " + value);
    require(again && again->authserv_id == field.authserv_id && again->results == field.results,
            "comments before the id change nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 65536) return 0;
    const std::string value(reinterpret_cast<const char*>(data), size);
    std::string why;
    const auto field = Field::parse(value, &why);
    if (field) check(*field, value);
    else require(why.starts_with("octet ") && why.find(": ") != why.npos, "what does not parse says why");
    const bool is_claimed = mailauth::claims_authserv_id(value, "mx.example");
    require(is_claimed || field || value.find("mx.example") == value.npos, "our id in a broken field counts");
    return 0;
}
