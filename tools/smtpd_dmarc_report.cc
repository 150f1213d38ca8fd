/// smtpd_dmarc_report.cc: the command smtpd-dmarc-report, which makes and sends DMARC aggregate reports. See its manual
/// page, docs/smtpd-dmarc-report.1.
#include "support/strings.h"
#include "tools/auth_command.h"
#include "tools/dmarc_reporter.h"
#include "tools/opened_store.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <optional>

namespace smtpd::tools {

const char program[] = "smtpd-dmarc-report";

namespace {

using mailauth::DmarcReport;
using Use = AuthOption::Use;

constexpr std::chrono::days kept_days{7};    ///< the database keeps
constexpr std::chrono::days days_to_try{3};  ///< yesterday, and earlier days whose reports could not be sent

/// The data that all reports of a call share.
struct Reporter {
    std::string submitter;  ///< a domain
    std::string from;       ///< an address
    std::string org_name;
    std::string extra_contact;
};

[[noreturn]] void wrong(const std::string& what) { throw AuthError(what, usage_error); }

std::string domain_of(const std::string& address) { return ascii_domain(address.substr(address.rfind('@') + 1)); }

Reporter reporter_of(const AuthCall& call) {
    Reporter out;
    out.from = call.value("--from");
    if (mailauth::mail_address_of("mailto:" + out.from) != out.from)
        wrong(format_text("--from takes an address of mail, not \"{}\"", quoted(out.from)));
    out.submitter = ascii_domain(call.value("--submitter", domain_of(out.from)));
    out.org_name = call.value("--org", out.submitter);
    out.extra_contact = call.value("--contact");
    return out;
}

std::chrono::sys_days today(const AuthCall& call) { return std::chrono::floor<std::chrono::days>(call.now()); }

/// The day of --day YYYY-MM-DD, or all days for which reports may still be missing.
std::vector<std::chrono::sys_days> days_of(const AuthCall& call) {
    std::vector<std::chrono::sys_days> days;
    if (!call.has("--day")) {
        for (auto back = days_to_try; back.count() > 0; --back) days.push_back(today(call) - back);
        return days;
    }
    const std::string text = call.value("--day");
    const auto parts = support::split(text, '-');
    const auto number = [&](std::size_t part) {
        return parts.size() == 3 ? static_cast<unsigned>(support::parse_unsigned(parts[part]).value_or(0)) : 0;
    };
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(number(0))),
                                           std::chrono::month(number(1)), std::chrono::day(number(2))};
    if (!date.ok()) wrong(format_text("--day takes a date such as 2026-11-30, not \"{}\"", quoted(text)));
    if (std::chrono::sys_days(date) >= today(call)) wrong("--day takes a day that is over, in UTC");
    return {std::chrono::sys_days(date)};
}

