/// author_domain.h: finds the author's domain of a message: the single domain in its From field (RFC 5322 3.6.2; RFC
/// 9989 4.1).
#pragma once

#include <smtpd/base/api.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// Octets. Longer From fields are not read.
inline constexpr std::size_t max_from_size = 65536;
/// The limit for AuthorDomain::domains.
inline constexpr std::size_t max_author_domains = 10;

struct AuthorDomain {
    enum class Problem {
        none,
        no_field,         ///< there is no From field
        several_fields,   ///< there are two or more
        no_domain,        ///< there is no mailbox, or no mailbox has a domain
        several_domains,  ///< mailboxes with different domains
        syntax            ///< RFC 5322 and its obsolete forms do not allow it, so programs may read it differently
    };
    Problem problem = Problem::no_field;
    /// The author's domain in the form of ascii_domain(); "" if there is a problem.
    std::string domain;
    /// All domains that were found, without duplicates and in order, at most max_author_domains.
    std::vector<std::string> domains;

    bool found() const noexcept { return problem == Problem::none; }
    /// The message has several From fields, or authors in different domains.
    bool is_ambiguous() const noexcept {
        return problem == Problem::several_fields || problem == Problem::several_domains;
    }
    /// Describes the problem as a sentence fragment: "the message has 2 From fields"; "" if there is none. ASCII.
    SMTPD_API std::string reason() const;

    std::size_t fields = 0;  ///< how many From fields there are
};

/// Finds the author's domain. `from_fields` are the values of all From fields, folded or not. Mailboxes, groups (RFC
/// 6854), comments, quoted strings, routes, the other obsolete forms of RFC 5322 4, and UTF-8 (RFC 6532) are
/// understood. Two mailboxes in one domain are not a problem. A display name with an unquoted "@", or any other syntax
/// that programs read differently, is a problem; the function never guesses. It skips list elements that are only a
/// display name: "Example, Inc. <a@example.com>" is common, and no program finds another domain in it. Linear in the
/// size of the values, without recursion. Pure.
SMTPD_API AuthorDomain author_domain(const std::vector<std::string>& from_fields);

}  // namespace smtpd::mailauth
