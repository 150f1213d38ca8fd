/// p0f_criteria.h: an administrator's criteria for operating systems: "genre,windows,distance,3". A system matches if
/// it meets at least one of them.
#pragma once

#include <smtpd/base/pattern.h>
#include <smtpd/base/result.h>
#include <smtpd/known_notes.h>

#include <string_view>
#include <vector>

namespace smtpd {

class SMTPD_API P0fCriteria {
public:
    /// Parses criterion,value pairs separated by commas. The values of `genre` and `link` are regular expressions,
    /// matched case-insensitively; `distance` is met by more hops than its value, `uptime` by fewer minutes. The Error
    /// names the first invalid pair.
    static Result<P0fCriteria> parse(std::string_view text);

    bool empty() const noexcept { return genres_.empty() && links_.empty() && distances_.empty() && uptimes_.empty(); }
    /// Whether at least one criterion is met. A value that p0f does not know meets none.
    bool match(const notes::P0f& seen) const;

private:
    std::vector<Pattern> genres_, links_;
    std::vector<unsigned> distances_, uptimes_;
};

}  // namespace smtpd
