/// p0f_criteria.h: what an administrator says about systems: "genre,windows,distance,3". A system fits that meets one
/// of the criteria.
#pragma once

#include <smtpd/base/pattern.h>
#include <smtpd/base/result.h>
#include <smtpd/known_notes.h>

#include <string_view>
#include <vector>

namespace smtpd {

class SMTPD_API P0fCriteria {
public:
    /// Pairs of a criterion and its value, with commas between them. `genre` and `link` have regular expressions, case
    /// being ignored; `distance` is met by more hops than that, `uptime` by fewer minutes. The Error names the first
    /// pair that is none.
    static Result<P0fCriteria> parse(std::string_view text);

    bool empty() const noexcept { return genres_.empty() && links_.empty() && distances_.empty() && uptimes_.empty(); }
    /// Whether one of the criteria is met; what p0f does not know meets none.
    bool match(const notes::P0f& seen) const;

private:
    std::vector<Pattern> genres_, links_;
    std::vector<unsigned> distances_, uptimes_;
};

}  // namespace smtpd
