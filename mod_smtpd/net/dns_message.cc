#include "net/dns_message.h"

#include <smtpd/base/format.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::net {
namespace {

constexpr std::uint16_t type_soa = 6;
constexpr std::uint16_t type_opt = 41;
constexpr std::uint16_t class_in = 1;
constexpr std::size_t wants_recursion = 0x0100;
constexpr std::size_t max_records = 1000;  ///< of the type that was asked for; more than any plugin needs
constexpr unsigned max_aliases = 16;       ///< in a chain
constexpr std::size_t max_wire_name = 255;
constexpr std::size_t header_size = 12;
constexpr std::size_t min_soa = 22;  ///< two names, five numbers
constexpr std::string_view wrong_length = "a record with a wrong length";

/// Reads octets in order, within their bounds. Remembers the first problem; after that there is nothing to read.
class Reader {
public:
    explicit Reader(std::span<const std::uint8_t> packet) : packet_(packet) {}

    std::size_t at() const noexcept { return at_; }
    void go_to(std::size_t at) noexcept { at_ = at; }
    /// The problem, "" if there is none.
    std::string_view problem() const noexcept { return problem_; }
    void fail(std::string_view problem) noexcept {
        if (problem_.empty()) problem_ = problem;
    }

    std::uint8_t octet() noexcept {
        const auto one = octets(1);
        return one.empty() ? std::uint8_t(0) : one.front();
    }
    std::uint16_t word() noexcept {
        const auto high = octet();
        return static_cast<std::uint16_t>(high << 8 | octet());
    }
    std::uint32_t long_word() noexcept {
        const std::uint32_t high = word();
        return high << 16 | word();
    }
    /// The next `count` octets; none if there are fewer.
    std::span<const std::uint8_t> octets(std::size_t count) noexcept {
        if (count > packet_.size() - at_) fail("it ends early");
        if (!problem_.empty()) return {};
        at_ += count;
        return packet_.subspan(at_ - count, count);
    }
    std::string name();

private:
    const std::span<const std::uint8_t> packet_;
    std::size_t at_ = 0;
    std::string_view problem_;
};

/// Appends a label as text, with RFC 1035 5.1's escapes for ambiguous octets.
void append_label(std::string& out, std::span<const std::uint8_t> label) {
    if (!out.empty()) out += '.';
    for (const auto octet : label) {
        const char c = static_cast<char>(octet);
        if (c == '.' || c == '\\') {
            out += '\\';
            out += c;
        } else if (octet > ' ' && octet <= '~') {
            out += c;
        } else {
            out += '\\';
            for (const int digit : {octet / 100, octet / 10 % 10, octet % 10}) out += static_cast<char>('0' + digit);
        }
    }
}

/// Reads a name, compressed or not; "" is the root. Each pointer must lead further back than the one before, so the
/// loop ends.
std::string Reader::name() {
    std::string out;
    std::size_t length = 0;
    std::size_t behind = 0;  // where reading continues after a pointer was followed
    std::size_t limit = at_;
    while (const unsigned count = octet()) {
        if ((count & 0xc0) == 0xc0) {
            const std::size_t target = (count & 0x3f) << 8 | octet();
            if (behind == 0) behind = at_;
            if (target >= limit) fail("a compressed name points forward");
            else limit = at_ = target;
        } else if (count > 63) {
            fail("a label of an unknown kind");
        } else if (length += count + 1; length >= max_wire_name) {
            fail("a name that is too long");
        } else {
            append_label(out, octets(count));
        }
    }
    if (behind != 0) at_ = behind;
    return out;
}

struct Record {
    std::string owner;
    std::uint16_t type;
    std::uint32_t ttl;
    std::size_t data;  ///< where its data begins
    std::size_t size;
};

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The end of the name in a packet's only question; 0 if the packet does not have exactly one question, or if that is
/// not for `name`.
template <class Equal>
std::size_t end_of_name(std::span<const std::uint8_t> packet, std::string_view name, Equal equal) noexcept {
    const std::size_t end = header_size + name.size() + 2;  // a length before each label, and the root
    if (packet.size() < end || packet[4] != 0 || packet[5] != 1) return 0;
    std::size_t at = header_size;
    for (std::string_view rest = name; !rest.empty();) {
        const std::string_view label = rest.substr(0, rest.find('.'));
        if (packet[at] != label.size()) return 0;
        for (const char c : label)
            if (!equal(c, static_cast<char>(packet[++at]))) return 0;
        ++at;
        rest.remove_prefix(std::min(label.size() + 1, rest.size()));
    }
    return packet[at] == 0 ? end : 0;
}

/// TTLs with the highest bit set count as 0 (RFC 2181 8).
std::uint32_t sane_ttl(std::uint32_t ttl) { return ttl > 0x7fffffff ? 0 : ttl; }

class Reply {
public:
    Reply(std::span<const std::uint8_t> packet, const DnsQuestion& question)
        : question_(question), asked_(as_read(question.name)), reader_(packet) {}

