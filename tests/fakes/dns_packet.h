/// dns_packet.h: builds replies of name servers octet by octet, including wrong ones.
///
///     DnsPacket reply("www.example", DnsType::a);
///     reply.answer("www.example", DnsType::a, 300, octets({192, 0, 2, 1}));
///     read_dns_reply(reply.bytes(), question);
#pragma once

#include <smtpd/dns/dns.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::fakes {

using Octets = std::vector<std::uint8_t>;

inline Octets octets(std::initializer_list<int> values) {
    Octets out;
    for (const int value : values) out.push_back(static_cast<std::uint8_t>(value));
    return out;
}
inline Octets operator+(Octets a, const Octets& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
inline Octets word(unsigned value) {
    return octets({static_cast<int>(value >> 8 & 255), static_cast<int>(value & 255)});
}
inline Octets long_word(std::uint32_t value) { return word(value >> 16) + word(value & 0xffff); }

/// A name without compression; "" and "." are the root.
inline Octets wire_name(std::string_view name) {
    Octets out;
    while (!name.empty() && name != ".") {
        const auto label = name.substr(0, name.find('.'));
        out.push_back(static_cast<std::uint8_t>(label.size()));
        out.insert(out.end(), label.begin(), label.end());
        name.remove_prefix(std::min(label.size() + 1, name.size()));
    }
    out.push_back(0);
    return out;
}
inline Octets string_octets(std::string_view text) {
    Octets out{static_cast<std::uint8_t>(text.size())};
    out.insert(out.end(), text.begin(), text.end());
    return out;
}
inline Octets soa(std::uint32_t minimum) {
    return wire_name("ns.example") + wire_name("root.example") + long_word(1) + long_word(2) + long_word(3) +
           long_word(4) + long_word(minimum);
}

class DnsPacket {
public:
    static constexpr unsigned authoritative = 0x0400, truncated = 0x0200;

    DnsPacket(std::string_view name, DnsType type, unsigned code = 0, unsigned flags = 0, unsigned id = 0)
        : id_(id),
          flags_(0x8180 | flags | code),
          question_(wire_name(name) + word(static_cast<unsigned>(type)) + word(1)) {}

    DnsPacket& answer(std::string_view owner, DnsType type, std::uint32_t ttl, const Octets& data,
                      unsigned record_class = 1) {
        return add(answers_, wire_name(owner), static_cast<unsigned>(type), ttl, data, record_class);
    }
    DnsPacket& authority(std::string_view owner, unsigned type, std::uint32_t ttl, const Octets& data) {
        return add(authorities_, wire_name(owner), type, ttl, data, 1);
    }
    /// The owner as arbitrary octets.
    DnsPacket& raw_answer(const Octets& owner, DnsType type, std::uint32_t ttl, const Octets& data) {
        return add(answers_, owner, static_cast<unsigned>(type), ttl, data, 1);
    }
    DnsPacket& set_flags(unsigned flags) {
        flags_ = flags;
        return *this;
    }
    DnsPacket& set_questions(unsigned count) {
        questions_ = count;
        return *this;
    }
    DnsPacket& claim_answers(unsigned more) {
        claimed_ += more;
        return *this;
    }

    Octets bytes() const {
        return word(id_) + word(flags_) + word(questions_) + word(answers_.count + claimed_) +
               word(authorities_.count) + word(0) + question_ + answers_.octets + authorities_.octets;
    }
    static constexpr std::size_t question_at = 12;

private:
    struct Section {
        unsigned count = 0;
        Octets octets;
    };
    DnsPacket& add(Section& section, const Octets& owner, unsigned type, std::uint32_t ttl, const Octets& data,
                   unsigned record_class) {
        ++section.count;
        section.octets = std::move(section.octets) + owner + word(type) + word(record_class) + long_word(ttl) +
                         word(static_cast<unsigned>(data.size())) + data;
        return *this;
    }

    unsigned id_, flags_, questions_ = 1, claimed_ = 0;
    Octets question_;
    Section answers_, authorities_;
};

}  // namespace smtpd::fakes
