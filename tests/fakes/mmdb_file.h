/// mmdb_file.h: writes databases in the MaxMind DB format (version 2.0) for tests.
///
///     MmdbFile city("GeoLite2-City");
///     city.add("192.0.2.0/24", MmdbMap{{"country", MmdbMap{{"iso_code", "US"}}},
///                                      {"location", MmdbMap{{"latitude", 43.05}}}});
///     directory.write("GeoLite2-City.mmdb", city.to_string());
///
/// A file is a binary tree over the bits of addresses (IPv4 addresses are below ::/96), a data section, and a map about
/// the file itself. Networks must not contain each other.
#pragma once

#include <smtpd/base/ip.h>

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace smtpd::fakes {

class MmdbValue;
using MmdbMap = std::vector<std::pair<std::string, MmdbValue>>;

/// One value, of the types that these databases need.
class MmdbValue {
public:
    MmdbValue(const char* text) : value_(std::string(text)) {}
    MmdbValue(double number) : value_(number) {}
    MmdbValue(std::uint16_t number) : value_(number) {}
    MmdbValue(std::uint32_t number) : value_(number) {}
    MmdbValue(std::uint64_t number) : value_(number) {}
    MmdbValue(std::vector<std::string> texts) : value_(std::move(texts)) {}
    MmdbValue(MmdbMap map) : value_(std::make_shared<const MmdbMap>(std::move(map))) {}

    std::string to_string() const;

private:
    enum Type { string = 2, floating = 3, uint16 = 5, uint32 = 6, map = 7, uint64 = 9, array = 11 };

    /// Three bits of type and five of size, with more octets if these do not suffice.
    static std::string control(Type type, std::size_t size) {
        std::string out(1, static_cast<char>((type > map ? 0 : type) << 5 | (size < 29 ? size : 29)));
        if (type > map) out += static_cast<char>(type - map);
        if (size >= 29) out += static_cast<char>(size - 29);
        if (size >= 29 + 256) throw std::runtime_error("a value is too long for this writer");
        return out;
    }
    static std::string big_endian(std::uint64_t value, std::size_t size) {
        std::string out;
        for (std::size_t i = size; i-- > 0;) out += static_cast<char>(value >> 8 * i & 0xff);
        return out;
    }
    friend class MmdbFile;

    std::variant<std::string, double, std::uint16_t, std::uint32_t, std::uint64_t, std::vector<std::string>,
                 std::shared_ptr<const MmdbMap>>
        value_;
};

inline std::string MmdbValue::to_string() const {
    if (const auto* text = std::get_if<std::string>(&value_)) return control(string, text->size()) + *text;
    if (const auto* number = std::get_if<double>(&value_))
        return control(floating, 8) + big_endian(std::bit_cast<std::uint64_t>(*number), 8);
    if (const auto* number = std::get_if<std::uint16_t>(&value_)) return control(uint16, 2) + big_endian(*number, 2);
    if (const auto* number = std::get_if<std::uint32_t>(&value_)) return control(uint32, 4) + big_endian(*number, 4);
    if (const auto* number = std::get_if<std::uint64_t>(&value_)) return control(uint64, 8) + big_endian(*number, 8);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&value_)) {
        std::string out = control(array, texts->size());
        for (const auto& text : *texts) out += MmdbValue(text.c_str()).to_string();
        return out;
    }
    const auto& members = *std::get<std::shared_ptr<const MmdbMap>>(value_);
    std::string out = control(map, members.size());
    for (const auto& [name, member] : members) out += MmdbValue(name.c_str()).to_string() + member.to_string();
    return out;
}

class MmdbFile {
public:
    explicit MmdbFile(const char* type, std::uint16_t ip_version = 6) : type_(type), ip_version_(ip_version) {}

    void add(std::string_view network_text, const MmdbMap& value) {
        const auto network = IpNetwork::parse(network_text);
        if (!network) throw std::runtime_error("no network: " + std::string(network_text));
        std::string bits(network->address().is_v4() && ip_version_ == 6 ? 96 : 0, '0');
        for (unsigned i = 0; i < network->bits(); ++i)
            bits += network->address().bytes()[i / 8] >> (7 - i % 8) & 1 ? '1' : '0';
        std::size_t node = 0;
        for (std::size_t i = 0; i + 1 < bits.size(); ++i) {
            if (tree_[node].next[bits[i] - '0'] == none) {
                tree_[node].next[bits[i] - '0'] = tree_.size();
                tree_.emplace_back();
            }
            node = tree_[node].next[bits[i] - '0'];
        }
        tree_[node].data[bits.back() - '0'] = data_.size() + 1;
        data_ += MmdbValue(value).to_string();
    }

    std::string to_string() const {
        std::string out;
        for (const auto& node : tree_)
            for (int side : {0, 1}) {
                std::size_t record = tree_.size();  // nothing is known
                if (node.next[side] != none) record = node.next[side];
                if (node.data[side] != 0) record = tree_.size() + 16 + node.data[side] - 1;
                out += MmdbValue::big_endian(record, 4);
            }
        const MmdbMap about{{"binary_format_major_version", std::uint16_t(2)},
                            {"binary_format_minor_version", std::uint16_t(0)},
                            {"build_epoch", std::uint64_t(1'700'000'000)},
                            {"database_type", type_},
                            {"languages", std::vector<std::string>{"en"}},
                            {"description", MmdbMap{{"en", "made by a test"}}},
                            {"ip_version", ip_version_},
                            {"node_count", static_cast<std::uint32_t>(tree_.size())},
                            {"record_size", std::uint16_t(32)}};
        return out + std::string(16, '\0') + data_ + "\xab\xcd\xefMaxMind.com" + MmdbValue(about).to_string();
    }

private:
    static constexpr std::size_t none = ~std::size_t(0);
    struct Node {
        std::size_t next[2] = {none, none};
        std::size_t data[2] = {0, 0};  ///< its place in data_ plus 1
    };

    const char* type_;
    std::uint16_t ip_version_;
    std::vector<Node> tree_{1};
    std::string data_;
};

}  // namespace smtpd::fakes
