/// edit_distance.h: finds what somebody meant who mistyped a name.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::support {

/// How many characters have to be inserted, removed, replaced or swapped with their neighbour to turn one name into the
/// other. ASCII case does not count.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that is nearest to `name`, if one is near enough to be meant (a third of its length, at least 1); the
/// first of equals.
std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// ` (did you mean "zones"?)`, or "" where nothing is near: to be put behind a message about an unknown name.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace smtpd::support
