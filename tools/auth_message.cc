/// auth_message.cc: see auth_message.h.
#include "tools/auth_message.h"

#include "support/strings.h"

#include <smtpd/base/format.h>

namespace smtpd::tools {

std::string read_message() {
    std::string message = AuthCall::read_input();
    if (message.find("\r\n") != std::string::npos) return message;
    std::string out;
    out.reserve(message.size() + message.size() / 16);
    for (const char c : message) {
        if (c == '\n') out += '\r';
        out += c;
    }
    return out;
}

std::unique_ptr<mailauth::MessageReader> read_message(const std::string& message) {
    auto reader = std::make_unique<mailauth::MessageReader>();
    reader->chunk(message);
    reader->end();
    return reader;
}

mailauth::BodyHasher hashed_body(std::string_view message, mailauth::Canonicalization form,
                                 std::optional<std::uint64_t> limit) {
    mailauth::BodyHasher body(form, limit);
    const auto end = message.starts_with("\r\n") ? 0 : message.find("\r\n\r\n");
    if (message.starts_with("\r\n")) body.update(message.substr(2));
    else if (end != message.npos) body.update(message.substr(end + 4));
    body.finish();
    return body;
}

mailauth::PrivateKey read_key(const std::string& file) {
    auto key = mailauth::PrivateKey::parse(read_whole_file(file));
    if (!key) throw AuthError(format_text("{}: {}", file, key.error().what), data_error);
    return *key;
}

std::vector<std::string> names_of(const std::string& list) {
    std::vector<std::string> names;
    if (list.empty()) return names;
    for (const auto name : support::split(list, ':')) names.emplace_back(support::trim(name));
    return names;
}

}  // namespace smtpd::tools
