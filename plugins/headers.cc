/// headers: refuse messages with missing or repeated header fields, or an implausible date.
///
/// RFC 5322 3.6 requires a Date and a From field, and allows most fields only once. At the data_post hook, when the
/// message is complete, each of these is a fault:
///
/// - the message has no header field;
/// - a field in `require` is missing (`From` unless you say so; `From,Date` is sensible);
/// - Date, From, Sender, Reply-To, To, Cc, Bcc, Message-Id, In-Reply-To, References or Subject occurs more than once;
/// - the Date is more than `past` days ago or more than `future` days ahead. A date that cannot be read is not tested.
///
/// The reply lists all faults at once. Each fault costs a point of karma.
///
/// ## Replies
///
/// `552 5.6.0` (`452 4.6.0` with `reject_type=temp`), with one line for each fault: "A message must have a From field",
/// "More than one Subject field", "The Date is too far in the past", "The message has no header".
///
/// ## Example
///
///     SmtpPlugin headers require=From,Date past=15 future=2 reject_type=temp
///
/// ## Differences from qpsmtpd
///
/// With `reject=no` the plugin accepts faulty messages; in qpsmtpd, missing and repeated fields made the client naughty
/// even then. The reply has a text; in qpsmtpd it has a number. Each instance has its own `require`. Exempt clients are
/// exempt from all of these tests.
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace smtpd::plugins {
namespace {

/// Counts milliseconds: the nanoseconds of the system clock cannot represent years from 2263 on.
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;

/// Reads the date-time of RFC 5322 3.3 with the obsolete forms of 4.3: comments and blanks anywhere, years of two and
/// three digits, named zones.
class DateParser {
public:
    explicit DateParser(std::string_view text) : rest_(text) {}

    std::optional<TimePoint> parse() {
        skip_blanks();
        if (!rest_.empty() && is_ascii_letter(rest_.front()) && !day_name()) return {};
        const auto day = number(1, 2);
        const auto month = month_name();
        const auto year = year_number();
        const auto hour = number(1, 2);
        if (!day || !month || !year || !hour || !take(':')) return {};
        const auto minute = number(1, 2);
        const auto second = take(':') ? number(1, 2) : 0U;
        const auto offset = zone();
        if (!minute || !second || !offset || !rest_.empty()) return {};

        const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                               std::chrono::day(*day)};
        if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return {};
        return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
               std::chrono::seconds(*second) - *offset;
    }

private:
    void skip_blanks() {
        while (!rest_.empty()) {
            if (rest_.front() == '(') skip_comment();
            else if (rest_.front() == ' ' || (rest_.front() >= '\t' && rest_.front() <= '\r')) rest_.remove_prefix(1);
            else return;
        }
    }

    void skip_comment() {
        unsigned depth = 0;
        do {
            if (rest_.front() == '(') ++depth;
            if (rest_.front() == ')') --depth;
            rest_.remove_prefix(rest_.front() == '\\' && rest_.size() > 1 ? 2 : 1);
        } while (depth > 0 && !rest_.empty());
    }

    std::string_view word() {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_ascii_letter);
        const auto found = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(found.size());
        skip_blanks();
        return found;
    }

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        skip_blanks();
        return true;
    }

    std::optional<unsigned> number(std::size_t least_digits, std::size_t most_digits) {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_ascii_digit);
        const auto size = static_cast<std::size_t>(end - rest_.begin());
        if (size < least_digits || size > most_digits) return {};
        unsigned value = 0;
        std::from_chars(rest_.data(), rest_.data() + size, value);
        rest_.remove_prefix(size);
        skip_blanks();
        return value;
    }

    bool day_name() {
        const auto name = word();
        return std::any_of(std::begin(days), std::end(days), [&](auto day) { return ascii_equal(day, name); }) &&
               take(',');
    }

    std::optional<unsigned> month_name() {
        const auto name = word();
        for (unsigned i = 0; i < 12; ++i)
            if (ascii_equal(months[i], name)) return i + 1;
        return {};
    }

    /// Two digits: 2000 to 2049 and 1950 to 1999; three digits: from 1900 on.
    std::optional<unsigned> year_number() {
        const auto digits = std::find_if_not(rest_.begin(), rest_.end(), is_ascii_digit) - rest_.begin();
        const auto year = number(2, 4);
        if (!year || digits == 4) return year;
        return digits == 2 && *year < 50 ? *year + 2000 : *year + 1900;
    }

    /// Zone names that RFC 5322 does not define, military letters and a missing zone mean -0000: the zone is unknown.
    std::optional<std::chrono::minutes> zone() {
        if (rest_.empty()) return std::chrono::minutes(0);
        if (const bool negative = rest_.front() == '-'; negative || rest_.front() == '+') {
            rest_.remove_prefix(1);
            const auto digits = number(4, 4);
            if (!digits || *digits % 100 > 59) return {};
            const std::chrono::minutes offset(*digits / 100 * 60 + *digits % 100);
            return negative ? -offset : offset;
        }
        const auto name = word();
        if (name.empty()) return {};
        for (const auto& [known, hours] : zones)
            if (ascii_equal(known, name)) return std::chrono::hours(hours);
        return std::chrono::minutes(0);
    }

    static constexpr std::string_view days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static constexpr std::pair<std::string_view, int> zones[] = {{"UT", 0},   {"GMT", 0},  {"EST", -5}, {"EDT", -4},
                                                                 {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6},
                                                                 {"PST", -8}, {"PDT", -7}};
    std::string_view rest_;
};

