/// dmarc_report.cc: writes aggregate reports.
#include "mailauth/dmarc_report.h"

#include "support/base64.h"
#include "support/date.h"
#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include "smtp/utf8.h"

#include <algorithm>
#include <cstdio>

namespace smtpd::mailauth {
namespace {

using support::folded;

/// The characters of XML 1.0 (section 2.2), without control characters that are of no use in a report.
bool is_xml_character(char32_t point) noexcept {
    return point == '\t' || (point >= ' ' && point < 0x7f) || (point >= 0xa0 && point != 0xfffe && point != 0xffff);
}

std::string escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto point = smtp::first_code_point(text);
        const std::size_t size = std::max<std::size_t>(point.length, 1);
        const std::string_view octets = text.substr(0, size);
        text.remove_prefix(size);
        if (point.length == 0 || !is_xml_character(point.value)) out += '?';
        else if (octets == "<") out += "&lt;";
        else if (octets == ">") out += "&gt;";
        else if (octets == "&") out += "&amp;";
        else if (octets == "\"") out += "&quot;";
        else if (octets == "'") out += "&apos;";
        else out += octets;
    }
    return out;
}

class Xml {
public:
    explicit Xml(std::string_view root) : text_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") { open(root); }

    void open(std::string_view tag) {
        indent();
        text_ += format_text("<{}>\n", tag);
        ++depth_;
    }
    void close(std::string_view tag) {
        --depth_;
        indent();
        text_ += format_text("</{}>\n", tag);
    }
    void text(std::string_view tag, std::string_view value) {
        indent();
        text_ += format_text("<{}>{}</{}>\n", tag, escaped(value), tag);
    }
    void text_unless_empty(std::string_view tag, std::string_view value) {
        if (!value.empty()) text(tag, value);
    }
    std::string take() && { return std::move(text_); }

private:
    void indent() { text_.append(2 * depth_, ' '); }

    std::string text_;
    std::size_t depth_ = 0;
};

std::int64_t begin_of(std::chrono::sys_days day) { return std::chrono::sys_seconds(day).time_since_epoch().count(); }
std::int64_t end_of(std::chrono::sys_days day) { return begin_of(day + std::chrono::days(1)) - 1; }

const char* letter(DmarcAlignment alignment) noexcept { return alignment == DmarcAlignment::strict ? "s" : "r"; }
const char* word(bool passes) noexcept { return passes ? "pass" : "fail"; }

