/// tag_list_fuzz.cc: any text as a tag list, as a key record and as base64: what is read is in the text, a list with a
/// problem has no tags, and octets come back as the same base64.
#include "mailauth/key_record.h"
#include "mailauth/tag_list.h"
#include "support/base64.h"

#include <cstdlib>
#include <string_view>

namespace {

using namespace smtpd::mailauth;

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_list(std::string_view text) {
    const TagList list(text);
    require(list.problem().empty() || list.tags().empty());
    require(list.tags().size() <= TagList::max_tags);
    for (const auto& tag : list.tags()) {
        require(list.find(tag.name) == &tag);  // no name occurs twice
        require(is_within(tag.name, text) && is_within(tag.value, text) && is_within(tag.raw_value, text));
        require(trim_fws(tag.raw_value) == tag.value && tag.raw_value.find(';') == std::string_view::npos);
    }
}

void check_octets(std::string_view text) {
    const auto octets = tag_octets(text);
    if (!octets) return;
    std::string plain = without_fws(text);
    while (plain.ends_with('=')) plain.pop_back();
    std::string again = smtpd::support::base64(*octets);
    while (again.ends_with('=')) again.pop_back();
    require(plain == again);
}

void check_key(std::string_view text) {
    const KeyRecord record = KeyRecord::parse(text);
    require(record.problem.empty() == record.key.has_value());
    if (record.key) static_cast<void>(record.key->verifies(Sha256{}, text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_list(text);
    check_octets(text);
    check_key(text);
    return 0;
}
