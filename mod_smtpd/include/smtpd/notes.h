/// notes.h: what plugins remember about a connection or a transaction and tell each other.
///
/// A note is a typed slot. Its owner declares the key once, in a header that others may include:
///
///     inline const NoteKey<GeoLocation> geo_location{"geoip.location"};
///
/// The name is resolved to a slot when the DSO is loaded; two keys of one name share the slot, and a DSO that uses a known name with another
/// type is refused.
/// A Notes object belongs to one session and is used by one thread at a time.
#pragma once

#include <smtpd/api.h>

#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

namespace smtpd {
namespace detail {
/// The slot of that name, made on first use. A name that is known with another type gives a slot of its own and a complaint, which the loader
/// finds once dlopen() has returned: it must not be left by an exception. Thread-safe.
SMTPD_API unsigned note_slot(const char* name, const std::type_info& type);
}  // namespace detail

template <class T>
class NoteKey {
public:
    explicit NoteKey(const char* name) : slot_(detail::note_slot(name, typeid(T))) {}
    unsigned slot() const noexcept { return slot_; }

private:
    unsigned slot_;
};

class Notes {
public:
    /// The note, or null when nobody set it.
    template <class T>
    T* find(const NoteKey<T>& key) noexcept {
        for (auto& entry : entries_)
            if (entry.slot == key.slot()) return static_cast<T*>(entry.value.get());
        return nullptr;
    }
    template <class T>
    const T* find(const NoteKey<T>& key) const noexcept { return const_cast<Notes*>(this)->find(key); }

    /// The note; made with T's default value when nobody set it.
    template <class T>
    T& get(const NoteKey<T>& key) {
        if (auto* known = find(key)) return *known;
        entries_.push_back({key.slot(), Holder(new T{}, [](void* value) { delete static_cast<T*>(value); })});
        return *static_cast<T*>(entries_.back().value.get());
    }
    template <class T>
    void set(const NoteKey<T>& key, T value) { get(key) = std::move(value); }
    template <class T>
    void remove(const NoteKey<T>& key) noexcept {
        std::erase_if(entries_, [&](const Entry& entry) { return entry.slot == key.slot(); });
    }
    void clear() noexcept { entries_.clear(); }

private:
    using Holder = std::unique_ptr<void, void (*)(void*)>;
    struct Entry {
        unsigned slot;
        Holder value;
    };
    std::vector<Entry> entries_;
};

}  // namespace smtpd
