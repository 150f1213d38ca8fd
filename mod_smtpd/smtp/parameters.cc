/// parameters.cc: searches the list linearly, because a command has two or three parameters.
#include <smtpd/base/parameters.h>

#include "smtp/octets.h"

#include <algorithm>
#include <utility>

namespace smtpd {

void Parameters::add(std::string_view keyword, std::optional<std::string> value) {
    auto& added = items_.emplace_back(Parameter{std::string(keyword), std::move(value)});
    std::transform(added.keyword.begin(), added.keyword.end(), added.keyword.begin(), smtp::to_upper);
}

const Parameter* Parameters::find(std::string_view keyword) const noexcept {
    for (const auto& item : items_)
        if (smtp::equals_folded(item.keyword, keyword)) return &item;
    return nullptr;
}

}  // namespace smtpd
