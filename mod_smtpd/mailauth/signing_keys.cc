/// signing_keys.cc: see signing_keys.h.
#include <smtpd/mailauth/signing_keys.h>

#include "mailauth/signature.h"
#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <sys/stat.h>

namespace smtpd::mailauth {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_key_file_size = 64 * 1024;
constexpr std::size_t max_table_size = 16 * 1024 * 1024;

/// The lines that are not empty, split into words, without comments, each with its number.
std::vector<std::pair<unsigned, std::vector<std::string_view>>> table_rows(std::string_view text) {
    std::vector<std::pair<unsigned, std::vector<std::string_view>>> rows;
    unsigned number = 0;
    for (std::string_view line : support::split(text, '\n')) {
        ++number;
        line = line.substr(0, line.find('#'));
        auto words = support::split_words(line);
        if (!words.empty()) rows.emplace_back(number, std::move(words));
    }
    return rows;
}

/// Why the permissions of a private file are too open; "" if they are not.
std::string mode_problem(const std::string& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0 || (about.st_mode & S_IRWXO) == 0) return {};
    return format_text("{} is a private key, and every user of this machine can {} it; say: chmod o-rwx {}", path,
                       (about.st_mode & S_IWOTH) != 0 ? "change" : "read", path);
}

bool is_selector(const std::string& selector) {
    return !selector.empty() && support::is_ascii(selector) && is_key_name(key_name_of(selector, "example.org"));
}

/// Whether `text` matches the pattern, in which each `*` matches any text.
bool matches(std::string_view pattern, std::string_view text) noexcept {
    std::size_t at = 0, in = 0, star = pattern.npos, resume = 0;
    while (in < text.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            resume = in;
        } else if (at < pattern.size() && pattern[at] == text[in]) {
            ++at;
            ++in;
        } else if (star != pattern.npos) {
            at = star + 1;
            in = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == pattern.npos;
}

/// The name of the folder that a symbolic link points to, or the name of `folder` if it is not a link.
std::string name_behind(const fs::path& folder) {
    std::error_code problem;
    fs::path target = fs::read_symlink(folder, problem);
    if (problem) return folder.filename().string();
    if (target.filename().empty()) target = target.parent_path();
    return target.filename().string();
}

Result<PrivateKey> read_key(const std::string& path) {
    auto pem = read_file(path, max_key_file_size);
    if (!pem) return pem.error();
    auto key = PrivateKey::parse(*pem);
    std::fill(pem->begin(), pem->end(), '\0');
    if (!key) return Error{ErrorCode::config, format_text("{}: {}", path, key.error().what)};
    return key;
}

}  // namespace

SigningKeys::Problems SigningKeys::add_tree(const std::string& folder) {
    Problems problems;
    std::error_code problem;
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(folder, problem))
        if (entry.path().filename().string().front() != '.' && fs::is_directory(entry.path()))
            folders.push_back(entry.path());
    if (problem) problems.push_back({true, format_text("cannot look into {}: {}", folder, problem.message())});
    std::sort(folders.begin(), folders.end());
    for (const auto& domain : folders) add_domain(domain.string(), name_behind(domain), problems);
    return problems;
}

void SigningKeys::add_domain(const std::string& folder, const std::string& name, Problems& problems) {
    std::vector<SigningKey> keys;
    const std::string domain = ascii_domain(name);
    const std::size_t before = problems.size();
    add_key(folder, "-ed25519", domain, keys, problems);
    add_key(folder, "", domain, keys, problems);
    if (keys.empty() && problems.size() == before)
        problems.push_back(
            {false, format_text("{} has neither a file private nor private-ed25519, so nothing is signed for "
                                "it; make a key with: smtpd-dkim-keygen",
                                folder)});
    if (!keys.empty()) trees_[ascii_domain(fs::path(folder).filename().string())] = std::move(keys);
}

void SigningKeys::add_key(const std::string& folder, const std::string& suffix, const std::string& domain,
                          std::vector<SigningKey>& keys, Problems& problems) {
    const std::string path = format_text("{}/private{}", folder, suffix);
    const std::string selector_path = format_text("{}/selector{}", folder, suffix);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return;
    auto key = read_key(path);
    if (!key) return problems.push_back({true, key.error().what});
    if (key->is_rsa() != suffix.empty())
        return problems.push_back({true, format_text("{} has a key of {}; keys for ed25519-sha256 belong in "
                                                     "private-ed25519, keys for rsa-sha256 in private",
                                                     path, key->algorithm())});
    const auto text = read_file(selector_path, max_key_file_size);
    const std::string selector(text ? support::trim(std::string_view(*text).substr(0, text->find('\n'))) : "");
    if (!is_selector(selector))
        return problems.push_back(
            {true, text ? format_text("{}: \"{}\" is no selector", selector_path, selector)
                        : format_text("{}; it must have the selector of {}", text.error().what, path)});
    if (auto why = mode_problem(path); !why.empty()) problems.push_back({false, std::move(why), true});
    files_.push_back(path);
    ++count_;
    keys.push_back({domain, selector, std::move(*key)});
}

