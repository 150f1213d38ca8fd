/// dmarc_history.h: stores the DMARC results of messages in a file, for aggregate reports (RFC 9990).
///
/// The plugin dmarc adds messages, and the command smtpd-dmarc-report reads them. Messages that look the same in a
/// report are one entry with a count. The file is a SQLite database; several processes may add messages at the same
/// time. If it would grow beyond max_size, or if the disk is full, add() returns an Error and the reports lack the
/// message.
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

/// A message, or `count` messages with the same result.
struct DmarcEvent {
    std::chrono::sys_days day{};  ///< in UTC
    std::string policy_domain{};  ///< where the record was found
    std::string record{};         ///< the text of the record
    bool is_rfc7489 = false;
    std::string source_ip{};
    std::string header_from{};
    std::string envelope_from{};
    std::string disposition{};  ///< what was done: "none", "quarantine" or "reject"
    bool is_dkim_aligned = false;
    bool is_spf_aligned = false;
    std::string reason{};  ///< a reason of RFC 9990, or ""
    std::string reason_comment{};
    /// A sequence of "dkim DOMAIN SELECTOR RESULT;" and "spf DOMAIN RESULT;". An unknown word is "-".
    std::string results{};
    bool is_accepted = false;  ///< the client got the reply 250
    std::uint64_t count = 1;

    /// Converts the event to one line and back, for a LogQueue. from_line() returns std::nullopt if the line is not an
    /// event.
    SMTPD_API std::string to_line() const;
    SMTPD_API static std::optional<DmarcEvent> from_line(std::string_view line);
    bool operator==(const DmarcEvent&) const = default;
};

/// Only one thread may use an object at a time. An Error (io, no_space, unavailable) has the message of SQLite.
class SMTPD_API DmarcHistory {
public:
    static constexpr std::string_view file_name = "dmarc.sqlite";
    static constexpr std::uint64_t max_size = std::uint64_t{256} << 20;

    /// Opens the file; creates it if it is missing.
    static Result<DmarcHistory> open(const std::string& path);
    ~DmarcHistory();
    DmarcHistory(DmarcHistory&&) noexcept;
    DmarcHistory& operator=(DmarcHistory&&) = delete;

    /// Adds to the current transaction of the database; commit() ends it. Waits at most two seconds for other
    /// processes.
    Result<void> add(const DmarcEvent& event);
    Result<void> commit();

    /// The domains that still need a report for this day: at least one message passed and was accepted, and no report
    /// was sent.
    Result<std::vector<std::string>> domains(std::chrono::sys_days day);
    /// All events of this domain on this day.
    Result<std::vector<DmarcEvent>> events(std::chrono::sys_days day, const std::string& policy_domain);
    /// Marks the report as sent: domains() of this day no longer returns the domain.
    Result<void> set_sent(std::chrono::sys_days day, const std::string& policy_domain);
    /// Deletes the events of earlier days.
    Result<void> forget_before(std::chrono::sys_days day);

private:
    struct State;
    explicit DmarcHistory(std::unique_ptr<State> state) noexcept;

    std::unique_ptr<State> state_;
};

}  // namespace smtpd
