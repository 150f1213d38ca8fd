/// dns.cc: the plugin API's names, questions and answers of the DNS.
#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/dns/dns.h>
#include <smtpd/waiting.h>

#include <algorithm>

namespace smtpd {
namespace {

constexpr std::size_t max_name = 253;  // 255 octets on the wire (RFC 1035 2.3.4), less the first length and the root
constexpr std::size_t max_label = 63;

bool is_possible_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > max_name) return false;
    std::size_t label = 0;
    for (const char c : name) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
        } else if (c < ' ' || c > '~' || c == '\\' || ++label > max_label) {
            return false;
        }
    }
    return label > 0;
}

}  // namespace

std::string_view dns_type_name(DnsType type) noexcept {
    switch (type) {
        case DnsType::a: return "A";
        case DnsType::ns: return "NS";
        case DnsType::cname: return "CNAME";
        case DnsType::ptr: return "PTR";
        case DnsType::mx: return "MX";
        case DnsType::txt: return "TXT";
        case DnsType::aaaa: return "AAAA";
    }
    return "unknown";
}

std::string_view dns_status_name(DnsStatus status) noexcept {
    constexpr std::string_view names[] = {"not_asked", "found",          "no_data",  "no_such_name",
                                          "bad_name",  "server_failure", "timed_out"};
    const auto index = static_cast<std::size_t>(status);
    return index < std::size(names) ? names[index] : "unknown";
}

std::optional<DnsQuestion> DnsQuestion::make(DnsType type, std::string_view name) {
    std::string ascii = ascii_domain(name);
    if (!is_possible_name(ascii)) return std::nullopt;
    return DnsQuestion{type, std::move(ascii)};
}

std::string reverse_dns_name(const IpAddress& address) {
    if (address.is_unspecified()) return {};
    return address.reversed() + (address.is_v4() ? ".in-addr.arpa" : ".ip6.arpa");
}

DnsAnswer DnsAnswer::failure(DnsStatus status, std::string error) {
    auto records = std::make_shared<DnsRecords>();
    records->error = std::move(error);
    return DnsAnswer(status, {}, std::move(records));
}

const DnsRecords& DnsAnswer::records() const noexcept {
    static const DnsRecords none;
    return records_ ? *records_ : none;
}

std::string_view DnsAnswer::error() const noexcept {
    if (!records().error.empty()) return records().error;
    constexpr std::string_view texts[] = {"not asked",        "found",          "no such record",   "no such name",
                                          "not a valid name", "server failure", "no answer in time"};
    const auto index = static_cast<std::size_t>(status_);
    return index < std::size(texts) ? texts[index] : "unknown";
}

std::string DnsAnswer::to_string() const {
    std::string text(dns_status_name(status_));
    if (failed()) return text + " (" + quoted(error()) + ")";
    for (const auto& address : addresses()) text += " " + address.to_string();
    for (const auto& name : names()) text += " " + quoted(name);
    for (const auto& exchanger : exchangers())
        text += format_text(" {} {}", exchanger.preference, exchanger.name.empty() ? "." : quoted(exchanger.name));
    for (const auto& one : texts()) text += " \"" + quoted(one) + "\"";
    return text;
}

const DnsAnswer& DnsAnswers::find(DnsType type, std::string_view name) const noexcept {
    static const DnsAnswer not_asked;
    static const DnsAnswer bad_name(DnsStatus::bad_name);
    const auto question = DnsQuestion::make(type, name);
    if (!question) return bad_name;
    for (const auto& [asked, answer] : entries_)
        if (asked == *question) return answer;
    return not_asked;
}

const DnsAnswer& Answers::dns(DnsType type, std::string_view name) const noexcept {
    static const DnsAnswers none;
    return (dns_ ? *dns_ : none).find(type, name);
}

HostAddresses::HostAddresses(const DnsAnswer& a, const DnsAnswer& aaaa)
    : all_(a.addresses()), problem_(aaaa.failed() && !a.failed() ? aaaa : a) {
    all_.insert(all_.end(), aaaa.addresses().begin(), aaaa.addresses().end());
}

HostAddresses::HostAddresses(const IpAddress& literal) : all_{literal}, problem_(DnsStatus::found) {}

HostAddresses Questions::addresses(std::string_view host) {
    if (const auto literal = IpAddress::parse(host)) return HostAddresses(*literal);
    const DnsAnswer a = this->a(host);  // a copy: the next question may move it
    return {a, aaaa(host)};
}

HostAddresses Answers::addresses(std::string_view host) const {
    if (const auto literal = IpAddress::parse(host)) return HostAddresses(*literal);
    return {a(host), aaaa(host)};
}

}  // namespace smtpd
