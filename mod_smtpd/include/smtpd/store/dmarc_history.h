/// dmarc_history.h: what came of messages by DMARC, in a file, for aggregate reports (RFC 9990).
///
/// The plugin dmarc adds messages, and the command smtpd-dmarc-report reads them. Messages that have everything in
/// common that a report says are one entry with a count. The file is a SQLite database; several processes may add at a
/// time. It is no longer than max_size: then, as when the disk is full, add() gives an Error and the message is lost
/// for the reports.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

/// A message, or `count` messages.
struct DmarcEvent {
    std::chrono::sys_days day{};  ///< in UTC
    std::string policy_domain{};  ///< where the record was found
    std::string record{};         ///< its text
    bool is_rfc7489 = false;
    std::string source_ip{};
    std::string header_from{};
    std::string envelope_from{};
    std::string disposition{};  ///< "none", "quarantine", "reject": what was done
    bool is_dkim_aligned = false;
    bool is_spf_aligned = false;
    std::string reason{};  ///< a reason of RFC 9990, or ""
    std::string reason_comment{};
    /// "dkim DOMAIN SELECTOR RESULT;" or "spf DOMAIN RESULT;", one after the other; an unknown word is "-".
    std::string results{};
    bool is_accepted = false;  ///< the client was told 250
    std::uint64_t count = 1;

    /// On one line, and back; nothing if it is none. For a LogQueue.
    SMTPD_API std::string to_line() const;
    SMTPD_API static std::optional<DmarcEvent> from_line(std::string_view line);
    bool operator==(const DmarcEvent&) const = default;
};

/// One thread at a time. An Error (io, no_space, unavailable) says what SQLite says.
class SMTPD_API DmarcHistory {
public:
    static constexpr std::string_view file_name = "dmarc.sqlite";
    static constexpr std::uint64_t max_size = std::uint64_t{256} << 20;

    /// Makes the file if it is missing.
    static Result<DmarcHistory> open(const std::string& path);
    ~DmarcHistory();
    DmarcHistory(DmarcHistory&&) noexcept;
    DmarcHistory& operator=(DmarcHistory&&) = delete;

    /// Adds, within a change that commit() ends. Waits at most two seconds for other processes.
    Result<void> add(const DmarcEvent& event);
    Result<void> commit();

    /// The domains with at least one message of that day that passed and was accepted, and about which no report of
    /// that day was sent.
    Result<std::vector<std::string>> domains(std::chrono::sys_days day);
    /// All of that domain and day.
    Result<std::vector<DmarcEvent>> events(std::chrono::sys_days day, const std::string& policy_domain);
    /// domains() of that day has that one no more.
    Result<void> set_sent(std::chrono::sys_days day, const std::string& policy_domain);
    /// Forgets the days before that one.
    Result<void> forget_before(std::chrono::sys_days day);

private:
    struct State;
    explicit DmarcHistory(std::unique_ptr<State> state) noexcept;

    std::unique_ptr<State> state_;
};

}  // namespace smtpd
