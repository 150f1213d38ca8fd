/// history.h: the record of a session: which plugin said what, when, and how long it took, and what the client was
/// refused with.
///
///     for (const auto& entry : hook.connection.history().entries())
///         if (entry.is_failure()) hook.log(LogLevel::info, "{}", entry.to_string());
///
/// The server maintains it automatically. A handler that declines, or only observes, and gives no finding leaves no
/// entry. The size is limited: when the history is full, some entries of earlier transactions are dropped first, then
/// the oldest of the current one, then the oldest of all. It belongs to one session and is used by one thread at a
/// time.
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
        exemption,  ///< a policy plugin that was skipped because of `text`: "relay client", "whitelisted host: …"
        response,   ///< the verdict of another kind of handler
        fault,      ///< the server's message about a plugin: an exception, a deadline that passed
        reply  ///< the server refused a command or a message: `code` and `text` are the reply, whichever plugin caused
               ///< it. No plugin, no hook
    };
    static constexpr std::size_t max_text = 256;  ///< bytes; a longer text is cut

    Kind kind = Kind::response;
    HookId hook{};
    Outcome outcome = Outcome::pass;      ///< of a finding
    bool is_deferred = false;             ///< a failure that became a complaint: a refusal is pending
    bool is_tolerated = false;            ///< a failure without consequences (`reject=no`)
    Verdict verdict = Verdict::declined;  ///< the verdict given to the chain; for a finding, its consequence
    int karma = 0;                        ///< points that the finding gave the client
    int code = 0;                         ///< of the verdict's reply; 0: the hook's own
    EnhancedCode enhanced;
    std::string recipient;    ///< the recipient in question, if there are several: at data_post_rcpt, and with
                              ///< DataPostHook::refuse()
    std::string_view plugin;  ///< instance, as configured: "dnsbl:internal". Valid as long as the connection
    std::string text;         ///< the reason of a finding, otherwise the text for the client
    std::string reply;        ///< the text for the client because of a finding, now or later; "" = the hook's own text
    std::uint32_t command = 0;          ///< number of the current command in the session, from 1; 0 = before the first
    std::uint32_t transaction = 0;      ///< number of the current transaction, from 1; 0 = outside
    std::chrono::microseconds at{0};    ///< since the start of the session
    std::chrono::microseconds took{0};  ///< by the handler alone; as precise as the server's clock
    std::chrono::milliseconds parked{0};  ///< by the stage before its handlers were called: for the DNS, or for a
                                          ///< silence

    /// Whether the plugin's result was negative, whatever followed from it.
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
    }                                                            ///< in the order in which they were added
    std::uint32_t dropped() const noexcept { return dropped_; }  ///< entries that were dropped, also for lack of memory
    std::uint32_t total() const noexcept { return dropped_ + static_cast<std::uint32_t>(entries_.size()); }
    bool has_refusal() const noexcept { return has_refusal_; }  ///< the client got a 4xx or 5xx reply at any time

    /// The plugin that caused a refusal, if any.
    struct RejectionCause {
        const HistoryEntry* by = nullptr;         ///< the entry whose verdict was the refusal
        const HistoryEntry* complaint = nullptr;  ///< the deferred failure that `by` enforced
        /// The reason, if known: the complaint's, or the finding's.
        const HistoryEntry* reason() const noexcept {
            return complaint ? complaint : by && by->kind == HistoryEntry::Kind::finding ? by : nullptr;
        }
    };
    /// The cause of the refusal that followed the first `entries` entries. Valid until the next entry.
    RejectionCause rejection_cause(std::size_t entries) const noexcept;

private:
    friend struct ServerAccess;

    void add(HistoryEntry entry) noexcept;
    /// Adds an entry whose result is not known yet; close() completes it.
    void open(HistoryEntry entry) noexcept {
        add(std::move(entry));
        is_open_ = !entries_.empty();
    }
    bool is_open() const noexcept { return is_open_; }
    /// The entry that open() added, or null.
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
