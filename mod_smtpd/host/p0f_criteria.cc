/// p0f_criteria.cc: parses and evaluates criteria for operating systems.
#include <smtpd/server/p0f_criteria.h>

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/options.h>

#include <algorithm>

namespace smtpd {
namespace {

/// Removes and returns the text before the next comma.
std::string next_part(std::string_view& text) {
    const auto end = std::min(text.find(','), text.size());
    const std::string part(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

}  // namespace

Result<P0fCriteria> P0fCriteria::parse(std::string_view text) {
    P0fCriteria criteria;
    while (!text.empty()) {
        const std::string name = next_part(text), value = next_part(text);
        auto pattern = Pattern::compile(value, Pattern::Case::folded);
        const bool is_pattern = !value.empty() && pattern;
        unsigned number = 0;
        const bool is_number = OptionType<unsigned>::read(value, number).empty();
        if (is_pattern && name == "genre") criteria.genres_.push_back(std::move(*pattern));
        else if (is_pattern && name == "link") criteria.links_.push_back(std::move(*pattern));
        else if (is_number && name == "distance") criteria.distances_.push_back(number);
        else if (is_number && name == "uptime") criteria.uptimes_.push_back(number);
        else
            return Error{
                ErrorCode::config,
                format_text("\"{}\" must be genre or link and a regular expression, or distance or uptime and a number",
                            support::escape_for_log(name + "," + value, 200))};
    }
    return criteria;
}

bool P0fCriteria::match(const notes::P0f& seen) const {
    const auto any = [](const auto& list, auto test) { return std::any_of(list.begin(), list.end(), test); };
    return any(genres_, [&](const Pattern& genre) { return genre.matches(seen.genre); }) ||
           any(links_, [&](const Pattern& link) { return link.matches(seen.link); }) ||
           any(distances_, [&](unsigned hops) { return seen.distance && *seen.distance > hops; }) ||
           any(uptimes_, [&](unsigned time) { return seen.uptime && *seen.uptime < std::chrono::minutes(time); });
}

}  // namespace smtpd
