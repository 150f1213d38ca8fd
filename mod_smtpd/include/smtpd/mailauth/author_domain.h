/// author_domain.h: whose message it is: the one domain that the From field names (RFC 5322 3.6.2; RFC 9989 4.1).
#pragma once

#include <smtpd/base/api.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// A longer From field is not read.
inline constexpr std::size_t max_from_size = 65536;
/// So many domains of one message are remembered.
inline constexpr std::size_t max_author_domains = 10;

struct AuthorDomain {
    enum class Problem {
        none,
        no_field,         ///< there is no From field
        several_fields,   ///< there are two or more
        no_domain,        ///< no mailbox, or none with a domain
        several_domains,  ///< mailboxes with different domains
        syntax            ///< not what RFC 5322 and its obsolete forms allow, so that readers may differ about it
    };
    Problem problem = Problem::no_field;
    /// As ascii_domain() has it; "" if there is a problem.
    std::string domain;
    /// All that were found, each once, in order, at most max_author_domains.
    std::vector<std::string> domains;

    bool found() const noexcept { return problem == Problem::none; }
    /// The message names several authors in different domains, perhaps in several fields.
    bool is_ambiguous() const noexcept {
        return problem == Problem::several_fields || problem == Problem::several_domains;
    }
    /// "" or a sentence fragment: "the message has 2 From fields". ASCII.
    SMTPD_API std::string reason() const;

    std::size_t fields = 0;  ///< how many From fields there are
};

/// The author's domain, given the values of all From fields. A value may be folded. Mailboxes, groups (RFC 6854),
/// comments, quoted strings, routes and the other obsolete forms of RFC 5322 4 are understood, and UTF-8 (RFC 6532).
/// Two mailboxes of one domain are one author's. A display name that holds an unquoted "@" or any other syntax that
/// programs read differently is a problem, never a guess. A list element that is only a display name is passed over:
/// "Example, Inc. <a@example.com>" is common, and no program reads another domain in it. Linear in the size of the
/// values, without recursion. Pure.
SMTPD_API AuthorDomain author_domain(const std::vector<std::string>& from_fields);

}  // namespace smtpd::mailauth
