/// parameters.h: the ESMTP parameters of a MAIL or RCPT command (RFC 5321 4.1.2), in the order in which they came.
#pragma once

#include <smtpd/base/api.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

struct Parameter {
    std::string keyword;               ///< upper case
    std::optional<std::string> value;  ///< as written; nothing if the parameter has no '='
};

class SMTPD_API Parameters {
public:
    void add(std::string_view keyword, std::optional<std::string> value);
    /// The parameter with that keyword (in any case), or null.
    const Parameter* find(std::string_view keyword) const noexcept;
    bool has(std::string_view keyword) const noexcept { return find(keyword) != nullptr; }
    bool empty() const noexcept { return items_.empty(); }
    std::size_t size() const noexcept { return items_.size(); }
    auto begin() const noexcept { return items_.begin(); }
    auto end() const noexcept { return items_.end(); }

private:
    std::vector<Parameter> items_;
};

}  // namespace smtpd
