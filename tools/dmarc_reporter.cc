/// dmarc_reporter.cc: see dmarc_reporter.h.
#include "tools/dmarc_reporter.h"

#include "support/strings.h"

#include <smtpd/backend/program.h>
#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <stdexcept>
#include <utility>

#include <unistd.h>
#include <zlib.h>

namespace smtpd::tools {
namespace {

using mailauth::DmarcReport;
using mailauth::DmarcReportRow;

mailauth::DmarcPolicy policy_of(std::string_view word) {
    return word == "reject"       ? mailauth::DmarcPolicy::reject
           : word == "quarantine" ? mailauth::DmarcPolicy::quarantine
                                  : mailauth::DmarcPolicy::none;
}

/// Reads DmarcEvent::results: "dkim DOMAIN SELECTOR RESULT;spf DOMAIN RESULT;".
void read_results(std::string_view results, DmarcReportRow& row) {
    for (const auto one : support::split(results, ';')) {
        const auto words = support::split_words(one);
        const auto known = [](std::string_view word) { return word == "-" ? std::string() : std::string(word); };
        if (words.size() == 4 && words[0] == "dkim")
            row.dkim.push_back({known(words[1]), known(words[2]), std::string(words[3])});
        if (words.size() == 3 && words[0] == "spf")
            row.spf = DmarcReportRow::Spf{known(words[1]), std::string(words[2])};
    }
}

DmarcReportRow row_of(const DmarcEvent& event) {
    DmarcReportRow row;
    row.source_ip = event.source_ip;
    row.count = event.count;
    row.disposition = policy_of(event.disposition);
    row.is_dkim_aligned = event.is_dkim_aligned;
    row.is_spf_aligned = event.is_spf_aligned;
    row.reason = event.reason;
    row.reason_comment = event.reason_comment;
    row.header_from = event.header_from;
    row.envelope_from = event.envelope_from;
    read_results(event.results, row);
    return row;
}

/// The record that applied to most messages, and whether its RFC is 7489.
std::pair<std::string, bool> usual_record(const std::vector<DmarcEvent>& events) {
    std::map<std::pair<std::string, bool>, std::uint64_t> counts;
    for (const auto& event : events) counts[{event.record, event.is_rfc7489}] += event.count;
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == counts.end() ? std::pair<std::string, bool>() : most->first;
}

bool is_listed(const std::set<std::string, std::less<>>& entries, std::string_view domain) {
    for (;;) {
        if (entries.contains(domain)) return true;
        const auto dot = domain.find('.');
        if (dot == domain.npos) return false;
        domain.remove_prefix(dot + 1);
    }
}

Result<void> write_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t written = ::write(descriptor, octets.data(), octets.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return os_error("cannot write to the program", errno);
        octets.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

DmarcReport make_report(const std::vector<DmarcEvent>& events) {
    DmarcReport report;
    if (events.empty()) return report;
    const auto [record, is_rfc7489] = usual_record(events);
    report.day = events.front().day;
    report.policy_domain = events.front().policy_domain;
    report.rfc = is_rfc7489 ? mailauth::DmarcRfc::rfc7489 : mailauth::DmarcRfc::rfc9989;
    report.record = mailauth::DmarcRecord::parse(record, report.rfc).value_or(mailauth::DmarcRecord());
    for (const auto& event : events) report.rows.push_back(row_of(event));
    std::stable_sort(report.rows.begin(), report.rows.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
    if (report.rows.size() > max_report_rows) report.rows.resize(max_report_rows);
    return report;
}

std::string gzip(std::string_view octets) {
    constexpr int gzip_window = 15 + 16, memory_level = 8;
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("no memory to compress a report");
    std::string out(deflateBound(&stream, static_cast<uLong>(octets.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    stream.avail_in = static_cast<uInt>(octets.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (status != Z_STREAM_END) throw std::runtime_error("a report cannot be compressed");
    return out;
}

Result<void> send_mail(const std::string& program, const std::string& from, const std::string& to,
                       const std::string& mail) {
    constexpr std::chrono::minutes patience{2};
    std::signal(SIGPIPE, SIG_IGN);
    auto pipe = make_pipe();
    if (!pipe) return pipe.error();
    auto& [read_end, write_end] = *pipe;
    auto started = Program::start(
        {.words = {program, "-i", "-f", from, "--", to}, .descriptors = {{read_end.get(), 0}, {2, 2}}});
    if (!started) return started.error();
    read_end.close();
    auto written = write_all(write_end.get(), mail);
    write_end.close();
    const auto status = started->wait_until(std::chrono::steady_clock::now() + patience);
    if (!status) return status.error();
    if (*status != 0) return Error{ErrorCode::unavailable, format_text("{} ended with status {}", program, *status)};
    return written;
}

Result<BlockList> BlockList::read(const std::string& path) {
    constexpr std::size_t most = 16 << 20;
    const auto text = read_file(path, most);
    if (!text) return text.error();
    BlockList list;
    for (std::string_view line : support::split(*text, '\n')) {
        line = support::trim(line.substr(0, line.find('#')));
        if (!line.empty()) list.entries_.insert(ascii_domain(line));
    }
    return list;
}

bool BlockList::has_domain(std::string_view domain) const { return is_listed(entries_, ascii_domain(domain)); }

bool BlockList::has_address(std::string_view address) const {
    return entries_.contains(ascii_domain(address)) || has_domain(address.substr(address.rfind('@') + 1));
}

}  // namespace smtpd::tools
