/// auth_command.h: what the subcommands of smtpd-auth have in common: their options, their DNS, their output.
///
/// A subcommand is a file tools/auth_NAME.cc with a function that gives its Subcommand; the table in smtpd_auth.cc
/// names that function. Its run() reads the options, evaluates with AuthCall::evaluate() and prints one line of JSON:
///
///     int run(AuthCall& call) {
///         const auto result = call.evaluate([&](mailauth::Lookups& lookups) { return check(…, lookups); });
///         call.print([&](dry_run::JsonWriter& json) { json.text("result", result.word()); });
///         return good;
///     }
#pragma once

#include "dry_run/json.h"
#include "tools/auth_evaluation.h"
#include "tools/command.h"

#include <smtpd/base/clock.h>

#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::tools {

// Exit statuses, as sysexits.h has them. A result is 0, whatever it is.
constexpr int usage_error = 64;
constexpr int data_error = 65;      ///< a file is not what it should be
constexpr int no_input = 66;        ///< a file cannot be read
constexpr int software_error = 70;  ///< anything else
constexpr int output_error = 74;    ///< the result cannot be written

/// Ends the command with that complaint and status.
struct AuthError : std::runtime_error {
    AuthError(const std::string& what, int with_status) : std::runtime_error(what), status(with_status) {}
    int status;
};

struct AuthOption {
    std::string_view name;     ///< "--ip"
    std::string_view value{};  ///< what its value is called in the help: "ADDRESS"; "" for an option without one
    enum class Use { optional, needed, repeated } use = Use::optional;
    std::string_view help{};
};

class AuthCall;

struct Subcommand {
    std::string_view name;
    std::string_view words;  ///< "forward|reverse ADDRESS", or ""
    std::string_view help;   ///< one line
    std::vector<AuthOption> options;
    std::size_t least_words = 0;
    std::size_t most_words = 0;
    int (*run)(AuthCall&);
};

/// One call: the values of its options, and the words that are none.
class AuthCall {
public:
    AuthCall(const Subcommand& command, std::vector<std::string> arguments);

    const std::vector<std::string>& words() const noexcept { return words_; }
    bool has(std::string_view option) const { return values_.contains(option); }
    /// The value of an option, or `otherwise` without it. The last one counts if it is given several times.
    std::string value(std::string_view option, std::string_view otherwise = {}) const;
    /// All values of an option.
    std::vector<std::string> values(std::string_view option) const;
    /// A number from `least` to `most`. Throws AuthError for anything else.
    std::uint64_t number(std::string_view option, std::uint64_t otherwise, std::uint64_t least,
                         std::uint64_t most) const;

    /// --now, or the time.
    WallTime now() const;

    /// Calls `evaluate`, which takes mailauth::Lookups& and gives a std::optional, until it has a result, and answers
    /// its questions in between. When --timeout has passed, what is missing has timed out.
    template <class F>
    auto evaluate(F evaluate) {
        return dns().run(evaluate);
    }
    /// The same for several evaluations that share their answers.
    Evaluation& dns();

    /// Prints an object on one line.
    template <class F>
    void print(F members) const {
        dry_run::JsonWriter json;
        json.object([&] { members(json); });
        say(json.str());
    }

    /// The whole of standard input. Throws AuthError.
    static std::string read_input();

private:
    const Subcommand& command_;
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::vector<std::string> words_;
    std::optional<Evaluation> dns_;
};

/// A file. Throws AuthError if it cannot be read.
std::string read_whole_file(const std::string& name);

Subcommand ar_parse_subcommand();
Subcommand arc_seal_subcommand();
Subcommand arc_subcommand();
Subcommand check_subcommand();
Subcommand dkim_sign_subcommand();
Subcommand dkim_subcommand();
Subcommand dmarc_subcommand();
Subcommand orgdomain_subcommand();
Subcommand spf_subcommand();
Subcommand srs_subcommand();

}  // namespace smtpd::tools
