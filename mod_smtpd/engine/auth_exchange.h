/// auth_exchange.h: one exchange of AUTH (RFC 4954), from the name of the mechanism to its result.
///
/// Lines of the client and answers of plugins go in. What the session is to do next comes out as a value: send a
/// challenge, ask the plugins of a hook, or take the result. An exchange sends nothing, calls nobody, and has no effect
/// on the session.
///
/// Credentials live in the mechanism's object, from the client's octets to the end of the last hook; all else they pass
/// through here is overwritten. An object is made for an exchange and thrown away with its result. No thread-safety.
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

/// RFC 4954 4: a line of the exchange has at most 12288 octets; and CRLF.
inline constexpr std::size_t max_exchange_line = 12288 + 2;

/// A string that may have a password in it, overwritten when it is over.
struct Wiped {
    std::string& octets;
    ~Wiped() { wipe(octets); }
};

/// The argument of AUTH: `PLAIN AGpvZQBzZWNyZXQ=`.
struct AuthArgument {
    std::string_view mechanism;
    std::string_view initial_response;  ///< base64, "=" for an empty one; "" where there is none
};
/// Nothing where it is not of that form.
std::optional<AuthArgument> parse_auth(std::string_view argument);

class AuthExchange {
public:
    /// Send `334` with these octets, in base64, and then take() what the client answers.
    struct Challenge {
        std::string octets;
    };
    /// Ask the plugins of that hook, who see credentials() and findings(); then tell what they have answered().
    struct Ask {
        HookId hook;
    };
    /// The exchange is decided.
    struct Result {
        Reply reply;
        bool is_authenticated = false;  ///< the client is login() now
        bool disconnects = false;
        bool is_refusal = false;  ///< of credentials, by mechanism or plugin: something for the log
        bool is_known = false;    ///< plugins have heard of it already, with the last challenge
        /// Not empty: what to send instead of the reply. What the client answers to it leads to the reply.
        std::string last_challenge{};
    };
    struct Next {
        std::variant<Challenge, Ask, Result> step;
        std::string fault{};  ///< what a plugin did wrong, for the log
    };

    /// `mechanism` is one that smtp::make_sasl() knows; `nonce` is unpredictable and never used twice.
    AuthExchange(std::string_view mechanism, std::string_view nonce, std::string_view server_name,
                 const smtp::ScramServer& scram);

    /// First: AUTH was said, with that initial response.
    Next begin(std::string_view initial_response);
    /// A line of the client. `rejects_bare_cr`: one with a CR inside ends the exchange.
    Next take(const smtp::LineSplitter::Line& line, bool rejects_bare_cr);
    /// The plugins of the hook that was to be asked have said that.
    Next answered(HookId hook, const Response& response);

    const Credentials& credentials() const noexcept { return sasl_->credentials(); }
    AuthFindings& findings() noexcept { return findings_; }
    /// Who the client says it is, or who it is by what a plugin found out.
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
    std::optional<Lookup> lookup_;     ///< what was said of SCRAM's user; told when the client has sent its proof
    std::optional<Reply> last_words_;  ///< wait for the client's answer to the last challenge
};

}  // namespace smtpd::engine
