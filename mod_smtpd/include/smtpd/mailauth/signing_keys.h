/// signing_keys.h: the site's keys for DKIM and ARC, and the domains and addresses for which each key signs. They come
/// from qpsmtpd's tree of folders, or from OpenDKIM's tables. The server reads them at startup, before httpd changes
/// its user.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/mailauth/private_key.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// A key, with the domain and selector for its signatures.
struct SigningKey {
    std::string domain;  ///< d=, as A-labels
    std::string selector;
    PrivateKey key;
};

/// Fill it once; after that it is immutable, and several threads may read it.
class SMTPD_API SigningKeys {
public:
    /// A message for the administrator. If `is_error`, signatures would be missing.
    struct Problem {
        bool is_error = true;
        std::string text;
        bool is_exposed = false;  ///< other users can read or change the key
    };
    using Problems = std::vector<Problem>;

    /// Reads a folder that has a subfolder for each domain. In a subfolder, `private` is an RSA key in PEM and
    /// `selector` its selector; `private-ed25519` and `selector-ed25519` are the same for Ed25519. If a domain's
    /// subfolder is a symbolic link, d= of its signatures is the name of the folder that the link points to.
    Problems add_tree(const std::string& folder);
    /// Reads OpenDKIM's KeyTable (`name domain:selector:/path/of/key`; the domain `%` means the author's) and
    /// SigningTable (`pattern name`). Patterns are those of OpenDKIM. With `has_wildcards` (`refile:`), they are
    /// addresses in which `*` matches any text.
    Problems add_tables(const std::string& key_table, const std::string& signing_table, bool has_wildcards);

    /// The keys for mail of this author; none if it is not signed. From the tree: the keys of the domain, or of its
    /// nearest parent domain that has keys. From the tables: the keys of the first pattern that matches.
    std::vector<SigningKey> find(std::string_view local_part, std::string_view domain) const;
    bool empty() const noexcept { return trees_.empty() && patterns_.empty(); }
    /// How many keys were read.
    std::size_t size() const noexcept { return count_; }
    /// The files from which the keys were read.
    const std::vector<std::string>& files() const noexcept { return files_; }

private:
    struct Pattern {
        std::string text;  ///< in lower case
        std::vector<SigningKey> keys;
    };
    void add_domain(const std::string& folder, const std::string& name, Problems& problems);
    void add_key(const std::string& folder, const std::string& suffix, const std::string& domain,
                 std::vector<SigningKey>& keys, Problems& problems);
    const Pattern* find_pattern(std::string_view local_part, std::string_view domain) const;
    const Pattern* find_exact(const std::string& text) const;

    std::map<std::string, std::vector<SigningKey>, std::less<>> trees_;  ///< by domain
    std::vector<Pattern> patterns_;
    bool has_wildcards_ = false;
    std::size_t count_ = 0;
    std::vector<std::string> files_;
};

}  // namespace smtpd::mailauth
