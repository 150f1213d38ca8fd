/// key_cache.cc: caches key records by their text. The least recently used record is evicted first.
#include "mailauth/key_record.h"

#include <smtpd/mailauth/dkim.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>

namespace smtpd::mailauth {

struct KeyCache::Table {
    struct Entry {
        std::string text;
        std::shared_ptr<const KeyRecord> record;
        std::chrono::sys_seconds expiry;
    };
    explicit Table(std::size_t most) : capacity(std::max<std::size_t>(most, 1)) {}

    std::shared_ptr<const KeyRecord> find(std::string_view text, std::chrono::sys_seconds now) {
        const std::lock_guard lock(mutex);
        const auto found = by_text.find(text);
        if (found == by_text.end()) return nullptr;
        if (found->second->expiry <= now) {
            entries.erase(found->second);
            by_text.erase(found);
            return nullptr;
        }
        entries.splice(entries.begin(), entries, found->second);
        return found->second->record;
    }

    void add(Entry entry) {
        const std::lock_guard lock(mutex);
        if (by_text.contains(entry.text)) return;  // another thread has added it
        if (entries.size() == capacity) {
            by_text.erase(entries.back().text);
            entries.pop_back();
        }
        entries.push_front(std::move(entry));
        by_text.emplace(entries.front().text, entries.begin());
    }

    const std::size_t capacity;
    mutable std::mutex mutex;
    std::list<Entry> entries;  ///< most recently used first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_text;
};

KeyCache::KeyCache(std::size_t capacity) : table_(std::make_unique<Table>(capacity)) {}
KeyCache::~KeyCache() = default;

std::shared_ptr<const KeyRecord> KeyCache::get(std::string_view text, std::chrono::seconds ttl,
                                               std::chrono::sys_seconds now) {
    if (auto known = table_->find(text, now)) return known;
    auto record = std::make_shared<const KeyRecord>(KeyRecord::parse(text));
    if (text.size() <= max_record_size)
        table_->add({std::string(text), record, now + std::clamp(ttl, min_life, max_life)});
    return record;
}

std::size_t KeyCache::size() const {
    const std::lock_guard lock(table_->mutex);
    return table_->entries.size();
}

}  // namespace smtpd::mailauth
