/// request.h: what is to be tried out, as the command smtpd-try hands it to the server's program; and how it is written
/// down on the way there.
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
    bool is_list = false;  ///< only the chains of hooks
    bool is_json = false;
    std::string host;  ///< "mx.example.com" or "mx.example.com:25"; "" = the only one

    Endpoint client = local_client();
    std::string client_host;  ///< by reverse DNS
    std::string tls;          ///< "TLSv1.3"; "" = not encrypted
    bool is_esmtp = true;
    std::string helo;
    std::string user, password, mechanism = "PLAIN";  ///< AUTH; "" = none. PLAIN or LOGIN
    std::optional<std::string> from;                  ///< without it the session ends behind EHLO; "" = the null sender
    std::vector<std::string> to;                      ///< none: it ends behind MAIL
    std::optional<std::string> message;               ///< as it is; none: it ends behind RCPT

    std::optional<std::string> zone;   ///< the text of a zone file, instead of the DNS
    bool takes_time = false;           ///< waits are waited for
    std::vector<Duration> again;       ///< how long after the session before the client comes again, each time
    LogLevel log = LogLevel::warning;  ///< lines up to that level are shown

    std::string to_text() const;
    static Result<Request> from_text(std::string_view text);

private:
    static Endpoint local_client() { return {IpAddress::v4({127, 0, 0, 1}), 49152}; }
};

/// How it went: what the command's exit status says.
enum class MailOutcome : std::uint8_t {
    accepted,
    rejected,
    deferred,
    failed,
    none  ///< nothing was refused, but there was no transaction either
};
std::string_view outcome_name(MailOutcome outcome) noexcept;

/// What comes back: the output, and behind it one octet NUL and the outcome's number.
std::string with_outcome(std::string output, MailOutcome outcome);
/// Takes it off again; nothing where it is not there.
std::optional<MailOutcome> take_outcome(std::string& output);

}  // namespace smtpd::dry_run