SigningKeys::Problems SigningKeys::add_tables(const std::string& key_table, const std::string& signing_table,
                                              bool has_wildcards) {
    Problems problems;
    has_wildcards_ = has_wildcards;
    const auto keys_text = read_file(key_table, max_table_size);
    const auto patterns_text = read_file(signing_table, max_table_size);
    if (!keys_text) problems.push_back({true, keys_text.error().what});
    if (!patterns_text) problems.push_back({true, patterns_text.error().what});
    if (!problems.empty()) return problems;
    std::map<std::string, SigningKey, std::less<>> keys;
    for (const auto& [number, words] : table_rows(*keys_text)) {
        const auto parts = support::split(words.size() > 1 ? words[1] : "", ':');
        const std::string where = format_text("{}:{}", key_table, number);
        if (words.size() != 2 || parts.size() != 3 || !parts[2].starts_with('/') ||
            !is_selector(std::string(parts[1]))) {
            problems.push_back({true, where + ": a line must be: name domain:selector:/path/of/the/key"});
            continue;
        }
        const std::string path(parts[2]);
        auto key = read_key(path);
        if (!key) {
            problems.push_back({true, format_text("{}: {}", where, key.error().what)});
            continue;
        }
        if (auto why = mode_problem(path); !why.empty()) problems.push_back({false, std::move(why), true});
        files_.push_back(path);
        ++count_;
        keys.emplace(words[0], SigningKey{ascii_domain(parts[0]), std::string(parts[1]), std::move(*key)});
    }
    for (const auto& [number, words] : table_rows(*patterns_text)) {
        const auto key = words.size() == 2 ? keys.find(words[1]) : keys.end();
        if (key == keys.end()) {
            const std::string where = format_text("{}:{}", signing_table, number);
            if (words.size() != 2) problems.push_back({true, where + ": a line must be: pattern name"});
            else if (problems.empty())
                problems.push_back({true, format_text("{}: {} has no key {}", where, key_table, words[1])});
            continue;
        }
        const std::string text = support::folded(words[0]);
        auto pattern = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](const Pattern& known) { return known.text == text; });
        if (pattern == patterns_.end()) pattern = patterns_.insert(patterns_.end(), {text, {}});
        pattern->keys.push_back(key->second);
    }
    return problems;
}

const SigningKeys::Pattern* SigningKeys::find_exact(const std::string& text) const {
    const auto found = std::find_if(patterns_.begin(), patterns_.end(),
                                    [&](const Pattern& one) { return one.text == text; });
    return found == patterns_.end() ? nullptr : &*found;
}

/// Tries the patterns in the order of opendkim.conf(5).
const SigningKeys::Pattern* SigningKeys::find_pattern(std::string_view local_part, std::string_view domain) const {
    const std::string user = support::folded(local_part) + "@";
    const std::string host(domain);
    if (has_wildcards_) {
        const auto found = std::find_if(patterns_.begin(), patterns_.end(),
                                        [&](const Pattern& one) { return matches(one.text, user + host); });
        return found == patterns_.end() ? nullptr : &*found;
    }
    std::vector<std::string> wanted{user + host, host};
    for (const std::string& prefix : {user, std::string()})
        for (auto dot = host.find('.'); dot != host.npos; dot = host.find('.', dot + 1))
            wanted.push_back(prefix + host.substr(dot));
    wanted.insert(wanted.end(), {user + "*", "*"});
    for (const auto& text : wanted)
        if (const Pattern* const found = find_exact(text)) return found;
    return nullptr;
}

std::vector<SigningKey> SigningKeys::find(std::string_view local_part, std::string_view wanted) const {
    const std::string domain = ascii_domain(wanted);
    if (const Pattern* const pattern = patterns_.empty() ? nullptr : find_pattern(local_part, domain)) {
        std::vector<SigningKey> keys = pattern->keys;
        for (auto& key : keys)
            if (key.domain == "%") key.domain = domain;
        return keys;
    }
    for (std::string_view name = domain; !name.empty();) {
        if (const auto found = trees_.find(name); found != trees_.end()) return found->second;
        const auto dot = name.find('.');
        name = dot == name.npos ? std::string_view() : name.substr(dot + 1);
    }
    return {};
}

}  // namespace smtpd::mailauth
