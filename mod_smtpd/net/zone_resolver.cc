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

ZoneResolver::Trouble trouble_named(std::string_view text) {
    return ascii_equal(text, "TIMEOUT")    ? ZoneResolver::Trouble::timeout
           : ascii_equal(text, "SERVFAIL") ? ZoneResolver::Trouble::failure
                                           : ZoneResolver::Trouble::none;
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
    if (const auto trouble = trouble_named(type_text); trouble != Trouble::none) {
        add_trouble(name, std::nullopt, trouble);
        return {};
    }
    if (ascii_equal(type_text, "NXDOMAIN")) {
        add_missing(name);
        return {};
    }
    const auto type = type_of(type_text);
    if (!type)
        return wrong(
            format_text("\"{}\" is neither a record type nor TIMEOUT, SERVFAIL or NXDOMAIN", quoted(type_text)));
    if (const auto trouble = trouble_named(rest); trouble != Trouble::none) {
        add_trouble(name, type, trouble);
        return {};
    }
    if (!add_data(node(name)->records[*type], *type, rest))
        return wrong(format_text("\"{}\" is not valid data of type {}", quoted(rest), dns_type_name(*type)));
    return {};
}

ZoneResolver::Node* ZoneResolver::node(std::string_view name) {
    const std::string key = name_of(name);
    return key.empty() ? nullptr : &nodes_[key];
}

bool ZoneResolver::add_name(std::string_view name) { return node(name) != nullptr; }

bool ZoneResolver::add_records(std::string_view name, DnsType type, const DnsRecords& records) {
    Node* const node = this->node(name);
    if (!node) return false;
    DnsRecords& known = node->records[type];
    known.addresses.insert(known.addresses.end(), records.addresses.begin(), records.addresses.end());
    known.names.insert(known.names.end(), records.names.begin(), records.names.end());
    known.texts.insert(known.texts.end(), records.texts.begin(), records.texts.end());
    known.exchangers.insert(known.exchangers.end(), records.exchangers.begin(), records.exchangers.end());
    std::ranges::stable_sort(known.exchangers, {}, &DnsExchanger::preference);
    return true;
}

bool ZoneResolver::add_trouble(std::string_view name, std::optional<DnsType> type, Trouble trouble) {
    Node* const node = this->node(name);
    if (!node) return false;
    (type ? node->troubles[*type] : node->trouble) = trouble;
    return true;
}

bool ZoneResolver::add_missing(std::string_view name) {
    Node* const node = this->node(name);
    if (node) node->is_gone = true;
    return node != nullptr;
}

ZoneResolver::Trouble ZoneResolver::Node::trouble_of(DnsType type) const {
    if (const auto own = troubles.find(type); own != troubles.end()) return own->second;
    return records.contains(type) ? Trouble::none : trouble;
}

/// A name with subdomains exists, even without records of its own (RFC 8020).
bool ZoneResolver::exists(const std::string& name) const {
    return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
        return !node.second.is_gone && (node.first == name || node.first.ends_with("." + name));
    });
}

/// The records of *.ANCESTOR, where ANCESTOR is the nearest name above that exists (RFC 4592 3.3.1).
const ZoneResolver::Node* ZoneResolver::wildcard_for(const std::string& name) const {
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        const std::string ancestor = name.substr(dot + 1);
        if (!exists(ancestor)) continue;
        const auto found = nodes_.find("*." + ancestor);
        return found == nodes_.end() ? nullptr : &found->second;
    }
    return nullptr;
}

std::optional<DnsAnswer> ZoneResolver::answer(const DnsQuestion& question) const {
    std::string name = question.name;
    for (unsigned aliases = 0; aliases <= max_aliases; ++aliases) {
        const auto own = nodes_.find(name);
        const Node* node = own == nodes_.end() ? nullptr : &own->second;
        if (!node) {
            if (exists(name)) return DnsAnswer(DnsStatus::no_data, ttl);
            node = wildcard_for(name);
        }
        if (!node) return DnsAnswer(DnsStatus::no_such_name, ttl);
        const Trouble trouble = node->trouble_of(question.type);
        if (trouble == Trouble::timeout) return std::nullopt;
        if (trouble == Trouble::failure)
            return DnsAnswer::failure(DnsStatus::server_failure, "the server says SERVFAIL");
        if (node->is_gone) return DnsAnswer(DnsStatus::no_such_name, ttl);
        const auto& records = node->records;
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
