/// edit_distance.cc: optimal string alignment over three rows of the usual matrix.
#include "support/edit_distance.h"

#include "support/strings.h"

#include <algorithm>
#include <numeric>

namespace smtpd::support {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char x = to_lower(a[i - 1]), y = to_lower(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)});
            if (i > 1 && j > 1 && x == to_lower(b[j - 2]) && y == to_lower(a[i - 2]))
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
    }
    return row[b.size()];
}

std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
    const std::string* best = nullptr;
    std::size_t best_distance = 0;
    for (const auto& candidate : candidates) {
        const std::size_t allowed = std::max<std::size_t>(1, candidate.size() / 3);
        const std::size_t difference = candidate.size() > name.size() ? candidate.size() - name.size()
                                                                      : name.size() - candidate.size();
        if (difference > allowed) continue;
        const std::size_t distance = edit_distance(name, candidate);
        if (distance > allowed || (best && distance >= best_distance)) continue;
        best = &candidate;
        best_distance = distance;
    }
    return best ? std::optional(*best) : std::nullopt;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
    const auto nearest = nearest_name(name, candidates);
    return nearest ? " (did you mean \"" + *nearest + "\"?)" : std::string();
}

}  // namespace smtpd::support
