/// header_block_fuzz.cc: any message, cut anywhere, with any edits. Unedited parts stay the same octet for octet, an
/// edit adds only its own field, and the parts of the message do not depend on the cuts. Fields that claim to be
/// results of this server are renamed; nothing else changes, and no such field remains.
///
/// Input: octets that say how the message is cut and edited, up to the first 0xff, then the message.
#include "engine/authentication_results.h"
#include "message/stored_message.h"
#include "support/strings.h"

#include <cstdlib>

namespace {

using smtpd::HeaderField;
using smtpd::Headers;
using smtpd::message::SpoolSettings;
using smtpd::message::StoredMessage;

void require(bool holds) {
    if (!holds) std::abort();
}

/// Returns the octets of the first part of the input, then zeros.
class Choices {
public:
    explicit Choices(std::string_view octets) : octets_(octets) {}
    bool empty() const { return octets_.empty(); }
    unsigned next() {
        if (octets_.empty()) return 0;
        const auto octet = static_cast<unsigned char>(octets_.front());
        octets_.remove_prefix(1);
        return octet;
    }

private:
    std::string_view octets_;
};

std::string written(const StoredMessage& message) {
    std::string out;
    require(static_cast<bool>(message.write_to([&](std::string_view bytes) -> smtpd::Result<void> {
        out += bytes;
        return {};
    })));
    return out;
}

void feed(StoredMessage& message, std::string_view text, unsigned step) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t count = step == 0 ? text.size() : std::min<std::size_t>(step, text.size() - at);
        require(static_cast<bool>(message.append(text.substr(at, count))));
        at += count;
    }
    require(static_cast<bool>(message.finish()));
}

std::vector<std::string> raw_fields(const Headers& headers) {
    std::vector<std::string> all;
    headers.for_each([&](const HeaderField& field) {
        require(field.value().find('\n') == std::string::npos);
        all.emplace_back(field.raw);
    });
    return all;
}

/// One edit, with a name and a value from the message itself; checks its effect on the other fields.
void edit(Headers& headers, Choices& choices, std::string_view text) {
    static constexpr std::string_view names[] = {"Received", "Subject", "X", "a", "From"};
    const std::string_view name = names[choices.next() % std::size(names)];
    const std::string_view value = text.substr(std::min<std::size_t>(text.size(), choices.next()), choices.next());
    const std::size_t before = raw_fields(headers).size(), same = headers.count(name);
    const std::string block = headers.to_string();
    const unsigned what = choices.next() % 6;
    if (what == 0) {
        require(headers.prepend(name, value));
        require(headers.to_string().ends_with(block));
        require(raw_fields(Headers(headers.to_string())).size() <= before + 1);
    } else if (what == 1) {
        require(headers.append(name, value));
        require(headers.to_string().starts_with(block));
        require(raw_fields(headers).size() == before + 1);
    } else if (what == 2) {
        require(headers.replace(name, value));
        require(headers.count(name) == 1);
        require(raw_fields(headers).size() == before - same + 1);
    } else if (what == 3) {
        require(headers.remove(name) == same);
        require(raw_fields(headers).size() == before - same);
    } else if (what == 4) {
        const std::size_t which = choices.next();
        require(headers.remove(name, which) == (which < same));
    } else {
        require(headers.rename(name, "Y") == same);
        require(raw_fields(headers).size() == before);
    }
}

/// The block must consist of the fields and the other lines, each unchanged in its place.
void check_fields(const Headers& headers) {
    std::size_t at = 0;
    const std::string block = headers.to_string();
    for (const auto& raw : raw_fields(headers)) {
        at = block.find(raw, at);
        require(at != std::string::npos);
        at += raw.size();
    }
}

/// Each field still exists, under its own name or the new one; a second run changes nothing.
void disown(Headers headers) {
    constexpr std::string_view own = "Authentication-Results", other = "Original-Authentication-Results";
    const std::size_t fields = raw_fields(headers).size(), named = headers.count(own) + headers.count(other);
    const auto values = headers.get_all(own);
    smtpd::engine::disown_forged_results(headers, "mx.example.com");
    require(raw_fields(headers).size() == fields && headers.count(own) + headers.count(other) == named);
    require(headers.count(own) == 0 || headers.get_all(own) == values);
    for (const auto& value : headers.get_all(own))
        require(!value.starts_with("mx.example.com;") && !value.starts_with("\"mx.example.com\";"));
    const std::string block = headers.to_string();
    smtpd::engine::disown_forged_results(headers, "mx.example.com");
    require(headers.to_string() == block);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t split = std::min(input.find('\xff'), size);
    Choices choices(input.substr(0, split));
    const std::string_view text = input.substr(std::min(size, split + 1));

    SpoolSettings settings;
    settings.max_header_size = 1 << 20;
    StoredMessage whole(settings), pieces(settings);
    feed(whole, text, 0);
    feed(pieces, text, 1 + choices.next() % 64);
    require(written(whole) == text && written(pieces) == text);
    require(whole.body_size() == pieces.body_size() && whole.headers().original() == pieces.headers().original());
    require(text.starts_with(whole.headers().original()));

    disown(Headers(whole.headers().original()));
    Headers& headers = whole.headers();
    while (!choices.empty()) edit(headers, choices, text);
    check_fields(headers);
    const std::string body(text.substr(text.size() - static_cast<std::size_t>(whole.body_size())));
    const std::string result = written(whole);
    require(result.starts_with(headers.to_string()) && result.ends_with(body));

    // What was written is the same message to the next reader, unless its header block was emptied or ends within a
    // line.
    if (headers.edited() && !headers.empty() && headers.to_string().ends_with('\n')) {
        StoredMessage again(settings);
        feed(again, result, 0);
        require(written(again) == result);
        if (!again.headers().original().empty()) require(again.body_size() == whole.body_size());
    }
    return 0;
}
