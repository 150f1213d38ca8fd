#include "net/zone_resolver.h"

#include "support/strings.h"

#include <smtpd/base/format.h>
#include <smtpd/base/log.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>

namespace smtpd::net {
namespace {

using support::trim;

constexpr std::chrono::seconds ttl{3600};
constexpr unsigned max_aliases = 16;

Error wrong(std::string what) { return {ErrorCode::config, std::move(what)}; }

std::string_view take_word(std::string_view& text) {
    text = trim(text);
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    const auto word = text.substr(0, end);
    text = trim(text.substr(end));
    return word;
}

/// The canonical form of a name, of a record or in its data: "" if it is not valid.
std::string name_of(std::string_view text) {
    const auto question = DnsQuestion::make(DnsType::a, text);
    return question ? question->name : std::string();
}

std::optional<DnsType> type_of(std::string_view text) {
    for (const auto type :
         {DnsType::a, DnsType::ns, DnsType::cname, DnsType::ptr, DnsType::mx, DnsType::txt, DnsType::aaaa})
        if (ascii_equal(text, dns_type_name(type))) return type;
    return std::nullopt;
}

/// Adds the data of one record; false if it does not fit the type.
bool add_data(DnsRecords& records, DnsType type, std::string_view data) {
    switch (type) {
        case DnsType::a:
        case DnsType::aaaa: {
            const auto address = IpAddress::parse(data);
            if (!address || address->is_v4() != (type == DnsType::a)) return false;
            records.addresses.push_back(*address);
            return true;
        }
        case DnsType::mx: {
            const auto preference = support::parse_unsigned(take_word(data));
            const bool is_null = data == ".";
            const std::string name = name_of(data);
            if (!preference || *preference > 65535 || (name.empty() && !is_null)) return false;
            records.exchangers.push_back({static_cast<std::uint16_t>(*preference), name});
            std::ranges::stable_sort(records.exchangers, {}, &DnsExchanger::preference);
            return true;
        }
        case DnsType::txt:
            if (data.size() >= 2 && data.front() == '"' && data.back() == '"') data = data.substr(1, data.size() - 2);
            records.texts.emplace_back(data);
            return true;
        case DnsType::ns:
        case DnsType::cname:
        case DnsType::ptr: records.names.push_back(name_of(data)); return !records.names.back().empty();
    }
    return false;
}

}  // namespace

Result<void> ZoneResolver::read(std::string_view text) {
    unsigned number = 0;
    for (const auto whole : support::split(text, '\n')) {
        ++number;
        const auto line = trim(whole);
        if (line.empty() || line.front() == '#') continue;
        if (const auto added = add(line); !added) return wrong(format_text("line {}: {}", number, added.error().what));
    }
    return {};
}

Result<void> ZoneResolver::add(std::string_view record) {
    std::string_view rest = record;
    const auto name_text = take_word(rest);
    const auto type_text = take_word(rest);
    const auto address = IpAddress::parse(name_text);
    const std::string name = address ? reverse_dns_name(*address) : name_of(name_text);
    if (name.empty()) return wrong(format_text("\"{}\" is not a valid name", quoted(name_text)));
    Node& node = nodes_[name];
    if (ascii_equal(type_text, "TIMEOUT")) node.times_out = true;
    else if (ascii_equal(type_text, "SERVFAIL")) node.fails = true;
    else if (ascii_equal(type_text, "NXDOMAIN")) node.is_gone = true;
    else if (const auto type = type_of(type_text); !type)
        return wrong(
            format_text("\"{}\" is neither a record type nor TIMEOUT, SERVFAIL or NXDOMAIN", quoted(type_text)));
    else if (!add_data(node.records[*type], *type, rest))
        return wrong(format_text("\"{}\" is not valid data of type {}", quoted(rest), dns_type_name(*type)));
    return {};
}

/// A name with subdomains exists, even without records of its own (RFC 8020).
DnsStatus ZoneResolver::status_of_missing(const std::string& name) const {
    const bool exists = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
        return !node.second.is_gone && (node.first == name || node.first.ends_with("." + name));
    });
    return exists ? DnsStatus::no_data : DnsStatus::no_such_name;
}

std::optional<DnsAnswer> ZoneResolver::answer(const DnsQuestion& question) const {
    std::string name = question.name;
    for (unsigned aliases = 0; aliases <= max_aliases; ++aliases) {
        const auto node = nodes_.find(name);
        if (node == nodes_.end()) return DnsAnswer(status_of_missing(name), ttl);
        if (node->second.times_out) return std::nullopt;
        if (node->second.fails) return DnsAnswer::failure(DnsStatus::server_failure, "the server says SERVFAIL");
        if (node->second.is_gone) return DnsAnswer(DnsStatus::no_such_name, ttl);
        const auto& records = node->second.records;
        if (const auto found = records.find(question.type); found != records.end())
            return DnsAnswer(DnsStatus::found, ttl, std::make_shared<const DnsRecords>(found->second));
        const auto alias = records.find(DnsType::cname);
        if (alias == records.end()) return DnsAnswer(DnsStatus::no_data, ttl);
        name = alias->second.names.front();
    }
    return DnsAnswer::failure(DnsStatus::server_failure,
                              "the server's reply cannot be used: its chain of aliases (CNAME) does not end");
}

std::shared_ptr<Lookup> ZoneResolver::start(std::vector<DnsQuestion> questions, std::function<void()> done) {
    auto lookup = std::make_shared<Lookup>(std::move(questions), std::move(done));
    for (std::size_t i = 0; i < lookup->questions().size(); ++i)
        if (auto known = answer(lookup->questions()[i])) lookup->answer_at_once(i, std::move(*known));
    return lookup;
}

}  // namespace smtpd::net
