/// notes.h: typed values that plugins attach to a connection or a transaction, for themselves and for each other.
///
/// A note is a typed slot. Its owner declares the key once, in a header that others may include:
///
///     inline const NoteKey<GeoLocation> geo_location{"geoip.location"};
///
/// Loading the DSO resolves the name to a slot. Two keys with the same name share the slot; a DSO that uses a known
/// name with another type is rejected. A Notes object belongs to one session and is used by one thread at a time.
#pragma once

#include <smtpd/base/api.h>

#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

namespace smtpd {
namespace detail {
/// The slot for that name, created on first use. A name that is known with another type gets a slot of its own and an
/// error record, which the loader finds after dlopen() has returned: an exception must not leave dlopen(). Thread-safe.
SMTPD_API unsigned note_slot(const char* name, const std::type_info& type);
}  // namespace detail

/// What a note of a connection is about, and so how long it is kept.
enum class NoteScope : unsigned char {
    connection,  ///< the client, whatever it says
    hello  ///< what the client said about itself: removed after STARTTLS (RFC 3207 4.2), when the client must say it
           ///< again
};

template <class T>
class NoteKey {
public:
    explicit NoteKey(const char* name, NoteScope scope = NoteScope::connection)
        : slot_(detail::note_slot(name, typeid(T))), scope_(scope) {}
    unsigned slot() const noexcept { return slot_; }
    NoteScope scope() const noexcept { return scope_; }

private:
    unsigned slot_;
    NoteScope scope_;
};

class Notes {
public:
    /// The note, or null if it was never set.
    template <class T>
    T* find(const NoteKey<T>& key) noexcept {
        for (auto& entry : entries_)
            if (entry.slot == key.slot()) return static_cast<T*>(entry.value.get());
        return nullptr;
    }
    template <class T>
    const T* find(const NoteKey<T>& key) const noexcept {
        return const_cast<Notes*>(this)->find(key);
    }

    /// The note; created with T's default value if it was never set.
    template <class T>
    T& get(const NoteKey<T>& key) {
        if (auto* known = find(key)) return *known;
        entries_.push_back(
            {key.slot(), key.scope(), Holder(new T{}, [](void* value) { delete static_cast<T*>(value); })});
        return *static_cast<T*>(entries_.back().value.get());
    }
    template <class T>
    void set(const NoteKey<T>& key, T value) {
        if (auto* known = find(key)) *known = std::move(value);
        else emplace(key, std::move(value));
    }
    /// Constructs the note from `arguments` and replaces an existing one; for a T that has no default value or cannot
    /// be moved.
    template <class T, class... Arguments>
    T& emplace(const NoteKey<T>& key, Arguments&&... arguments) {
        Holder value(new T(std::forward<Arguments>(arguments)...), [](void* made) { delete static_cast<T*>(made); });
        remove(key);
        entries_.push_back({key.slot(), key.scope(), std::move(value)});
        return *static_cast<T*>(entries_.back().value.get());
    }
    template <class T>
    void remove(const NoteKey<T>& key) noexcept {
        std::erase_if(entries_, [&](const Entry& entry) { return entry.slot == key.slot(); });
    }
    /// Removes the notes of that scope.
    void forget(NoteScope scope) noexcept {
        std::erase_if(entries_, [&](const Entry& entry) { return entry.scope == scope; });
    }
    void clear() noexcept { entries_.clear(); }

private:
    using Holder = std::unique_ptr<void, void (*)(void*)>;
    struct Entry {
        unsigned slot;
        NoteScope scope;
        Holder value;
    };
    std::vector<Entry> entries_;
};

}  // namespace smtpd
