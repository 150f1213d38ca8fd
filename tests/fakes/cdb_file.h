/// cdb_file.h: writes a constant database (cdb), for tests of plugins that read one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

/// The content of a cdb file with these keys, each with an empty value: the head with 256 tables, the records, the hash
/// tables.
inline std::string cdb_with_keys(const std::vector<std::string_view>& keys) {
    constexpr std::uint32_t head_size = 2048;
    const auto number = [](std::uint32_t value) {
        std::string bytes;
        for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
        return bytes;
    };
    std::array<std::vector<std::pair<std::uint32_t, std::uint32_t>>, 256> tables;  // hash, position
    std::string body;
    for (const auto key : keys) {
        std::uint32_t hash = 5381;
        for (const char c : key) hash = (hash * 33) ^ static_cast<unsigned char>(c);
        tables[hash & 255].emplace_back(hash, head_size + static_cast<std::uint32_t>(body.size()));
        body += number(static_cast<std::uint32_t>(key.size())) + number(0) + std::string(key);
    }
    std::string head;
    for (const auto& table : tables) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> slots(2 * table.size());
        for (const auto& entry : table) {
            auto slot = (entry.first >> 8) % slots.size();
            while (slots[slot].second != 0) slot = (slot + 1) % slots.size();
            slots[slot] = entry;
        }
        head += number(head_size + static_cast<std::uint32_t>(body.size())) +
                number(static_cast<std::uint32_t>(slots.size()));
        for (const auto& [hash, position] : slots) body += number(hash) + number(position);
    }
    return head + body;
}

}  // namespace smtpd::fakes
