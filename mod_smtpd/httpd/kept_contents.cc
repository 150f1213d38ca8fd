#include "httpd/kept_contents.h"

#include <cstdlib>
#include <cstring>

namespace smtpd::httpd {
namespace {

constexpr const char* pool_key = "smtpd contents of control files";

/// Lines of `file NUL number NUL text NUL blanks NUL`; `blanks` is empty if the line did not end in blanks.
struct KeptText {
    KeptText* next;
    const char* name;
    char* octets;
    std::size_t size;
};

KeptText* first_kept(apr_pool_t* pool) {
    void* first = nullptr;
    apr_pool_userdata_get(&first, pool_key, pool);
    return static_cast<KeptText*>(first);
}

KeptText* find_kept(apr_pool_t* pool, const std::string& name) {
    for (KeptText* kept = first_kept(pool); kept != nullptr; kept = kept->next)
        if (name == kept->name) return kept;
    return nullptr;
}

std::string encode(const ControlText& text) {
    std::string out;
    for (const auto& line : text)
        for (const auto& part :
             {line.file, std::to_string(line.number), line.text, std::string(line.had_final_blanks ? "blanks" : "")})
            out.append(part).push_back('\0');
    return out;
}

ControlText decode(const char* octets, std::size_t size) {
    ControlText out;
    const auto next_part = [&octets] {
        const char* const part = octets;
        octets += std::strlen(octets) + 1;
        return part;
    };
    const char* const end = octets + size;
    while (octets != end) {
        ControlLine line;
        line.file = next_part();
        line.number = static_cast<unsigned>(std::strtoul(next_part(), nullptr, 10));
        line.text = next_part();
        line.had_final_blanks = *next_part() != '\0';
        out.push_back(std::move(line));
    }
    return out;
}

}  // namespace

const ControlText* ProcessKeptContents::find(const std::string& name) const {
    if (const auto known = read_.find(name); known != read_.end()) return &known->second;
    const KeptText* const kept = find_kept(pool_, name);
    return kept == nullptr ? nullptr : &read_.emplace(name, decode(kept->octets, kept->size)).first->second;
}

void ProcessKeptContents::keep(const std::string& name, const ControlText& text) {
    const std::string octets = encode(text);
    KeptText* kept = find_kept(pool_, name);
    if (kept != nullptr && octets == std::string_view(kept->octets, kept->size)) return;
    auto* const copy = static_cast<char*>(std::malloc(octets.size() + 1));
    if (copy == nullptr) return;  // the next restart then starts with the file's content
    std::memcpy(copy, octets.data(), octets.size());
    if (kept == nullptr) {
        kept = static_cast<KeptText*>(apr_palloc(pool_, sizeof(KeptText)));
        *kept = {first_kept(pool_), apr_pstrdup(pool_, name.c_str()), nullptr, 0};
        apr_pool_userdata_set(kept, pool_key, nullptr, pool_);
    }
    std::free(kept->octets);
    kept->octets = copy;
    kept->size = octets.size();
    read_.erase(name);
}

}  // namespace smtpd::httpd
