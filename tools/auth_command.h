/// auth_command.h: the common parts of smtpd-auth's subcommands: options, DNS, output.
///
/// A subcommand is a file tools/auth_NAME.cc with a function that returns its Subcommand; the table in smtpd_auth.cc
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
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::tools {

// Exit statuses, as in sysexits.h. If there is a result, the status is 0, even if the result is a failure.
constexpr int usage_error = 64;
constexpr int data_error = 65;      ///< a file has invalid content
constexpr int no_input = 66;        ///< a file cannot be read
constexpr int software_error = 70;  ///< anything else
constexpr int output_error = 74;    ///< the result cannot be written

/// Ends the command with this message and status.
struct AuthError : std::runtime_error {
    AuthError(const std::string& what, int with_status) : std::runtime_error(what), status(with_status) {}
    int status;
};

struct AuthOption {
    std::string_view name;     ///< "--ip"
    std::string_view value{};  ///< the placeholder for its value in the help: "ADDRESS"; "" for an option without a
                               ///< value
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

/// One call: the values of its options, and its other arguments.
class AuthCall {
public:
    AuthCall(const Subcommand& command, std::vector<std::string> arguments);

    const std::vector<std::string>& words() const noexcept { return words_; }
    bool has(std::string_view option) const { return values_.contains(option); }
    /// The value of an option, or `otherwise` if it is not given. If it is given several times, the last value counts.
    std::string value(std::string_view option, std::string_view otherwise = {}) const;
    /// All values of an option.
    std::vector<std::string> values(std::string_view option) const;
    /// A number from `least` to `most`. Throws AuthError for anything else.
    std::uint64_t number(std::string_view option, std::uint64_t otherwise, std::uint64_t least,
                         std::uint64_t most) const;

    /// The time of --now, otherwise the current time.
    WallTime now() const;

    /// Calls `evaluate`, which takes mailauth::Lookups& and returns a std::optional, until it returns a result, and
    /// answers its questions in between. After --timeout, missing answers count as timed out.
    template <class F>
    auto evaluate(F evaluate) {
        return dns().run(evaluate);
    }
    /// The evaluation itself, for several calls that share their answers.
    Evaluation& dns();

    /// Prints a JSON object on one line.
    template <class F>
    void print(F members) const {
        dry_run::JsonWriter json;
        json.object([&] { members(json); });
        say(json.str());
    }

    /// Reads all of standard input. Throws AuthError.
    static std::string read_input();

private:
    const Subcommand& command_;
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::vector<std::string> words_;
    std::optional<Evaluation> dns_;
};

/// The whole of main() for smtpd-auth and smtpd-dmarc-report: --help, --version, errors, and an output that cannot be
/// written. `run` gets the words of the call, at least one, and returns the exit status.
int run_auth_program(int argc, char** argv, const std::function<std::string()>& help,
                     const std::function<int(const std::vector<std::string>&)>& run);

/// Reads a file. Throws AuthError if it cannot be read.
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
