/// control.h: qpsmtpd's and qmail's control files, read once, checked at configtest, read again when they change.
///
/// A plugin asks for a file in its constructor and keeps what it gets; `file->…` is then always the newest content. A
/// file that does not exist is empty, and is noticed when it appears. If a file becomes unreadable or wrong, the server
/// reports that once as a warning, and the old content stays in use. The same is true, for 15 seconds, of a file that
/// disappears or loses lines while it is rewritten in place (host/control_files.h). All calls are thread-safe; the
/// server looks at a file's state at most once a second.
#pragma once

#include <smtpd/base/address.h>
#include <smtpd/base/api.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/pattern.h>
#include <smtpd/base/result.h>
#include <smtpd/verdict.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace smtpd {

/// One significant line of a control file: trimmed, neither blank nor a comment, `$include` resolved.
struct ControlLine {
    std::string text;
    std::string file;  ///< where it stands, for messages
    unsigned number = 0;
    bool had_final_blanks = false;  ///< blanks or tabs stood at its end, for files in which they might be meant

    /// "file:12".
    SMTPD_API std::string position() const;
    /// The words of the line, split at blanks and tabs.
    SMTPD_API std::vector<std::string> words() const;
    /// The first word, and what follows it (trimmed, may be empty): the form of most control files.
    SMTPD_API std::pair<std::string, std::string> split() const;
};

using ControlText = std::vector<ControlLine>;

/// An entry of a list with the reason that the administrator gave for it.
struct ListEntry {
    std::string pattern;  ///< as written
    std::string reason;   ///< rest of the line, may be empty

    const std::string& reason_or(const std::string& otherwise) const noexcept {
        return reason.empty() ? otherwise : reason;
    }
};

/// A line `entry CODE [text]`, the form of hosts_allow and its kind: what is to be said to whom.
struct SMTPD_API VerdictLine {
    std::string entry;
    Verdict verdict = Verdict::declined;  ///< never `done`
    std::string text;                     ///< may be empty

    /// The Error names file, line and the words that there are.
    static Result<VerdictLine> parse(const ControlLine& line);
};

/// badmailfrom, badrcptto: one `entry [reason]` a line. An entry is an address, `@domain`, or a regular expression
/// (recognised by any of `/ ^ $ * + ! % ? \`; slashes around it are dropped) searched without regard to case in the
/// key_spellings() of the address. First match in file order wins. The null address, and one without domain, match
/// nothing.
class SMTPD_API AddressPatterns {
public:
    static Result<AddressPatterns> parse(const ControlText& text,
                                         LocalPartCase local_part_case = LocalPartCase::insensitive);
    const ListEntry* find(const Address& address) const;
    bool empty() const noexcept { return order_.empty(); }
    std::size_t size() const noexcept { return order_.size(); }

private:
    struct Expression {
        std::size_t index;
        Pattern pattern;
    };
    std::vector<ListEntry> order_;
    std::unordered_map<std::string, std::size_t> exact_;  ///< list_key() → index in order_
    std::vector<Expression> expressions_;
};

/// relayclients and its kind: one address, network (`192.0.2.0/24`, `2001:db8::/32`) or prefix as qmail writes it
/// (`192.0.2.`, `2001:db8:`, `2001:db8`) a line, with an optional reason. First match in file order wins.
class SMTPD_API NetworkList {
public:
    static Result<NetworkList> parse(const ControlText& text);
    const ListEntry* find(const IpAddress& address) const;
    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }

    /// Reads one entry in any of the three forms.
    static std::optional<IpNetwork> parse_entry(std::string_view text);

private:
    struct Hash {
        std::size_t operator()(const IpAddress& address) const noexcept;
    };
    /// All networks of one size: their first addresses, each with its index in entries_.
    struct Level {
        unsigned bits = 0;
        std::unordered_map<IpAddress, std::size_t, Hash> networks;
    };
    std::vector<ListEntry> entries_;
    std::vector<Level> v4_;
    std::vector<Level> v6_;
};

/// rcpthosts and its kind: one `example.com`, or `.example.com` for everything below it, a line. Compared as
/// ascii_domain() has it, so that U-labels and A-labels are alike, as are upper and lower case.
class SMTPD_API DomainList {
public:
    static Result<DomainList> parse(const ControlText& text);
    bool contains(std::string_view domain) const;
    bool empty() const noexcept { return names_.empty(); }
    std::size_t size() const noexcept { return names_.size(); }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
    };
    std::unordered_set<std::string, Hash, std::equal_to<>> names_;
};

/// Clients by address or name, in Postgrey's form: an address, a network or a prefix (see NetworkList; also `192.0.2`
/// and `192.0`), the name of a host, which stands for everything below it too, or a /regular expression/ for names,
/// case being ignored. Blanks, and everything from a # on, are left out.
class SMTPD_API HostList {
public:
    static Result<HostList> parse(const ControlText& text);
    /// `name` is the client's confirmed name; "" where there is none.
    bool contains(const IpAddress& address, const std::string& name) const;

private:
    NetworkList networks_;
    DomainList names_;
    std::vector<Pattern> patterns_;
};