    DnsAnswer read();
    std::string_view problem() const noexcept { return reader_.problem(); }

private:
    std::vector<Record> section(unsigned count);
    void check_question(unsigned count);
    std::string final_name(const std::vector<Record>& records, std::uint32_t& ttl);
    void add(DnsRecords& into, const Record& record);
    DnsAnswer negative(DnsStatus status, unsigned authority_count, bool may_be_referral, std::uint32_t ttl);

    /// The name as Reader gives it: it escapes a blank.
    static std::string as_read(const std::string& name) {
        std::string out;
        for (const char c : name)
            if (c == ' ') out += "\\032";
            else out += c;
        return out;
    }

    const DnsQuestion& question_;
    const std::string asked_;
    Reader reader_;
};

/// The records of class IN of a section. Other classes were not asked for.
std::vector<Record> Reply::section(unsigned count) {
    std::vector<Record> records;
    for (; count > 0 && problem().empty(); --count) {
        Record record{reader_.name(), reader_.word(), 0, 0, 0};
        const auto record_class = reader_.word();
        record.ttl = sane_ttl(reader_.long_word());
        record.size = reader_.word();
        record.data = reader_.at();
        reader_.octets(record.size);
        if (record_class == class_in && problem().empty()) records.push_back(std::move(record));
    }
    return records;
}

void Reply::check_question(unsigned count) {
    if (count != 1) return reader_.fail("it does not have exactly one question");
    const std::string name = reader_.name();
    const auto type = reader_.word();
    if (reader_.word() != class_in || type != static_cast<std::uint16_t>(question_.type) || !ascii_equal(name, asked_))
        reader_.fail("it answers another question");
}

/// Follows aliases from the name that was asked for, in any order.
std::string Reply::final_name(const std::vector<Record>& records, std::uint32_t& ttl) {
    std::string name = asked_;
    if (question_.type == DnsType::cname) return name;
    for (unsigned aliases = 0; aliases <= max_aliases; ++aliases) {
        const auto alias = std::find_if(records.begin(), records.end(), [&](const Record& record) {
            return record.type == static_cast<std::uint16_t>(DnsType::cname) && ascii_equal(record.owner, name);
        });
        if (alias == records.end()) return name;
        reader_.go_to(alias->data);
        name = reader_.name();
        if (reader_.at() != alias->data + alias->size) reader_.fail(wrong_length);
        ttl = std::min(ttl, alias->ttl);
    }
    reader_.fail("its chain of aliases (CNAME) does not end");
    return name;
}

void Reply::add(DnsRecords& into, const Record& record) {
    const std::size_t end = record.data + record.size;
    reader_.go_to(record.data);
    switch (question_.type) {
        case DnsType::a: {
            std::array<std::uint8_t, 4> bytes{};
            std::ranges::copy(reader_.octets(bytes.size()), bytes.begin());
            into.addresses.push_back(IpAddress::v4(bytes));
            break;
        }
        case DnsType::aaaa: {
            std::array<std::uint8_t, 16> bytes{};
            std::ranges::copy(reader_.octets(bytes.size()), bytes.begin());
            into.addresses.push_back(IpAddress::v6(bytes));
            break;
        }
        case DnsType::mx: {
            const auto preference = reader_.word();
            into.exchangers.push_back({preference, reader_.name()});
            break;
        }
        case DnsType::txt: {
            std::string text;
            while (reader_.at() < end && problem().empty()) {
                const auto piece = reader_.octets(reader_.octet());
                text.append(piece.begin(), piece.end());
            }
            into.texts.push_back(std::move(text));
            break;
        }
        case DnsType::ns:
        case DnsType::cname:
        case DnsType::ptr: into.names.push_back(reader_.name()); break;
    }
    if (reader_.at() != end) reader_.fail(wrong_length);
}

/// RFC 2308: the SOA record has the time that the answer is valid. Name servers without an SOA record are a referral:
/// this server does not resolve.
DnsAnswer Reply::negative(DnsStatus status, unsigned authority_count, bool may_be_referral, std::uint32_t ttl) {
    bool has_name_servers = false;
    bool has_soa = false;
    for (const auto& record : section(authority_count)) {
        has_name_servers |= record.type == static_cast<std::uint16_t>(DnsType::ns);
        if (record.type != type_soa) continue;
        has_soa = true;
        if (record.size < min_soa) reader_.fail(wrong_length);
        reader_.go_to(record.data + record.size - 4);
        ttl = std::min({ttl, record.ttl, sane_ttl(reader_.long_word())});
    }
    if (may_be_referral && has_name_servers && !has_soa)
        return DnsAnswer::failure(DnsStatus::server_failure, "the server refers to other servers instead of resolving");
    return DnsAnswer(status, std::chrono::seconds(has_soa ? ttl : 0));
}

DnsAnswer Reply::read() {
    reader_.word();  // the caller has checked the id
    const unsigned flags = reader_.word();
    const unsigned questions = reader_.word();
    const unsigned answers = reader_.word();
    const unsigned authorities = reader_.word();
    reader_.word();
    if ((flags & 0x8000) == 0) reader_.fail("it is not a reply");
    const unsigned code = flags & 0xf;
    if (code != 0 && code != 3) {
        constexpr std::string_view names[] = {"", "FORMERR", "SERVFAIL", "", "NOTIMP", "REFUSED"};
        return DnsAnswer::failure(DnsStatus::server_failure, code < std::size(names)
                                                                 ? "the server says " + std::string(names[code])
                                                                 : format_text("the server says code {}", code));
    }
    check_question(questions);
    if ((flags & 0x0200) != 0) reader_.fail("it is truncated, even over TCP");

    std::uint32_t ttl = 0x7fffffff;
    const auto records = section(answers);
    const auto behind = reader_.at();
    const std::string name = final_name(records, ttl);
    DnsRecords found;
    std::size_t count = 0;
    for (const auto& record : records) {
        if (record.type != static_cast<std::uint16_t>(question_.type) || !ascii_equal(record.owner, name) ||
            count == max_records)
            continue;
        add(found, record);
        ttl = std::min(ttl, record.ttl);
        ++count;
    }
    reader_.go_to(behind);
    if (code == 3) return negative(DnsStatus::no_such_name, authorities, false, ttl);
    if (count == 0) return negative(DnsStatus::no_data, authorities, (flags & 0x0400) == 0 && answers == 0, ttl);
    std::ranges::stable_sort(found.exchangers, {}, &DnsExchanger::preference);
    return DnsAnswer(DnsStatus::found, std::chrono::seconds(ttl), std::make_shared<const DnsRecords>(std::move(found)));
}

}  // namespace

