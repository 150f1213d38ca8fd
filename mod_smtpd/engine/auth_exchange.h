/// auth_exchange.h: one exchange of AUTH (RFC 4954), from the name of the mechanism to its result.
///
/// Lines of the client and responses of plugins go in. The session's next action comes out as a value: send a
/// challenge, run the plugins of a hook, or take the result. An exchange sends nothing, calls nothing, and has no
/// effect on the session.
///
/// The mechanism's object holds the credentials, from the client's octets to the end of the last hook; all other copies
/// made here are overwritten. An object is made for one exchange and destroyed with its result. Not thread-safe.
#pragma once

#include "smtp/line_splitter.h"
#include "smtp/sasl.h"

#include <smtpd/auth/credentials.h>
#include <smtpd/base/reply.h>
#include <smtpd/hooks.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace smtpd::engine {

/// RFC 4954 4: a line of the exchange has at most 12288 octets, plus CRLF.
inline constexpr std::size_t max_exchange_line = 12288 + 2;

/// A string that may contain a password; overwritten at the end of its scope.
struct Wiped {
    std::string& octets;
    ~Wiped() { wipe(octets); }
};

/// The argument of AUTH: `PLAIN AGpvZQBzZWNyZXQ=`.
struct AuthArgument {
    std::string_view mechanism;
    std::string_view initial_response;  ///< base64, "=" for an empty one; "" if there is none
};
/// Nothing if the text has another form.
std::optional<AuthArgument> parse_auth(std::string_view argument);

class AuthExchange {
public:
    /// Send `334` with these octets in base64, then pass the client's answer to take().
    struct Challenge {
        std::string octets;
    };
    /// Run the plugins of that hook with credentials() and findings(); then call answered() with their response.
    struct Ask {
        HookId hook;
    };
    /// The exchange has ended.
    struct Result {
        Reply reply;
        bool is_authenticated = false;  ///< the client is authenticated as login()
        bool disconnects = false;
        bool is_refusal = false;  ///< the mechanism or a plugin refused the credentials: must be logged
        bool is_known = false;    ///< plugins were already notified, with the last challenge
        /// If not empty: send this challenge first. The reply follows after the client's answer.
        std::string last_challenge{};
    };
    struct Next {
        std::variant<Challenge, Ask, Result> step;
        std::string fault{};  ///< a fault of a plugin, for the log
    };

    /// `mechanism` must be known to smtp::make_sasl(); `nonce` must be unpredictable and never reused.
    AuthExchange(std::string_view mechanism, std::string_view nonce, std::string_view server_name,
                 const smtp::ScramServer& scram);

    /// The first call: the client sent AUTH with that initial response.
    Next begin(std::string_view initial_response);
    /// Takes a line of the client. `rejects_bare_cr`: a line with a CR inside ends the exchange.
    Next take(const smtp::LineSplitter::Line& line, bool rejects_bare_cr);
    /// Takes the response of the plugins at the hook that the last Ask named.
    Next answered(HookId hook, const Response& response);

    const Credentials& credentials() const noexcept { return sasl_->credentials(); }
    AuthFindings& findings() noexcept { return findings_; }
    /// The client's identity: what the client claims, or what a plugin found out.
    const std::string& login() const noexcept { return findings_.login; }

private:
    Next take_response(std::string_view base64);
    Next looked_up(HookId hook, const Response& response);
    Next judged(HookId hook, const Response& response);
    Next refused_by_mechanism();
    Next refused(Reply words);

    struct Lookup {
        HookId hook;
        Response response;
    };
    std::unique_ptr<smtp::SaslMechanism> sasl_;
    AuthFindings findings_;
    std::optional<Lookup> lookup_;     ///< the response about SCRAM's user; takes effect after the client has sent its
                                       ///< proof
    std::optional<Reply> last_words_;  ///< held until the client has answered the last challenge
};

}  // namespace smtpd::engine