constexpr std::string_view dkim_results[] = {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"};
constexpr std::string_view spf_results[] = {"none",   "pass",    "fail",      "softfail",
                                            "policy", "neutral", "temperror", "permerror"};
/// RFC 7489 does not allow the SPF result "policy".
template <class Words>
bool is_one_of(const Words& words, std::string_view wanted) {
    return std::find(std::begin(words), std::end(words), wanted) != std::end(words);
}

/// The reasons that each RFC allows.
constexpr std::string_view reasons_9990[] = {"local_policy", "mailing_list", "other", "policy_test_mode",
                                             "trusted_forwarder"};
constexpr std::string_view reasons_7489[] = {"forwarded",    "sampled_out",  "trusted_forwarder",
                                             "mailing_list", "local_policy", "other"};

class Writer {
public:
    Writer(const DmarcReport& report, std::string_view submitter)
        : report_(report),
          submitter_(submitter),
          is_9990_(report.rfc == DmarcRfc::rfc9989),
          xml_(is_9990_ ? "feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\"" : "feedback") {}

    std::string write() && {
        xml_.text("version", "1.0");
        metadata();
        policy();
        for (const auto& row : report_.rows) record(row);
        xml_.close("feedback");
        return std::move(xml_).take();
    }

private:
    void metadata() {
        xml_.open("report_metadata");
        xml_.text("org_name", report_.org_name);
        xml_.text("email", report_.email);
        xml_.text_unless_empty("extra_contact_info", report_.extra_contact);
        xml_.text("report_id", report_.id(submitter_));
        xml_.open("date_range");
        xml_.text("begin", format_text("{}", begin_of(report_.day)));
        xml_.text("end", format_text("{}", end_of(report_.day)));
        xml_.close("date_range");
        if (is_9990_) xml_.text("generator", "mod_smtpd " SMTPD_VERSION);
        xml_.close("report_metadata");
    }

    void policy() {
        const DmarcRecord& record = report_.record;
        xml_.open("policy_published");
        xml_.text("domain", report_.policy_domain);
        if (is_9990_) xml_.text("discovery_method", "treewalk");
        xml_.text("adkim", letter(record.adkim));
        xml_.text("aspf", letter(record.aspf));
        xml_.text("p", dmarc_policy_name(record.p));
        if (record.sp || !is_9990_) xml_.text("sp", dmarc_policy_name(record.sp.value_or(record.p)));
        if (is_9990_ && record.np) xml_.text("np", dmarc_policy_name(*record.np));
        if (is_9990_) xml_.text("testing", record.is_test ? "y" : "n");
        else xml_.text("pct", format_text("{}", record.pct));
        xml_.text("fo", record.fo);
        xml_.close("policy_published");
    }

    /// The disposition in the words of the RFC. RFC 9990 distinguishes "pass" (passed under an enforcing policy) from
    /// "none".
    std::string_view disposition_of(const DmarcReportRow& row) const {
        const bool is_enforcing = report_.record.p != DmarcPolicy::none;
        if (is_9990_ && row.passes() && is_enforcing && row.disposition == DmarcPolicy::none) return "pass";
        return dmarc_policy_name(row.disposition);
    }

    void record(const DmarcReportRow& row) {
        xml_.open("record");
        xml_.open("row");
        xml_.text("source_ip", row.source_ip);
        xml_.text("count", format_text("{}", row.count));
        xml_.open("policy_evaluated");
        xml_.text("disposition", disposition_of(row));
        xml_.text("dkim", word(row.is_dkim_aligned));
        xml_.text("spf", word(row.is_spf_aligned));
        reason(row);
        xml_.close("policy_evaluated");
        xml_.close("row");
        xml_.open("identifiers");
        // The null sender has no envelope_from; RFC 7489 requires the element even if it is empty.
        if (!is_9990_ || !row.envelope_from.empty()) xml_.text("envelope_from", row.envelope_from);
        xml_.text("header_from", row.header_from);
        xml_.close("identifiers");
        results(row);
        xml_.close("record");
    }

    void reason(const DmarcReportRow& row) {
        if (row.reason.empty()) return;
        const bool is_known = is_9990_ ? is_one_of(reasons_9990, row.reason) : is_one_of(reasons_7489, row.reason);
        xml_.open("reason");
        xml_.text("type", is_known ? row.reason : "other");
        xml_.text_unless_empty("comment", row.reason_comment.empty() && !is_known ? row.reason : row.reason_comment);
        xml_.close("reason");
    }

    void results(const DmarcReportRow& row) {
        xml_.open("auth_results");
        std::vector<const DmarcReportRow::Signature*> signatures;
        for (const auto& one : row.dkim)
            if (!one.domain.empty() && is_one_of(dkim_results, one.result)) signatures.push_back(&one);
        std::stable_partition(signatures.begin(), signatures.end(),
                              [](const auto* one) { return one->result == "pass"; });
        if (signatures.size() > max_reported_signatures) signatures.resize(max_reported_signatures);
        for (const auto* one : signatures) {
            xml_.open("dkim");
            xml_.text("domain", one->domain);
            if (is_9990_ || !one->selector.empty()) xml_.text("selector", one->selector);
            xml_.text("result", one->result);
            xml_.close("dkim");
        }
        spf(row);
        xml_.close("auth_results");
    }

    /// RFC 7489 requires one SPF result.
    void spf(const DmarcReportRow& row) {
        const bool is_known = row.spf && !row.spf->domain.empty() && is_one_of(spf_results, row.spf->result);
        if (!is_known && is_9990_) return;
        xml_.open("spf");
        xml_.text("domain", is_known ? row.spf->domain : row.header_from);
        xml_.text("scope", "mfrom");
        const bool is_word = is_known && (is_9990_ || row.spf->result != "policy");
        xml_.text("result", is_word ? row.spf->result : "none");
        xml_.close("spf");
    }

    const DmarcReport& report_;
    const std::string_view submitter_;
    const bool is_9990_;
    Xml xml_;
};

/// Replaces characters that a quoted parameter or a file name cannot hold.
std::string safe(std::string_view domain) {
    std::string out = printable_domain(domain);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '"' || c == '\\' || c == '/' || c == '!' || c == '@'; }, '_');
    return out;
}

constexpr const char* boundary = "=_dmarc_report_";

std::string base64_lines(std::string_view octets) {
    constexpr std::size_t width = 76;
    const std::string encoded = support::base64(octets);
    std::string out;
    for (std::size_t at = 0; at < encoded.size(); at += width) out += encoded.substr(at, width) + "\r\n";
    return out;
}

}  // namespace

std::string DmarcReport::id(std::string_view submitter) const {
    const std::chrono::year_month_day date(day);
    char text[32];
    std::snprintf(text, sizeof text, "%04d%02u%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()));
    return format_text("{}.{}@{}", text, safe(policy_domain), safe(submitter));
}

std::string DmarcReport::xml(std::string_view submitter) const { return Writer(*this, submitter).write(); }

std::string DmarcReport::file_name(std::string_view submitter) const {
    return format_text("{}!{}!{}!{}.xml.gz", safe(submitter), safe(policy_domain), begin_of(day), end_of(day));
}

std::string report_mail(const DmarcReportMail& mail, const DmarcReport& report, std::string_view document) {
    const std::string id = report.id(mail.submitter);
    std::string out;
    const auto field = [&](std::string_view name, std::string_view value) {
        out += format_text("{}: {}\r\n", name, value);
    };
    field("From", mail.from);
    field("To", mail.to);
    field("Date", support::rfc5322_date(mail.date));
    field("Message-ID", format_text("<{}>", id));
    field("Subject", format_text("Report Domain: {}\r\n Submitter: {}\r\n Report-ID: <{}>", safe(report.policy_domain),
                                 safe(mail.submitter), id));
    field("Auto-Submitted", "auto-generated");
    field("MIME-Version", "1.0");
    field("Content-Type", format_text("multipart/mixed; boundary=\"{}\"", boundary));
    out += format_text(
        "\r\n--{}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This is a DMARC aggregate report about {}, from {}.\r\n\r\n"
        "--{}\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment;\r\n filename=\"{}\"\r\n\r\n",
        boundary, safe(report.policy_domain), safe(mail.submitter), boundary, report.file_name(mail.submitter));
    out += base64_lines(document);
    out += format_text("--{}--\r\n", boundary);
    return out;
}

}  // namespace smtpd::mailauth
