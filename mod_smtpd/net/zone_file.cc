/// zone_file.cc: parses master files (RFC 1035 5.1), with the extensions of zone_resolver.h.
#include "net/zone_file.h"

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::net {
namespace {

using Trouble = ZoneResolver::Trouble;

constexpr std::size_t longest_string = 255;  ///< RFC 1035 3.3

struct Token {
    std::string text;    ///< without quotation marks and escapes
    std::size_t at = 0;  ///< its position in the text
    bool is_quoted = false;
};

/// One entry: a line, or several lines joined by parentheses.
struct Entry {
    std::vector<Token> tokens;
    bool begins_blank = false;  ///< the line begins with a blank, so the owner is the previous one
    unsigned line = 0;
};

Error wrong(unsigned line, std::string_view what) {
    return {ErrorCode::config, format_text("line {}: {}", line, what), 0};
}

class Scanner {
public:
    explicit Scanner(std::string_view text) noexcept : text_(text) {}

    /// The next entry with at least one word; std::nullopt at the end.
    Result<std::optional<Entry>> next() {
        while (at_ < text_.size()) {
            Entry entry;
            entry.line = line_;
            entry.begins_blank = support::is_blank(text_[at_]);
            if (auto problem = read(entry); !problem.empty()) return wrong(line_, problem);
            if (!entry.tokens.empty()) return std::optional(std::move(entry));
        }
        return std::optional<Entry>();
    }

    /// The rest of the line from `at`, as written.
    std::string_view line_from(std::size_t at) const noexcept {
        return support::trim(text_.substr(at, text_.find('\n', at) - at));
    }

private:
    std::string read(Entry& entry) {
        unsigned depth = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\n') {
                ++line_, ++at_;
                if (depth == 0) return {};
            } else if (c == ';' || (c == '#' && entry.tokens.empty())) {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (c == '(') {
                ++depth, ++at_;
            } else if (c == ')') {
                if (depth == 0) return "there is a \")\" without \"(\"";
                --depth, ++at_;
            } else if (support::is_space(c)) {
                ++at_;
            } else if (is_plain_text(entry)) {
                const auto rest = line_from(at_);
                entry.tokens.push_back({std::string(rest), at_, true});
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (auto problem = read_token(entry); !problem.empty()) {
                return problem;
            }
        }
        return depth == 0 ? "" : "a \"(\" has no \")\"";
    }

    /// Whether unquoted TXT data begin here.
    bool is_plain_text(const Entry& entry) const {
        const std::size_t least = entry.begins_blank ? 1 : 2;
        if (entry.tokens.size() < least || text_[at_] == '"') return false;
        const Token& last = entry.tokens.back();
        if (last.is_quoted || !ascii_equal(last.text, "TXT")) return false;
        const auto rest = line_from(at_);
        return !ascii_equal(rest, "TIMEOUT") && !ascii_equal(rest, "SERVFAIL");
    }

    std::string read_token(Entry& entry) {
        Token token;
        token.at = at_;
        token.is_quoted = text_[at_] == '"';
        if (token.is_quoted) ++at_;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (token.is_quoted ? c == '"' : support::is_space(c) || c == ';' || c == '(' || c == ')' || c == '"')
                break;
            if (token.is_quoted && c == '\n') return "a quoted string does not end on its line";
            if (c != '\\') {
                token.text += c;
            } else if (!read_escape(token.text)) {
                return "\"\\\" needs a character, or three digits up to 255";
            }
        }
        if (token.is_quoted && at_ == text_.size()) return "a quoted string has no end";
        if (token.is_quoted) ++at_;
        entry.tokens.push_back(std::move(token));
        return {};
    }

    /// Reads `\X` or `\DDD`, and stops at its last character.
    bool read_escape(std::string& out) {
        if (++at_ == text_.size() || text_[at_] == '\n') return false;
        if (!support::is_digit(text_[at_])) {
            out += text_[at_];
            return true;
        }
        const auto code = support::parse_unsigned(text_.substr(at_, 3));
        if (text_.size() - at_ < 3 || !code || *code > 255) return false;
        out += static_cast<char>(*code);
        at_ += 2;
        return true;
    }

    const std::string_view text_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
};

/// Types that occur in real zones, but that this program never asks for.
bool is_other_type(std::string_view word) {
    static constexpr std::array<std::string_view, 37> names{
        "SOA",   "SRV",   "CAA",   "DS",    "DNSKEY",     "RRSIG",    "NSEC",  "NSEC3", "NSEC3PARAM", "TLSA",
        "HINFO", "NAPTR", "LOC",   "SSHFP", "RP",         "DNAME",    "SPF",   "URI",   "CDS",        "CDNSKEY",
        "HTTPS", "SVCB",  "CERT",  "AFSDB", "OPENPGPKEY", "SMIMEA",   "WKS",   "MINFO", "MB",         "MG",
        "MR",    "CSYNC", "DHCID", "KX",    "APL",        "IPSECKEY", "ZONEMD"};
    if (std::any_of(names.begin(), names.end(), [&](std::string_view name) { return ascii_equal(name, word); }))
        return true;
    return word.size() > 4 && ascii_equal(word.substr(0, 4), "TYPE") && support::parse_unsigned(word.substr(4));
}

std::optional<DnsType> type_of(std::string_view word) {
    for (const auto type :
         {DnsType::a, DnsType::ns, DnsType::cname, DnsType::ptr, DnsType::mx, DnsType::txt, DnsType::aaaa})
        if (ascii_equal(word, dns_type_name(type))) return type;
    return std::nullopt;
}

Trouble trouble_of(std::string_view word) {
    return ascii_equal(word, "TIMEOUT")    ? Trouble::timeout
           : ascii_equal(word, "SERVFAIL") ? Trouble::failure
                                           : Trouble::none;
}

bool is_class(std::string_view word) {
    return ascii_equal(word, "IN") || ascii_equal(word, "CH") || ascii_equal(word, "HS") || ascii_equal(word, "CS");
}

/// Whether the word is a TTL: "3600", "1h30m".
bool is_ttl(std::string_view word) {
    if (word.empty() || !support::is_digit(word.front())) return false;
    return std::all_of(word.begin(), word.end(), [](char c) {
        return support::is_digit(c) || std::string_view("smhdwSMHDW").find(c) != std::string_view::npos;
    });
}

bool is_type_word(std::string_view word) {
    return type_of(word) || is_other_type(word) || trouble_of(word) != Trouble::none || ascii_equal(word, "NXDOMAIN");
}

class Reader {
public:
    explicit Reader(std::string_view text) noexcept : scanner_(text) {}

    Result<ZoneResolver> read() {
        for (;;) {
            auto entry = scanner_.next();
            if (!entry) return entry.error();
            if (!*entry) return std::move(zone_);
            if (auto problem = take(**entry); !problem.empty()) return wrong((*entry)->line, problem);
        }
    }

private:
    using Tokens = std::vector<Token>;

    std::string take(const Entry& entry) {
        const Tokens& tokens = entry.tokens;
        if (tokens.front().text.starts_with('$') && !tokens.front().is_quoted) return take_directive(tokens);
        std::size_t at = 0;
        const auto& first = tokens.front().text;
        const bool repeats_owner = entry.begins_blank && !owner_.empty() &&
                                   (is_type_word(first) || is_class(first) || is_ttl(first));
        if (!repeats_owner) owner_ = tokens[at++].text;
        while (at < tokens.size() && !is_type_word(tokens[at].text) &&
               (is_class(tokens[at].text) || is_ttl(tokens[at].text))) {
            if (is_class(tokens[at].text) && !ascii_equal(tokens[at].text, "IN")) return "only the class IN is known";
            ++at;
        }
        if (at == tokens.size()) return format_text("\"{}\" has no type of records", quoted(owner_));
        return take_record(tokens[at].text, Tokens(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1, tokens.end()));
    }

    std::string take_directive(const Tokens& tokens) {
        const std::string& name = tokens.front().text;
        if (ascii_equal(name, "$TTL")) return {};
        if (!ascii_equal(name, "$ORIGIN"))
            return format_text("\"{}\" cannot be used here, only $ORIGIN and $TTL", quoted(name));
        if (tokens.size() != 2) return "$ORIGIN needs one name";
        origin_ = absolute(tokens[1].text);
        return {};
    }

    std::string absolute(const std::string& name) const {
        if (name == "@") return origin_.empty() ? "." : origin_;
        if (name.ends_with('.') || origin_.empty() || origin_ == ".") return name;
        return name + "." + origin_;
    }

    std::string owner_name() const {
        const auto address = IpAddress::parse(owner_);
        return address ? reverse_dns_name(*address) : absolute(owner_);
    }

    std::string take_record(const std::string& word, const Tokens& data) {
        const std::string owner = owner_name();
        const std::string impossible = format_text("\"{}\" is no name", quoted(owner));
        if (const auto trouble = trouble_of(word); trouble != Trouble::none)
            return zone_.add_trouble(owner, std::nullopt, trouble) ? "" : impossible;
        if (ascii_equal(word, "NXDOMAIN")) return zone_.add_missing(owner) ? "" : impossible;
        // Real zone files have records of the root; this program never asks for them.
        if (is_other_type(word)) return zone_.add_name(owner) || owner == "." ? "" : impossible;
        const auto type = type_of(word);
        if (!type) return format_text("\"{}\" is no type of records", quoted(word));
        if (data.size() == 1 && !data[0].is_quoted && trouble_of(data[0].text) != Trouble::none)
            return zone_.add_trouble(owner, type, trouble_of(data[0].text)) ? "" : impossible;
        DnsRecords records;
        if (!read_data(*type, data, records))
            return format_text("\"{}\" is no data of type {}", quoted(shown(data)), dns_type_name(*type));
        return zone_.add_records(owner, *type, records) || owner == "." ? "" : impossible;
    }

    static std::string shown(const Tokens& data) {
        std::string text;
        for (const auto& token : data) text += (text.empty() ? "" : " ") + token.text;
        return text;
    }

    bool read_data(DnsType type, const Tokens& data, DnsRecords& records) const {
        switch (type) {
            case DnsType::a:
            case DnsType::aaaa: return data.size() == 1 && read_address(type, data[0].text, records);
            case DnsType::mx: return data.size() == 2 && read_exchanger(data, records);
            case DnsType::txt: return read_text(data, records);
            case DnsType::ns:
            case DnsType::cname:
            case DnsType::ptr: {
                const auto name = data.size() == 1 ? name_of(data[0].text) : std::string();
                if (!name.empty()) records.names.push_back(name);
                return !name.empty();
            }
        }
        return false;
    }

    static bool read_address(DnsType type, std::string_view text, DnsRecords& records) {
        const auto address = IpAddress::parse(text);
        if (!address) return false;
        // IpAddress converts ::ffff:192.0.2.1 to IPv4, so it is not valid in AAAA.
        if (address->is_v4() == (type == DnsType::a)) records.addresses.push_back(*address);
        return address->is_v4() == (type == DnsType::a);
    }

    bool read_exchanger(const Tokens& data, DnsRecords& records) const {
        const auto preference = support::parse_unsigned(data[0].text);
        const bool is_null = data[1].text == ".";
        const std::string name = name_of(data[1].text);
        if (!preference || *preference > 65535 || (name.empty() && !is_null)) return false;
        records.exchangers.push_back({static_cast<std::uint16_t>(*preference), name});
        return true;
    }

    static bool read_text(const Tokens& data, DnsRecords& records) {
        std::string text;
        for (const auto& token : data) {
            const bool is_plain = data.size() == 1 && text.empty();
            if (!is_plain && token.text.size() > longest_string) return false;
            text += token.text;
        }
        if (!data.empty()) records.texts.push_back(std::move(text));
        return !data.empty();
    }

    std::string name_of(const std::string& word) const {
        const auto question = DnsQuestion::make(DnsType::a, absolute(word));
        return question ? question->name : std::string();
    }

    Scanner scanner_;
    ZoneResolver zone_;
    std::string origin_;  ///< "" without $ORIGIN
    std::string owner_;
};

}  // namespace

Result<ZoneResolver> read_zone_file(std::string_view text) { return Reader(text).read(); }

}  // namespace smtpd::net
