/// request.h: a dry run's request, as the command smtpd-try passes it to the server's program, and its serialisation.
#pragma once

#include <smtpd/base/log.h>
#include <smtpd/base/result.h>
#include <smtpd/connection.h>
#include <smtpd/waiting.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::dry_run {

struct Request {
    bool is_list = false;  ///< lists only the chains of hooks
    bool is_json = false;
    std::string host;  ///< "mx.example.com" or "mx.example.com:25"; "" = the only one

    Endpoint client = local_client();
    std::string client_host;  ///< by reverse DNS
    std::string tls;          ///< "TLSv1.3"; "" = not encrypted
    bool is_esmtp = true;
    std::string helo;
    std::string user, password, mechanism = "PLAIN";  ///< AUTH; "" = none. PLAIN or LOGIN
    std::optional<std::string> from;                  ///< without it the session ends after EHLO; "" = the null sender
    std::vector<std::string> to;                      ///< none: the session ends after MAIL
    std::optional<std::string> message;               ///< unchanged; none: the session ends after RCPT

    std::optional<std::string> zone;  ///< the text of a zone file, instead of the DNS
    bool takes_time = false;          ///< waits take real time
    std::vector<Duration> again;  ///< how long after the previous session the client comes again, for each repetition
    LogLevel log = LogLevel::warning;  ///< lines up to that level are shown

    std::string to_text() const;
    static Result<Request> from_text(std::string_view text);

private:
    static Endpoint local_client() { return {IpAddress::v4({127, 0, 0, 1}), 49152}; }
};

/// The outcome: determines the command's exit status.
enum class MailOutcome : std::uint8_t {
    accepted,
    rejected,
    deferred,
    failed,
    none  ///< nothing was refused, but there was no transaction
};
std::string_view outcome_name(MailOutcome outcome) noexcept;

/// The serialised result: the output, followed by a NUL and the number of the outcome.
std::string with_outcome(std::string output, MailOutcome outcome);
/// Removes and returns the outcome; nothing if it is missing.
std::optional<MailOutcome> take_outcome(std::string& output);

}  // namespace smtpd::dry_run