/// A constant database (cdb) as qmail uses it: read-only. Is to be replaced by renaming a new file over the old one, as
/// cdbmake does; a file of up to 4 MB is read into memory and may be treated in any way, a larger one is mapped.
class SMTPD_API Cdb {
public:
    Cdb();  ///< empty
    ~Cdb();
    Cdb(Cdb&&) noexcept;
    Cdb& operator=(Cdb&&) noexcept;
    /// Reads or maps the file; an Error when it is no cdb (damaged offsets included: a lookup never leaves the file).
    static Result<Cdb> open(const std::string& path);
    /// The first value of that key.
    std::optional<std::string_view> find(std::string_view key) const;
    bool empty() const noexcept;

private:
    struct Map;
    std::unique_ptr<Map> map_;
};

/// What stands behind a Watched: one file, seen as significant lines (or, for a cdb, as a path). Implemented by the
/// host.
class ControlSource {
public:
    virtual ~ControlSource() = default;
    /// Looks whether the file changed (at most once a second). The number changes whenever the content may have.
    virtual std::uint64_t generation() = 0;
    virtual Result<ControlText> text() = 0;
    virtual std::string path() const = 0;                 ///< "" while the file does not exist
    virtual void report(const std::string& problem) = 0;  ///< configuration error while starting, one warning
                                                          ///< afterwards
    /// Whether there is older content that was good in its time: text() gives it from now on.
    virtual bool fall_back() { return false; }
};

namespace detail {
/// Reports every mistake of a file. A parser stops at the first one, so each line that an error names is left out, and
/// `parse` is called again, up to 20 times. `parse` returns an error, or nothing if the parser is content.
SMTPD_API void report_mistakes(ControlSource& source, const Error& first,
                               const std::function<std::optional<Error>(ControlSource&)>& parse);
}  // namespace detail

/// The current content of a control file, parsed. Copies share one cache.
template <class T>
class Watched {
public:
    using Parser = std::function<Result<T>(ControlSource&)>;

    Watched() : state_(std::make_shared<State>()) { state_->value = std::make_shared<const T>(); }
    Watched(std::shared_ptr<ControlSource> source, Parser parser) : state_(std::make_shared<State>()) {
        state_->source = std::move(source);
        state_->parser = std::move(parser);
        state_->value = std::make_shared<const T>();
        get();
    }

    /// The newest good content; what is returned stays valid and unchanged for as long as it is held. Keep it while you
    /// use an entry that was found in it (`const auto list = list_.get();`): with `list_->find(…)` alone the entry may
    /// be gone in the next line.
    std::shared_ptr<const T> get() const {
        State& state = *state_;
        if (!state.source) return state.value;
        const std::uint64_t generation = state.source->generation();
        const std::lock_guard lock(state.mutex);
        if (generation != state.generation) {
            state.generation = generation;
            if (!take(state)) state.source->fall_back() && take(state);
        }
        return state.value;
    }
    std::shared_ptr<const T> operator->() const { return get(); }

private:
    struct State {
        std::mutex mutex;
        std::shared_ptr<ControlSource> source;
        Parser parser;
        std::uint64_t generation = 0;  ///< sources start at 1
        std::shared_ptr<const T> value;
    };
    /// Reads the content; false if it is wrong, which is reported.
    static bool take(State& state) {
        if (auto parsed = state.parser(*state.source)) {
            state.value = std::make_shared<const T>(std::move(*parsed));
            return true;
        } else {
            detail::report_mistakes(*state.source, parsed.error(), [&state](ControlSource& from) {
                auto again = state.parser(from);
                return again ? std::nullopt : std::optional<Error>(again.error());
            });
            return false;
        }
    }
    std::shared_ptr<State> state_;
};

/// The control files of a server: its SmtpControlDir, then qmail's.
class SMTPD_API ControlFiles {
public:
    virtual ~ControlFiles() = default;
    /// The file of that name (no path separators). Never null; a missing file is an empty source.
    virtual std::shared_ptr<ControlSource> source(std::string_view name) = 0;
    /// A file of the same form that is elsewhere, by its absolute path (Setup::path).
    virtual std::shared_ptr<ControlSource> source_at(std::string_view path) = 0;

    /// How this server compares local parts: what AddressPatterns::parse() and list_key() want to know.
    LocalPartCase local_part_case() const noexcept { return local_part_case_; }
    /// For the server, before it makes its plugins.
    void set_local_part_case(LocalPartCase local_part_case) noexcept { local_part_case_ = local_part_case; }

    Watched<ControlText> lines(std::string_view name);
    Watched<AddressPatterns> address_patterns(std::string_view name);
    Watched<NetworkList> networks(std::string_view name);
    Watched<DomainList> domains(std::string_view name);
    Watched<Cdb> cdb(std::string_view name);  ///< the file `<name>.cdb`
    /// The first line of the file, now; nothing when there is none, or it cannot be read, which is reported.
    std::optional<std::string> first_line(std::string_view name);

    /// Any other form: `parse` turns the lines into a T.
    template <class T>
    Watched<T> parsed(std::string_view name, std::function<Result<T>(const ControlText&)> parse) {
        return parsed(source(name), std::move(parse));
    }
    template <class T>
    static Watched<T> parsed(std::shared_ptr<ControlSource> source,
                             std::function<Result<T>(const ControlText&)> parse) {
        return Watched<T>(std::move(source), [parse = std::move(parse)](ControlSource& from) -> Result<T> {
            auto text = from.text();
            if (!text) return text.error();
            return parse(*text);
        });
    }

private:
    LocalPartCase local_part_case_ = LocalPartCase::insensitive;
};

}  // namespace smtpd
