/// notes.h: what plugins remember about a connection or a transaction and tell each other.
///
/// A note is a typed slot. Its owner declares the key once, in a header that others may include:
///
///     inline const NoteKey<GeoLocation> geo_location{"geoip.location"};
///
/// The name is resolved to a slot when the DSO is loaded; two keys of one name share the slot, and a DSO that uses a
/// known name with another type is refused. A Notes object belongs to one session and is used by one thread at a time.
#pragma once

#include <smtpd/base/api.h>

#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

namespace smtpd {
namespace detail {
/// The slot of that name, made on first use. A name that is known with another type gives a slot of its own and a
/// complaint, which the loader finds once dlopen() has returned: it must not be left by an exception. Thread-safe.
SMTPD_API unsigned note_slot(const char* name, const std::type_info& type);
}  // namespace detail

/// What a note of a connection is about, and so how long it holds.
enum class NoteScope : unsigned char {
    connection,  ///< the client, whatever it says
    hello  ///< what the client said of itself: forgotten after STARTTLS (RFC 3207 4.2), when it has to say it again
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
    /// The note, or null when nobody set it.
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

    /// The note; made with T's default value when nobody set it.
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
    /// Makes the note out of `arguments`, in the place of one that is there; for a T without a default value, or one
    /// that cannot be moved.
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
