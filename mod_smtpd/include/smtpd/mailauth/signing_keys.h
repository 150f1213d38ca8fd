/// signing_keys.h: the site's keys for DKIM and ARC, and whose mail each signs: qpsmtpd's tree of folders, or the
/// tables of OpenDKIM. Read at the start, while the process may still read what the serving user may not.
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

/// A key, and what a signature with it says.
struct SigningKey {
    std::string domain;  ///< d=, as A-labels
    std::string selector;
    PrivateKey key;
};

/// Filled once, then immutable, and read by several threads.
class SMTPD_API SigningKeys {
public:
    /// Something that the administrator should know. An error: signatures would be missing.
    struct Problem {
        bool is_error = true;
        std::string text;
    };
    using Problems = std::vector<Problem>;

    /// Reads a folder with one folder for each domain. In such a folder, `private` is an RSA key in PEM and `selector`
    /// its selector; `private-ed25519` and `selector-ed25519` are the same for Ed25519. A symbolic link to another
    /// folder signs with the name of that folder as d=.
    Problems add_tree(const std::string& folder);
    /// Reads a KeyTable (`name domain:selector:/path/of/key`, a domain of `%` being the author's) and a SigningTable
    /// (`pattern name`) of OpenDKIM. Patterns are those of OpenDKIM, or with `has_wildcards` (`refile:`) addresses in
    /// which `*` stands for anything.
    Problems add_tables(const std::string& key_table, const std::string& signing_table, bool has_wildcards);

    /// The keys that sign the mail of that author; none if it is not signed. Of the tree: those of the domain, or else
    /// of the nearest domain above it that has keys. Of the tables: those of the first pattern that matches.
    std::vector<SigningKey> find(std::string_view local_part, std::string_view domain) const;
    bool empty() const noexcept { return trees_.empty() && patterns_.empty(); }
    /// How many keys were read.
    std::size_t size() const noexcept { return count_; }
    /// The files that the keys were read from.
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