DnsAnswer read_dns_reply(std::span<const std::uint8_t> packet, const DnsQuestion& question) {
    Reply reply(packet, question);
    DnsAnswer answer = reply.read();
    if (reply.problem().empty()) return answer;
    return DnsAnswer::failure(DnsStatus::server_failure,
                              format_text("the server's reply cannot be used: {}", reply.problem()));
}

std::string with_random_case(std::string_view name, support::RandomSupply& random) {
    std::string out(name);
    std::uint64_t bits = 0;
    unsigned left = 0;
    for (char& c : out) {
        if (!is_letter(c)) continue;
        if (left == 0) {
            bits = random.bits();
            left = 64;
        }
        c = static_cast<char>((c | 0x20) ^ static_cast<char>((bits & 1) << 5));
        bits >>= 1;
        --left;
    }
    return out;
}

void write_dns_question(std::vector<std::uint8_t>& out, std::uint16_t id, std::string_view name, DnsType type,
                        std::uint16_t edns_size) {
    const auto put = [&](std::size_t word) {
        out.push_back(static_cast<std::uint8_t>(word >> 8));
        out.push_back(static_cast<std::uint8_t>(word));
    };
    out.clear();
    for (const std::size_t word : {std::size_t(id), wants_recursion, std::size_t(1), std::size_t(0), std::size_t(0),
                                   std::size_t(edns_size != 0)})
        put(word);
    for (std::string_view rest = name; !rest.empty();) {
        const std::string_view label = rest.substr(0, rest.find('.'));
        out.push_back(static_cast<std::uint8_t>(label.size()));
        out.insert(out.end(), label.begin(), label.end());
        rest.remove_prefix(std::min(label.size() + 1, rest.size()));
    }
    out.push_back(0);
    put(static_cast<std::size_t>(type));
    put(class_in);
    if (edns_size == 0) return;
    out.push_back(0);  // the root
    put(type_opt);
    put(edns_size);
    out.insert(out.end(), 6, 0);  // no flags, no options
}

bool is_reply_to(std::span<const std::uint8_t> packet, std::uint16_t id, std::string_view name, DnsType type) noexcept {
    const auto has_word = [&](std::size_t at, std::size_t word) {
        return packet[at] == word >> 8 && packet[at + 1] == (word & 0xff);
    };
    const auto is_equal = [](char a, char b) { return a == b || (is_letter(a) && (a ^ b) == 0x20); };
    const std::size_t end = end_of_name(packet, name, is_equal);
    return end != 0 && packet.size() >= end + 4 && has_word(0, id) && (packet[2] & 0x80) != 0 &&
           has_word(end, static_cast<std::size_t>(type)) && has_word(end + 2, class_in);
}

bool is_bare_format_error(std::span<const std::uint8_t> packet, std::uint16_t id) noexcept {
    constexpr unsigned reply = 0x80, format_error = 1;
    return packet.size() == header_size && packet[0] == id >> 8 && packet[1] == (id & 0xff) &&
           (packet[2] & reply) != 0 && (packet[3] & 0xfU) == format_error && packet[4] == 0 && packet[5] == 0;
}

bool take_back_random_case(std::span<std::uint8_t> packet, std::string_view name) noexcept {
    const std::size_t end = end_of_name(packet, name, [](char a, char b) { return a == b; });
    if (end == 0) return false;
    for (auto& octet : packet.subspan(header_size, end - header_size))
        if (octet >= 'A' && octet <= 'Z') octet |= 0x20;
    return true;
}

}  // namespace smtpd::net
