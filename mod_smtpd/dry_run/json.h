/// json.h: writes JSON (RFC 8259). Octets that are not UTF-8 become U+FFFD.
#pragma once

#include <smtpd/base/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace smtpd::dry_run {

/// Values are written in sequence; commas are added automatically.
class JsonWriter {
public:
    template <class F>
    void object(F members) {
        nest('{', '}', members);
    }
    template <class F>
    void array(F elements) {
        nest('[', ']', elements);
    }
    template <class F>
    void object(std::string_view key, F members) {
        name(key), object(members);
    }
    template <class F>
    void array(std::string_view key, F elements) {
        name(key), array(elements);
    }

    void text(std::string_view value) {
        begin();
        quote(value);
    }
    void text(std::string_view key, std::string_view value) { name(key), text(value); }
    void number(std::string_view key, std::int64_t value) { name(key), raw(format_text("{}", value)); }
    /// With six decimal places.
    void seconds(std::string_view key, std::int64_t microseconds);
    void null(std::string_view key) { name(key), raw("null"); }
    void truth(std::string_view key, bool value) { name(key), raw(value ? "true" : "false"); }

    const std::string& str() const noexcept { return out_; }

private:
    template <class F>
    void nest(char open, char close, F body) {
        begin();
        out_ += open;
        is_first_ = true;
        body();
        out_ += close;
        is_first_ = false;
    }
    void begin() {
        if (!is_first_) out_ += ',';
        is_first_ = false;
    }
    void raw(std::string_view value) {
        begin();
        out_ += value;
    }
    void name(std::string_view key) {
        begin();
        quote(key);
        out_ += ':';
        is_first_ = true;
    }
    void quote(std::string_view value);

    std::string out_;
    bool is_first_ = true;
};

}  // namespace smtpd::dry_run
