/// auth_json_zone.cc: reads the JSON with jansson.
#include "tools/auth_json_zone.h"

#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/log.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#ifdef HAVE_JANSSON
#include <jansson.h>
#endif

namespace smtpd::tools {
namespace {

Error wrong(std::string what) { return {ErrorCode::config, std::move(what), 0}; }

#ifdef HAVE_JANSSON

using Trouble = net::ZoneResolver::Trouble;

struct Free {
    void operator()(json_t* value) const noexcept { json_decref(value); }
};
using Document = std::unique_ptr<json_t, Free>;

std::optional<std::string> text_of(const json_t* value) {
    if (!json_is_string(value)) return std::nullopt;
    return std::string(json_string_value(value), json_string_length(value));
}

/// A string, or the joined strings of a list.
std::optional<std::string> joined(const json_t* value) {
    if (!json_is_array(value)) return text_of(value);
    std::string out;
    for (std::size_t i = 0; i < json_array_size(value); ++i) {
        const auto part = text_of(json_array_get(value, i));
        if (!part) return std::nullopt;
        out += *part;
    }
    return out;
}

/// JSON text consists of characters, DNS text of octets. In TXT data, each character up to U+00FF stands for one octet.
std::string octets_of(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const bool is_latin = (lead == 0xc2 || lead == 0xc3) && i + 1 < text.size();
        if (is_latin) out += static_cast<char>(((lead & 3U) << 6U) | (static_cast<unsigned char>(text[++i]) & 0x3fU));
        else out += text[i];
    }
    return out;
}

std::string host_of(const json_t* value) {
    const auto text = text_of(value);
    const auto question = text ? DnsQuestion::make(DnsType::a, *text) : std::nullopt;
    return question ? question->name : std::string();
}

std::optional<DnsType> type_of(std::string_view word) {
    for (const auto type :
         {DnsType::a, DnsType::ns, DnsType::cname, DnsType::ptr, DnsType::mx, DnsType::txt, DnsType::aaaa})
        if (ascii_equal(word, dns_type_name(type))) return type;
    return std::nullopt;
}

/// Reads the data of one record; false if they are not valid. A name that cannot be asked for makes no record.
bool read_data(DnsType type, const json_t* value, DnsRecords& records) {
    switch (type) {
        case DnsType::a:
        case DnsType::aaaa: {
            const auto text = text_of(value);
            const auto address = text ? IpAddress::parse(*text) : std::nullopt;
            if (!address) return false;
            if (address->is_v4() == (type == DnsType::a)) records.addresses.push_back(*address);
            return true;
        }
        case DnsType::mx: {
            const json_t* const preference = json_array_get(value, 0);
            const auto host = text_of(json_array_get(value, 1));
            if (!json_is_integer(preference) || !host || json_integer_value(preference) < 0 ||
                json_integer_value(preference) > 65535)
                return false;
            const std::string name = host_of(json_array_get(value, 1));
            if (!name.empty() || host->empty() || *host == ".")
                records.exchangers.push_back({static_cast<std::uint16_t>(json_integer_value(preference)), name});
            return true;
        }
        case DnsType::txt: {
            const auto text = joined(value);
            if (text) records.texts.push_back(octets_of(*text));
            return text.has_value();
        }
        case DnsType::ns:
        case DnsType::cname:
        case DnsType::ptr:
            if (!json_is_string(value)) return false;
            if (const auto name = host_of(value); !name.empty()) records.names.push_back(name);
            return true;
    }
    return false;
}

Trouble trouble_of(const std::string& word) {
    return ascii_equal(word, "TIMEOUT")    ? Trouble::timeout
           : ascii_equal(word, "SERVFAIL") ? Trouble::failure
                                           : Trouble::none;
}

/// Whether records of type SPF stand for TXT: there is no TXT entry.
bool stands_for_txt(const json_t* entries) {
    for (std::size_t i = 0; i < json_array_size(entries); ++i)
        if (json_object_get(json_array_get(entries, i), "TXT") != nullptr) return false;
    return true;
}

class Reader {
public:
    Result<net::ZoneResolver> read(const json_t* document) {
        const json_t* const names = json_object_get(document, "zonedata");
        if (!json_is_object(names)) return wrong("there is no object \"zonedata\"");
        const char* name = nullptr;
        json_t* entries = nullptr;
        json_object_foreach(const_cast<json_t*>(names), name, entries) {
            if (!json_is_array(entries)) return wrong(format_text("\"{}\" has no list of records", quoted(name)));
            zone_.add_name(name);
            for (std::size_t i = 0; i < json_array_size(entries); ++i)
                if (!take(name, json_array_get(entries, i), stands_for_txt(entries)))
                    return wrong(format_text("\"{}\": record {} cannot be understood", quoted(name), i + 1));
        }
        return std::move(zone_);
    }

private:
    bool take(const std::string& name, json_t* entry, bool spf_is_txt) {
        if (const auto word = text_of(entry)) {
            if (ascii_equal(*word, "NXDOMAIN")) return zone_.add_missing(name), true;
            const auto trouble = trouble_of(*word);
            zone_.add_trouble(name, std::nullopt, trouble);
            return trouble != Trouble::none;
        }
        if (json_object_size(entry) != 1) return false;
        void* const member = json_object_iter(entry);
        return take_record(name, json_object_iter_key(member), json_object_iter_value(member), spf_is_txt);
    }

    bool take_record(const std::string& name, const std::string& word, const json_t* value, bool spf_is_txt) {
        if (ascii_equal(word, "RCODE")) return take_code(name, value);
        const bool is_spf = ascii_equal(word, "SPF");
        if (is_spf && !spf_is_txt) return true;
        const auto type = is_spf ? DnsType::txt : type_of(word);
        if (!type) return false;
        const auto text = text_of(value);
        if (text && trouble_of(*text) != Trouble::none) return zone_.add_trouble(name, type, trouble_of(*text)), true;
        if (text && *type == DnsType::txt && *text == "NONE") return true;
        DnsRecords records;
        if (!read_data(*type, value, records)) return false;
        zone_.add_records(name, *type, records);
        return true;
    }

    bool take_code(const std::string& name, const json_t* value) {
        constexpr int nothing_wrong = 0, no_such_name = 3;
        if (!json_is_integer(value)) return false;
        const auto code = json_integer_value(value);
        if (code == no_such_name) zone_.add_missing(name);
        else if (code != nothing_wrong) zone_.add_trouble(name, std::nullopt, Trouble::failure);
        return true;
    }

    net::ZoneResolver zone_;
};

#endif

}  // namespace

Result<net::ZoneResolver> read_json_zone(std::string_view text) {
#ifdef HAVE_JANSSON
    json_error_t error{};
    const Document document(json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, &error));
    if (!document) return wrong(format_text("line {}: {}", error.line, error.text));
    return Reader().read(document.get());
#else
    (void)text;
    return wrong("this smtpd-auth was built without jansson and cannot read JSON; write a master file");
#endif
}

}  // namespace smtpd::tools