/// Returns the value of a result; throws its Error as an AuthError.
template <class T>
T must(Result<T> result) {
    if (!result) throw AuthError(result.error().what, software_error);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

DmarcHistory open_history(const AuthCall& call) {
    const std::string path = call.value("--database", SMTPD_STATE_DIR "/dmarc") + "/" +
                             std::string(DmarcHistory::file_name);
    if (FILE* const file = std::fopen(path.c_str(), "r")) std::fclose(file);
    else throw AuthError(format_text("{} cannot be read", path), no_input);
    must(become_owner(path));
    return must(DmarcHistory::open(path));
}

DmarcReport complete(DmarcReport report, const Reporter& reporter) {
    report.org_name = reporter.org_name;
    report.email = reporter.from;
    report.extra_contact = reporter.extra_contact;
    return report;
}

// --- write

int write_reports(AuthCall& call) {
    const Reporter reporter = reporter_of(call);
    const std::string folder = call.value("--output");
    const auto days = days_of(call);
    auto history = open_history(call);
    for (const auto day : days) {
        for (const auto& domain : must(history.domains(day))) {
            const auto report = complete(make_report(must(history.events(day, domain))), reporter);
            const std::string path = folder + "/" + report.file_name(reporter.submitter);
            std::ofstream file(path, std::ios::binary);
            file << gzip(report.xml(reporter.submitter));
            if (!file.flush()) throw AuthError(format_text("{} cannot be written", path), output_error);
            say(path);
        }
    }
    return good;
}

// --- send

/// Sends the reports of a call, within its limits.
class Sender {
public:
    Sender(AuthCall& call, DmarcHistory& history, const Reporter& reporter)
        : call_(call),
          history_(history),
          reporter_(reporter),
          most_(call.number("--most", 50, 1, 100000)),
          sendmail_(call.value("--sendmail", "/usr/sbin/sendmail")),
          is_dry_run_(call.has("--dry-run")) {
        if (call.has("--block")) block_ = must(BlockList::read(call.value("--block")));
        if (call.has("--psl")) suffixes_ = must(mailauth::PublicSuffixes::load(call.value("--psl")));
    }

    void warn_of_loops() {
        const auto record = call_.evaluate([&](mailauth::Lookups& lookups) -> std::optional<std::string> {
            mailauth::DmarcMessage message;
            message.author = domain_of(reporter_.from);
            const auto result = mailauth::evaluate_dmarc(message, {}, lookups);
            if (!result) return {};
            return result->record && !result->record->rua.empty() ? result->policy_domain : "";
        });
        if (!record.empty())
            complain(format_text("the record of {} asks for reports, and so gets one about each of these; give {} a "
                                 "record of its own without rua",
                                 record, domain_of(reporter_.from)),
                     good);
    }

    /// Sends the reports about a domain. False if the command should stop.
    bool report(std::chrono::sys_days day, const std::string& domain) {
        if (sent_ >= most_) return say(format_text("stopped: {} mails are the most for a call (--most)", most_)), false;
        if (block_.has_domain(domain)) return skip(day, domain, "it is on the block list");
        const auto report = complete(make_report(must(history_.events(day, domain))), reporter_);
        const auto destinations = destinations_of(report);
        bool may_change = false;
        for (const auto& refused : destinations.refused) {
            say(format_text("{}: not to {}: {}", domain, quoted(refused.uri), refused.reason));
            may_change |= refused.may_change;
        }
        std::size_t sent = 0;
        for (const auto& uri : destinations.uris)
            if (sent < max_addresses && send(report, mailauth::mail_address_of(uri), may_change)) ++sent;
        if (failures_ >= max_failures) return say("stopped: the mails cannot be sent"), false;
        if (!is_dry_run_ && (sent > 0 || !may_change)) must(history_.set_sent(day, domain));
        return true;
    }

    bool has_failed() const noexcept { return has_failed_; }

private:
    bool skip(std::chrono::sys_days day, const std::string& domain, std::string_view why) {
        say(format_text("{}: no report: {}", domain, why));
        if (!is_dry_run_) must(history_.set_sent(day, domain));
        return true;
    }

    mailauth::DmarcDestinations destinations_of(const DmarcReport& report) {
        mailauth::DmarcSettings settings;
        settings.rfc = report.rfc;
        if (settings.rfc == mailauth::DmarcRfc::rfc7489 && !suffixes_)
            suffixes_ = must(mailauth::PublicSuffixes::of_system());
        settings.suffixes = suffixes_.get();
        return call_.evaluate([&](mailauth::Lookups& lookups) {
            return mailauth::report_destinations(report.policy_domain, report.record.rua, settings, lookups);
        });
    }

    /// Why the host of the address does not accept mail; "" if it does.
    std::string problem_of(const std::string& address, bool& may_change) {
        const std::string host = domain_of(address);
        const DnsAnswer mx = call_.evaluate([&](mailauth::Lookups& lookups) -> std::optional<DnsAnswer> {
            const DnsAnswer& answer = lookups.mx(host);
            if (answer.status() == DnsStatus::not_asked) return {};
            return answer;
        });
        may_change |= mx.failed();
        if (mx.failed()) return format_text("MX of {}: {}", host, mx.error());
        const auto& all = mx.exchangers();
        const bool takes_mail = std::any_of(all.begin(), all.end(), [](const auto& one) { return !one.name.empty(); });
        return takes_mail ? "" : format_text("{} has no MX", host);
    }

    bool send(const DmarcReport& report, const std::string& address, bool& may_change) {
        const auto refuse = [&](std::string_view why) {
            say(format_text("{}: not to {}: {}", report.policy_domain, address, why));
            return false;
        };
        if (block_.has_address(address)) return refuse("it is on the block list");
        if (const std::string problem = problem_of(address, may_change); !problem.empty()) return refuse(problem);
        ++sent_;
        if (is_dry_run_) return say(format_text("{}: to {} (not sent)", report.policy_domain, address)), true;
        const std::string mail = report_mail({.from = reporter_.from,
                                              .to = address,
                                              .submitter = reporter_.submitter,
                                              .date = std::chrono::floor<std::chrono::seconds>(call_.now())},
                                             report, gzip(report.xml(reporter_.submitter)));
        if (auto done = send_mail(sendmail_, reporter_.from, address, mail); !done) {
            ++failures_;
            has_failed_ = may_change = true;
            return refuse(done.error().what);
        }
        failures_ = 0;
        return say(format_text("{}: to {}", report.policy_domain, address)), true;
    }

    AuthCall& call_;
    DmarcHistory& history_;
    const Reporter reporter_;
    const std::size_t most_;
    const std::string sendmail_;
    const bool is_dry_run_;
    BlockList block_;
    std::shared_ptr<const mailauth::PublicSuffixes> suffixes_;
    std::size_t sent_ = 0;
    std::size_t failures_ = 0;  ///< in a row
    bool has_failed_ = false;
};

int send_reports(AuthCall& call) {
    const auto days = days_of(call);
    const Reporter reporter = reporter_of(call);
    auto history = open_history(call);
    Sender sender(call, history, reporter);
    sender.warn_of_loops();
    bool goes_on = true;
    for (const auto day : days)
        for (const auto& domain : must(history.domains(day)))
            if (goes_on) goes_on = sender.report(day, domain);
    if (!call.has("--dry-run")) must(history.forget_before(today(call) - kept_days));
    return sender.has_failed() ? not_all : good;
}

// --- destinations

int show_destinations(AuthCall& call) {
    mailauth::DmarcSettings settings;
    std::shared_ptr<const mailauth::PublicSuffixes> suffixes;
    if (call.has("--psl")) {
        suffixes = must(mailauth::PublicSuffixes::load(call.value("--psl")));
        settings = {.rfc = mailauth::DmarcRfc::rfc7489, .suffixes = suffixes.get()};
    }
    const auto record = mailauth::DmarcRecord::parse("v=DMARC1; p=none; rua=" + call.value("--rua"), settings.rfc);
    const auto found = call.evaluate([&](mailauth::Lookups& lookups) {
        return mailauth::report_destinations(call.words().front(), record->rua, settings, lookups);
    });
    call.print([&](dry_run::JsonWriter& json) {
        json.array("send_to", [&] {
            for (const auto& uri : found.uris) json.text(uri);
        });
        json.array("refused", [&] {
            for (const auto& one : found.refused)
                json.object([&] {
                    json.text("uri", one.uri);
                    json.text("reason", one.reason);
                    json.truth("retry", one.may_change);
                });
        });
    });
    return good;
}

const std::vector<AuthOption>& common() {
    static const std::vector<AuthOption> options{
        {"--database", "FOLDER", Use::optional, "report_dir of the plugin dmarc (" SMTPD_STATE_DIR "/dmarc)"},
        {"--from", "ADDRESS", Use::needed, "who sends the reports"},
        {"--submitter", "DOMAIN", Use::optional, "who reports; otherwise the domain of --from"},
        {"--org", "NAME", Use::optional, "the name of the organization"},
        {"--contact", "TEXT", Use::optional, "how to reach it otherwise"},
        {"--day", "YYYY-MM-DD", Use::optional, "the reports of that day in UTC; otherwise of the last three"}};
    return options;
}

std::vector<AuthOption> with_common(std::vector<AuthOption> own) {
    std::vector<AuthOption> out = common();
    out.insert(out.end(), own.begin(), own.end());
    return out;
}

const std::vector<Subcommand>& subcommands() {
    static const std::vector<Subcommand> all{
        {.name = "send",
         .words = "",
         .help = "sends what was not sent yet",
         .options = with_common({{"--sendmail", "PROGRAM", Use::optional, "takes the mails (/usr/sbin/sendmail)"},
                                 {"--block", "FILE", Use::optional, "domains and addresses that get nothing"},
                                 {"--most", "NUMBER", Use::optional, "of mails in this call (50)"},
                                 {"--psl", "FILE", Use::optional, "a list of public suffixes, for RFC 7489"},
                                 {"--dry-run", "", Use::optional, "only says what would be sent"}}),
         .run = send_reports},
        {.name = "write",
         .words = "",
         .help = "writes the reports into files",
         .options = with_common({{"--output", "FOLDER", Use::needed, "where the files go"}}),
         .run = write_reports},
        {.name = "destinations",
         .words = "DOMAIN",
         .help = "says where reports about a domain may go",
         .options = {{"--rua", "URIS", Use::needed, "what the record of the domain says"},
                     {"--psl", "FILE", Use::optional, "a list of public suffixes, for RFC 7489"}},
         .least_words = 1,
         .most_words = 1,
         .run = show_destinations}};
    return all;
}

std::string help() {
    std::string text = "usage: smtpd-dmarc-report COMMAND [OPTION]...\n       smtpd-dmarc-report --version | --help\n";
    for (const auto& command : subcommands()) {
        text += format_text("\n  {} {}: {}\n", command.name, command.words, command.help);
        for (const auto& option : command.options) {
            std::string name = std::string(option.name) + " " + std::string(option.value);
            name.resize(std::max<std::size_t>(name.size(), 24), ' ');
            text += format_text("    {} {}\n", name, option.help);
        }
    }
    return text + "\nOptions of all commands: --resolver HOST:PORT, --zone FILE, --now EPOCH, --timeout SECONDS\n";
}

int run(const std::vector<std::string>& words) {
    for (const auto& command : subcommands()) {
        if (command.name != words[0]) continue;
        AuthCall call(command, {words.begin() + 1, words.end()});
        return command.run(call);
    }
    return complain(format_text("unknown command \"{}\"; --help lists the commands", quoted(words[0])), usage_error);
}

}  // namespace
}  // namespace smtpd::tools

int main(int argc, char** argv) {
    return smtpd::tools::run_auth_program(argc, argv, smtpd::tools::help, smtpd::tools::run);
}
