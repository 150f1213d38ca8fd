#include "dry_run/json.h"

#include "smtp/utf8.h"

#include <cstdio>

namespace smtpd::dry_run {

void JsonWriter::seconds(std::string_view key, std::int64_t microseconds) {
    char text[48];
    std::snprintf(text, sizeof text, "%lld.%06lld", static_cast<long long>(microseconds / 1'000'000),
                  static_cast<long long>(microseconds % 1'000'000));
    name(key);
    raw(text);
}

void JsonWriter::quote(std::string_view value) {
    out_ += '"';
    while (!value.empty()) {
        const char c = value.front();
        const auto point = smtp::first_code_point(value);
        if (point.length == 0) {
            out_ += "\\ufffd";
        } else if (c == '"' || c == '\\') {
            out_.append("\\").append(1, c);
        } else if (point.value < 0x20 || point.value == 0x7f) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(point.value));
            out_ += escaped;
        } else {
            out_ += value.substr(0, point.length);
        }
        value.remove_prefix(point.length == 0 ? 1 : point.length);
    }
    out_ += '"';
}

}  // namespace smtpd::dry_run
