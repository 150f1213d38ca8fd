/// control.h: qpsmtpd's and qmail's control files: read at startup, checked at configtest, and read again when they
/// change.
///
/// A plugin requests a file in its constructor and keeps the returned object; `file->…` then always accesses the newest
/// content. A file that does not exist is empty, and the server notices when it appears. If a file becomes unreadable
/// or wrong, the server logs one warning and keeps the old content. The same applies, for 15 seconds, to a file that
/// disappears or loses lines while it is rewritten in place (host/control_files.h). All calls are thread-safe; the
/// server checks a file's state at most once a second.
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
    std::string file;  ///< the file that contains the line, for messages
    unsigned number = 0;
    bool had_final_blanks = false;  ///< the line ended in blanks or tabs; for files in which they may be intended

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

/// A line `entry CODE [text]`, the form of hosts_allow and similar files: which verdict and text an entry gets.
struct SMTPD_API VerdictLine {
    std::string entry;
    Verdict verdict = Verdict::declined;  ///< never `done`
    std::string text;                     ///< may be empty

    /// The Error names the file, the line and the valid words.
    static Result<VerdictLine> parse(const ControlLine& line);
};

/// badmailfrom, badrcptto: one `entry [reason]` a line. An entry is an address, `@domain`, or a regular expression
/// (recognised by any of `/ ^ $ * + ! % ? \`; slashes around it are dropped), which is matched case-insensitively
/// against the key_spellings() of the address. The first match in file order wins. The null address, and an address
/// without a domain, match nothing.
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

/// relayclients and similar files: one address, network (`192.0.2.0/24`, `2001:db8::/32`) or qmail-style prefix
/// (`192.0.2.`, `2001:db8:`, `2001:db8`) a line, with an optional reason. The first match in file order wins.
class SMTPD_API NetworkList {
public:
    static Result<NetworkList> parse(const ControlText& text);
    const ListEntry* find(const IpAddress& address) const;
    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }

    /// Parses one entry in any of the three forms.
    static std::optional<IpNetwork> parse_entry(std::string_view text);

private:
    struct Hash {
        std::size_t operator()(const IpAddress& address) const noexcept;
    };
    /// All networks of one prefix length: their first addresses, each with its index in entries_.
    struct Level {
        unsigned bits = 0;
        std::unordered_map<IpAddress, std::size_t, Hash> networks;
    };
    std::vector<ListEntry> entries_;
    std::vector<Level> v4_;
    std::vector<Level> v6_;
};

/// rcpthosts and similar files: one `example.com`, or `.example.com` for all its subdomains, a line. Names are compared
/// with ascii_domain(), so that U-labels equal A-labels and case does not matter.
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
/// and `192.0`); a host name, which also matches all its subdomains; or a /regular expression/, which is matched
/// case-insensitively against names. Blanks, and everything after a #, are ignored.
class SMTPD_API HostList {
public:
    static Result<HostList> parse(const ControlText& text);
    /// `name` is the client's confirmed name; "" if there is none.
    bool contains(const IpAddress& address, const std::string& name) const;

private:
    NetworkList networks_;
    DomainList names_;
    std::vector<Pattern> patterns_;
};

/// A constant database (cdb) in qmail's format: read-only. Replace it by renaming a new file over the old one, as
/// cdbmake does. A file of up to 4 MB is read into memory, so it may also be overwritten in place; a larger file is
/// mapped.
class SMTPD_API Cdb {
public:
    Cdb();  ///< empty
    ~Cdb();
    Cdb(Cdb&&) noexcept;
    Cdb& operator=(Cdb&&) noexcept;
    /// Reads or maps the file. An Error if it is not a cdb; damaged offsets are detected too (a lookup never reads
    /// outside the file).
    static Result<Cdb> open(const std::string& path);
    /// The first value of that key.
    std::optional<std::string_view> find(std::string_view key) const;
    bool empty() const noexcept;

private:
    struct Map;
    std::unique_ptr<Map> map_;
};

/// The file behind a Watched, as significant lines (or, for a cdb, as a path). Implemented by the host.
class ControlSource {
public:
    virtual ~ControlSource() = default;
    /// Checks whether the file changed (at most once a second). The number changes whenever the content may have
    /// changed.
    virtual std::uint64_t generation() = 0;
    virtual Result<ControlText> text() = 0;
    virtual std::string path() const = 0;                 ///< "" while the file does not exist
    virtual void report(const std::string& problem) = 0;  ///< configuration error during startup, one warning
                                                          ///< afterwards
    /// Returns to older content that was valid: text() gives it from now on. False if there is none.
    virtual bool fall_back() { return false; }
};

namespace detail {
/// Reports every error in a file. A parser stops at the first one, so each line that an error names is left out and
/// `parse` is called again, up to 20 times. `parse` returns an error, or nothing on success.
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

    /// The newest valid content; the object stays valid and unchanged for as long as it is held. Hold it while you use
    /// an entry found in it (`const auto list = list_.get();`): with `list_->find(…)` alone, the entry may be gone in
    /// the next line.
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
    /// Reads the content. If it is wrong, reports that and returns false.
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

/// The control files of a server: those in its SmtpControlDir, then qmail's.
class SMTPD_API ControlFiles {
public:
    virtual ~ControlFiles() = default;
    /// The file of that name (no path separators). Never null; a missing file is an empty source.
    virtual std::shared_ptr<ControlSource> source(std::string_view name) = 0;
    /// A file of the same form elsewhere, by its absolute path (Setup::path).
    virtual std::shared_ptr<ControlSource> source_at(std::string_view path) = 0;

    /// How this server compares local parts: an argument of AddressPatterns::parse() and list_key().
    LocalPartCase local_part_case() const noexcept { return local_part_case_; }
    /// For the server, before it creates its plugins.
    void set_local_part_case(LocalPartCase local_part_case) noexcept { local_part_case_ = local_part_case; }

    Watched<ControlText> lines(std::string_view name);
    Watched<AddressPatterns> address_patterns(std::string_view name);
    Watched<NetworkList> networks(std::string_view name);
    Watched<DomainList> domains(std::string_view name);
    Watched<Cdb> cdb(std::string_view name);  ///< the file `<name>.cdb`
    /// The current first line of the file. Nothing if there is none, or if the file cannot be read, which is reported.
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
