/// history.h: what was said about a session so far: which plugin said what, when, and how long it took, and what the
/// client was refused with.
///
///     for (const auto& entry : hook.connection.history().entries())
///         if (entry.is_failure()) hook.log(LogLevel::info, "{}", entry.to_string());
///
/// The server keeps it; nobody has to do anything for it. A handler that declines, or looks on, without a finding
/// leaves nothing. Its size is limited: when it is full, some entries of former transactions go first, then the oldest
/// of the present one, then the oldest of all. It belongs to one session and is used by one thread at a time.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/reply.h>
#include <smtpd/finding.h>
#include <smtpd/verdict.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd {

enum class HookId : std::uint8_t;

struct HistoryEntry {
    enum class Kind : std::uint8_t {
        finding,    ///< a policy plugin's: `outcome`, `text` is the reason
        exemption,  ///< a policy plugin that was not asked, because of `text`: "relay client", "whitelisted host: …"
        response,   ///< another handler's verdict
        fault,      ///< what the server has to say about the plugin: an exception, a deadline that passed
        reply       ///< the server refused something: `code` and `text` are what the client was told, whichever plugin
                    ///< wanted it. No plugin, no hook
    };
    static constexpr std::size_t max_text = 256;  ///< octets; what is longer is cut

    Kind kind = Kind::response;
    HookId hook{};
    Outcome outcome = Outcome::pass;      ///< of a finding
    bool is_deferred = false;             ///< a failure that became a complaint: a refusal waits for the client
    bool is_tolerated = false;            ///< a failure from which nothing follows (`reject=no`)
    Verdict verdict = Verdict::declined;  ///< what the chain was told; of a finding, what became of it
    int karma = 0;                        ///< points that the finding brought the client
    int code = 0;                         ///< of the verdict's reply; 0: the hook's own
    EnhancedCode enhanced;
    std::string recipient;    ///< which one it is about, if there are several: at data_post_rcpt, and with
                              ///< MessageHook::refuse()
    std::string_view plugin;  ///< instance, as it is configured: "dnsbl:internal". Valid as long as the connection
    std::string text;         ///< the reason of a finding, else what the client was to be told
    std::string reply;  ///< what the client is to be told because of a finding, now or later; "" = the hook's own text
    std::uint32_t command = 0;            ///< at which command of the session, counted from 1; 0 = before the first
    std::uint32_t transaction = 0;        ///< in which transaction, counted from 1; 0 = outside
    std::chrono::microseconds at{0};      ///< since the session began
    std::chrono::microseconds took{0};    ///< by the handler alone, as exact as the server's clock
    std::chrono::milliseconds parked{0};  ///< by the stage before its handlers were called: for the DNS, for a silence

    /// Whether the plugin was against the client, whatever came of it.
    bool is_failure() const noexcept {
        return (kind == Kind::finding && outcome == Outcome::fail) || is_denial(verdict);
    }
    /// "(rcpt) badrcptto: fail: bad@example.com is listed -> deny 5.7.1, karma -1", without the times. Safe for a log.
    SMTPD_API std::string to_string() const;
    /// "at 1.204 s, took 0.2 ms, after 3 ms of waiting"
    SMTPD_API std::string times() const;
};

class SMTPD_API History {
public:
    static constexpr std::size_t capacity = 64;

    const std::vector<HistoryEntry>& entries() const noexcept {
        return entries_;
    }  ///< in the order in which they were said
    std::uint32_t dropped() const noexcept {
        return dropped_;
    }  ///< entries that had to go, or for which there was no memory
    std::uint32_t total() const noexcept { return dropped_ + static_cast<std::uint32_t>(entries_.size()); }
    bool has_refusal() const noexcept { return has_refusal_; }  ///< the client was told a 4xx or 5xx, at any time

    /// Who is behind a refusal, if a plugin is.
    struct RejectionCause {
        const HistoryEntry* by = nullptr;         ///< whose verdict it was
        const HistoryEntry* complaint = nullptr;  ///< the deferred failure that `by` carried out
        /// Why, as far as somebody said: the reason of the complaint, or of the finding.
        const HistoryEntry* reason() const noexcept {
            return complaint ? complaint : by && by->kind == HistoryEntry::Kind::finding ? by : nullptr;
        }
    };
    /// Of the refusal that came when that many entries were there. Valid until the next entry.
    RejectionCause rejection_cause(std::size_t entries) const noexcept;

private:
    friend struct ServerAccess;

    void add(HistoryEntry entry) noexcept;
    /// The same with an entry whose end is not known yet: close() adds that.
    void open(HistoryEntry entry) noexcept {
        add(std::move(entry));
        is_open_ = !entries_.empty();
    }
    bool is_open() const noexcept { return is_open_; }
    /// The entry that open() added. Null where there is none.
    HistoryEntry* close() noexcept {
        if (!is_open_) return nullptr;
        is_open_ = false;
        return &entries_.back();
    }
    void set_transaction(std::uint32_t number) noexcept { transaction_ = number; }
    void make_room() noexcept;

    std::vector<HistoryEntry> entries_;
    std::uint32_t dropped_ = 0;
    std::uint32_t transaction_ = 0;
    bool is_open_ = false;
    bool has_refusal_ = false;
};

}  // namespace smtpd
