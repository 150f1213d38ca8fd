/// edit_distance.h: suggests the intended name for a mistyped one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::support {

/// How many characters must be inserted, removed, replaced or swapped with their neighbour to turn one name into the
/// other. Ignores ASCII case.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that is nearest to `name`, if one is near enough to be intended (a third of its length, at least 1);
/// the first one if several are equally near.
std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// ` (did you mean "zones"?)`, or "" if no name is near: to be appended to a message about an unknown name.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace smtpd::support
