/// key_record.cc: see key_record.h.
#include "mailauth/key_record.h"

#include "mailauth/tag_list.h"

namespace smtpd::mailauth {
namespace {

KeyRecord with_problem(KeyRecord record, std::string problem) {
    record.problem = std::move(problem);
    return record;
}

}  // namespace

KeyRecord KeyRecord::parse(std::string_view text) {
    KeyRecord record;
    const TagList tags(text);
    if (!tags.problem().empty()) return with_problem(std::move(record), "key record: " + tags.problem());
    if (const Tag* const version = tags.find("v");
        version && (version != &tags.tags().front() || version->value != "DKIM1"))
        return with_problem(std::move(record),
                            version->value == "DKIM1" ? "key v= is not the first tag" : "key v= is not DKIM1");
    if (const auto flags = tags.value("t")) {
        record.is_testing = colon_list_has(*flags, "y");
        record.is_strict = colon_list_has(*flags, "s");
    }
    if (const auto hashes = tags.value("h")) record.takes_sha256 = colon_list_has(*hashes, "sha256");
    if (const auto services = tags.value("s"))
        record.is_for_mail = colon_list_has(*services, "*") || colon_list_has(*services, "email");
    const std::string_view type = tags.value("k").value_or("rsa");
    if (type != "rsa" && type != "ed25519") return with_problem(std::move(record), "key k= is not known");
    const auto data = tags.value("p");
    if (!data) return with_problem(std::move(record), "key without p=");
    if (data->empty()) return with_problem(std::move(record), "key revoked");
    const auto octets = tag_octets(*data);
    if (!octets) return with_problem(std::move(record), "key p= is not base64");
    auto key = PublicKey::parse(type == "rsa" ? KeyType::rsa : KeyType::ed25519, *octets);
    if (!key) return with_problem(std::move(record), key.error().what);
    record.key = std::move(*key);
    return record;
}

}  // namespace smtpd::mailauth
