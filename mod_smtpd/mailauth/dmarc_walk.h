/// dmarc_walk.h: asks the DNS about domains for DMARC: records, organizational domains, existence.
#pragma once

#include <smtpd/mailauth/dmarc.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::mailauth {

/// Asks the DNS and counts the questions.
class DmarcQuestions {
public:
    explicit DmarcQuestions(Lookups& lookups) : lookups_(lookups) {}

    /// The TXT records of _dmarc.<domain>.
    const DnsAnswer& record_of(std::string_view domain) { return ask(DnsType::txt, "_dmarc." + std::string(domain)); }
    const DnsAnswer& ask(DnsType type, const std::string& name) {
        asked_.emplace(type, name);
        return lookups_.dns(type, name);
    }
    std::size_t count() const noexcept { return asked_.size(); }

private:
    Lookups& lookups_;
    std::set<std::pair<DnsType, std::string>> asked_;
};

/// The DMARC record of one name.
struct DmarcRecordFound {
    enum class State { pending, failed, absent, found, several };
    State state = State::absent;
    std::optional<DmarcRecord> record{};
    std::string error{};  ///< why the question failed

    static DmarcRecordFound of(const DnsAnswer& answer, DmarcRfc rfc);
};

/// The tree walk from one name (RFC 9989 4.10). A name with several records counts as a name without one.
struct DmarcWalk {
    struct Found {
        std::string_view domain;
        DmarcRecord record;
    };

    bool is_pending = false;   ///< an answer that may matter is missing
    std::string trouble;       ///< a question that may matter failed, so the organizational domain is unknown
    std::vector<Found> found;  ///< longest domain first, up to the record that ends the walk
    std::string_view organizational_domain;  ///< a part of the name; "" if an answer is missing or failed

    bool is_known() const noexcept { return !is_pending && trouble.empty(); }
    const Found* at(std::string_view domain) const noexcept;
    /// The record with psd=y that ended the walk; null if there is none.
    const Found* public_suffix() const noexcept;
};

/// The names that a walk asks for, in order; parts of `start`.
std::vector<std::string_view> walk_names(std::string_view start);
/// `start` is in the form of ascii_domain(), and must outlive the walk.
DmarcWalk walk_tree(std::string_view start, DmarcQuestions& questions);

/// Whether `domain` is `parent`, or below it. Both are in the form of ascii_domain().
bool is_within(std::string_view domain, std::string_view parent) noexcept;

/// Whether a name exists: it has a record of any type, or a name below it exists (RFC 9989 3.2.13, RFC 8020).
enum class Existence { pending, unknown, exists, does_not_exist };
Existence existence_of(const std::string& domain, DmarcQuestions& questions);

}  // namespace smtpd::mailauth