constexpr const char* singular[] = {"Date", "From",       "Sender",      "Reply-To",   "To",     "Cc",
                                    "Bcc",  "Message-Id", "In-Reply-To", "References", "Subject"};

}  // namespace

class HeadersPlugin final : public PolicyPlugin {
public:
    static constexpr bool reads_body = false;
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::deny};

    struct Options {
        std::vector<std::string> require = {"From"};
        unsigned past = 0;
        unsigned future = 0;

        static OptionTable table() {
            return {
                option("require", &Options::require, "fields that a message must have, separated by commas"),
                option("past", &Options::past, "how many days a Date may be in the past; 0 = any").range("0", "100000"),
                option("future", &Options::future, "how many days a Date may be in the future; 0 = any")
                    .range("0", "100000")};
        }
    };

    HeadersPlugin(Setup& setup, const Options& options) : past_(options.past), future_(options.future) {
        for (const auto& names : options.require) add_required(names);
        setup.hooks.data_post.decide(
            [this](const DataPostHook& hook) { return judge(hook.message().headers(), now_of(hook.clock())); });
    }

private:
    void add_required(std::string_view names) {
        while (!names.empty()) {
            const auto name = names.substr(0, names.find_first_of(", "));
            if (!name.empty()) required_.emplace_back(name);
            names.remove_prefix(std::min(name.size() + 1, names.size()));
        }
    }

    static TimePoint now_of(const Clock& clock) { return std::chrono::floor<std::chrono::milliseconds>(clock.wall()); }

    Finding judge(const Headers& headers, TimePoint now) const {
        if (headers.empty()) return faulty({"The message has no header"});
        std::vector<std::string> faults;
        for (const auto& name : required_)
            if (headers.count(name) == 0) faults.push_back(format_text("A message must have a {} field", name));
        for (const char* name : singular)
            if (headers.count(name) > 1) faults.push_back(format_text("More than one {} field", name));
        if (const auto date = headers.get("Date"))
            if (const char* fault = fault_of(DateParser(*date).parse(), now)) faults.emplace_back(fault);
        return faults.empty() ? pass() : faulty(faults);
    }

    const char* fault_of(std::optional<TimePoint> date, TimePoint now) const {
        if (date && past_.count() > 0 && *date < now - past_) return "The Date is too far in the past";
        if (date && future_.count() > 0 && *date > now + future_) return "The Date is too far in the future";
        return nullptr;
    }

    static Finding faulty(const std::vector<std::string>& faults) {
        std::string reason, reply;
        for (const auto& fault : faults) {
            reason += (reason.empty() ? "" : "; ") + fault;
            reply += (reply.empty() ? "" : "\n") + fault;
        }
        return fail("{}", reason).reply(reply).status(EnhancedCode{5, 6, 0}).karma(-static_cast<int>(faults.size()));
    }

    std::vector<std::string> required_;
    const std::chrono::days past_;
    const std::chrono::days future_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("headers", smtpd::plugins::HeadersPlugin);
