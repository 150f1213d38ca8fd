/// control.cc: the formats of control files: address lists, network lists, domain lists. Every Error is a sentence that
/// begins with `file:line` and says what is allowed there.
#include <smtpd/control.h>

#include "support/strings.h"

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include <algorithm>

namespace smtpd {
namespace {

Error problem(const ControlLine& line, std::string_view what) {
    return {ErrorCode::config, format_text("{}: {}", line.position(), what), 0};
}

/// Also for a file that is not in UTF-8.
Error no_idna_domain(const ControlLine& line, std::string_view domain) {
    return problem(line,
                   format_text("\"{}\" has a label that IDNA does not allow, so no address can have it; write the "
                               "domain in UTF-8, or in its xn-- form",
                               support::escape_for_log(domain, 200)));
}

bool is_expression(std::string_view entry) { return entry.find_first_of("/^$*+!%?\\") != std::string_view::npos; }

std::string_view without_slashes(std::string_view expression) {
    const bool enclosed = expression.size() >= 2 && expression.front() == '/' && expression.back() == '/';
    return enclosed ? expression.substr(1, expression.size() - 2) : expression;
}

}  // namespace

std::string ControlLine::position() const { return format_text("{}:{}", file, number); }

std::vector<std::string> ControlLine::words() const {
    const auto views = support::split_words(text);
    return {views.begin(), views.end()};
}

std::pair<std::string, std::string> ControlLine::split() const {
    const std::string_view all = support::trim(text);
    const auto end = static_cast<std::size_t>(std::find_if(all.begin(), all.end(), support::is_space) - all.begin());
    return {std::string(all.substr(0, end)), std::string(support::trim(all.substr(end)))};
}

// --- VerdictLine ---

Result<VerdictLine> VerdictLine::parse(const ControlLine& line) {
    const auto [entry, rest] = line.split();
    const auto [word, reason] = ControlLine{rest, line.file, line.number}.split();
    const auto verdict = parse_verdict(word);
    if (!verdict || *verdict == Verdict::done)
        return problem(
            line,
            format_text("\"{}\" must be OK, DECLINED, DENY, DENYSOFT, DENY_DISCONNECT or DENYSOFT_DISCONNECT", word));
    return VerdictLine{entry, *verdict, reason};
}

// --- AddressPatterns ---

Result<AddressPatterns> AddressPatterns::parse(const ControlText& text, LocalPartCase local_part_case) {
    AddressPatterns list;
    for (const auto& line : text) {
        auto [entry, reason] = line.split();
        const std::size_t index = list.order_.size();
        if (is_expression(entry)) {
            const std::string_view expression = without_slashes(entry);
            if (expression.empty()) return problem(line, "an empty regular expression would match every address");
            auto pattern = Pattern::compile(expression, Pattern::Case::folded);
            if (!pattern) return problem(line, pattern.error().what);
            list.expressions_.push_back({index, *std::move(pattern)});
        } else if (const auto at = entry.rfind('@'); at == std::string::npos || at + 1 == entry.size()) {
            return problem(
                line,
                format_text(
                    "\"{}\" is neither an address nor an @domain nor a regular expression (which has one of / ^ $ "
                    "* + ! % ? \\ in it)",
                    support::escape_for_log(entry, 200)));
        } else if (const auto domain = std::string_view(entry).substr(at + 1); !is_idna_domain(domain)) {
            return no_idna_domain(line, domain);
        } else {
            list.exact_.emplace(list_key(entry, local_part_case), index);  // the first of equal entries is kept
        }
        list.order_.push_back({std::move(entry), std::move(reason)});
    }
    return list;
}

const ListEntry* AddressPatterns::find(const Address& address) const {
    if (address.is_null() || !address.has_domain() || order_.empty()) return nullptr;
    const auto texts = address.key_spellings();
    std::size_t best = order_.size();
    for (const auto& key : {texts.front(), "@" + address.domain_key()})
        if (const auto found = exact_.find(key); found != exact_.end()) best = std::min(best, found->second);
    for (const auto& expression : expressions_) {
        if (expression.index >= best) break;
        if (std::any_of(texts.begin(), texts.end(), [&](const auto& text) { return expression.pattern.matches(text); }))
            best = expression.index;
    }
    return best < order_.size() ? &order_[best] : nullptr;
}

// --- NetworkList ---

namespace {

/// "192.0.2." and similar: one to three numbers, each followed by a dot.
std::optional<IpNetwork> parse_v4_prefix(std::string_view text) {
    const auto dots = static_cast<unsigned>(std::count(text.begin(), text.end(), '.'));
    if (dots < 1 || dots > 3 || text.back() != '.') return std::nullopt;
    std::string whole(text);
    for (unsigned part = dots; part < 4; ++part) whole += part < 3 ? "0." : "0";
    const auto address = IpAddress::parse(whole);
    return address ? std::optional(IpNetwork(*address, dots * 8)) : std::nullopt;
}

/// "2001:db8:" and "2001:db8": one to seven groups, without "::". The final colon may only be omitted if there is
/// another one.
std::optional<IpNetwork> parse_v6_prefix(std::string_view text) {
    const bool ends_in_colon = text.back() == ':';
    const auto colons = static_cast<unsigned>(std::count(text.begin(), text.end(), ':'));
    const unsigned groups = colons + (ends_in_colon ? 0 : 1);
    if (colons < 1 || groups > 7 || text.find("::") != std::string_view::npos ||
        text.find('.') != std::string_view::npos)
        return std::nullopt;
    std::string whole(text);
    for (unsigned group = groups; group < 8; ++group) whole += ends_in_colon && group == groups ? "0" : ":0";
    const auto address = IpAddress::parse(whole);
    if (!address) return std::nullopt;
    // For IPv4, the prefix began with 0:0:0:0:0:ffff:
    return IpNetwork(*address, address->is_v4() ? groups * 16 - 96 : groups * 16);
}

}  // namespace

std::optional<IpNetwork> NetworkList::parse_entry(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (const auto network = IpNetwork::parse(text)) return network;
    return text.find(':') == std::string_view::npos ? parse_v4_prefix(text) : parse_v6_prefix(text);
}

std::size_t NetworkList::Hash::operator()(const IpAddress& address) const noexcept {
    const auto& bytes = address.bytes();
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<NetworkList> NetworkList::parse(const ControlText& text) {
    NetworkList list;
    for (const auto& line : text) {
        auto [entry, reason] = line.split();
        const auto network = parse_entry(entry);
        if (!network)
            return problem(line, format_text("\"{}\" is not a network; write an address (192.0.2.1, 2001:db8::1), a "
                                             "network (192.0.2.0/24, 2001:db8::/32) or a prefix (192.0.2., 2001:db8:)",
                                             support::escape_for_log(entry, 200)));
        auto& levels = network->address().is_v4() ? list.v4_ : list.v6_;
        auto level = std::find_if(levels.begin(), levels.end(),
                                  [&](const Level& other) { return other.bits == network->bits(); });
        if (level == levels.end()) level = levels.insert(levels.end(), Level{network->bits(), {}});
        level->networks.emplace(network->address(), list.entries_.size());  // the first of equal entries is kept
        list.entries_.push_back({std::move(entry), std::move(reason)});
    }
    return list;
}

const ListEntry* NetworkList::find(const IpAddress& address) const {
    if (address.is_unspecified()) return nullptr;
    std::size_t best = entries_.size();
    for (const auto& level : address.is_v4() ? v4_ : v6_)
        if (const auto found = level.networks.find(address.prefix(level.bits)); found != level.networks.end())
            best = std::min(best, found->second);
    return best < entries_.size() ? &entries_[best] : nullptr;
}

// --- DomainList ---

namespace {

bool is_domain_entry(std::string_view entry) {
    if (!entry.empty() && entry.front() == '.') entry.remove_prefix(1);
    const auto is_wrong = [](char c) {
        return c <= ' ' || c == '@' || c == '/' || c == '*' || c == ',' || c == '<' || c == '>';
    };
    return !entry.empty() && entry.front() != '.' && entry.find("..") == std::string_view::npos &&
           std::none_of(entry.begin(), entry.end(),
                        [&](char c) { return static_cast<unsigned char>(c) < 0x80 && is_wrong(c); });
}

}  // namespace

Result<DomainList> DomainList::parse(const ControlText& text) {
    DomainList list;
    for (const auto& line : text) {
        if (!is_domain_entry(line.text))
            return problem(line, format_text("\"{}\" is not a domain; write one domain a line (example.com), or a dot "
                                             "and a domain for all its subdomains (.example.com)",
                                             support::escape_for_log(line.text, 200)));
        if (!is_idna_domain(line.text)) return no_idna_domain(line, line.text);
        list.names_.insert(ascii_domain(line.text));
    }
    return list;
}

bool DomainList::contains(std::string_view domain) const {
    if (names_.empty() || domain.empty() || domain.front() == '.') return false;
    const std::string name = ascii_domain(domain);
    if (names_.contains(std::string_view(name))) return true;
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (names_.contains(std::string_view(name).substr(dot))) return true;
    return false;
}

// --- HostList ---

namespace {

/// Converts "195.235.39" and "195.235", which are networks for Postgrey, into qmail's form of a prefix; other entries
/// stay unchanged.
std::string postgrey_prefix(std::string entry) {
    const auto is_numeric = [](char c) { return support::is_digit(c) || c == '.'; };
    const auto dots = std::count(entry.begin(), entry.end(), '.');
    if ((dots == 1 || dots == 2) && entry.back() != '.' && std::all_of(entry.begin(), entry.end(), is_numeric))
        entry += '.';
    return entry;
}

bool is_host_name(std::string_view entry) {
    return std::any_of(entry.begin(), entry.end(), [](char c) { return !support::is_digit(c) && c != '.'; });
}

}  // namespace

Result<HostList> HostList::parse(const ControlText& text) {
    HostList hosts;
    ControlText networks, names;
    for (ControlLine line : text) {
        line.text.erase(std::min(line.text.find('#'), line.text.size()));
        std::erase_if(line.text, [](char c) { return c == ' ' || c == '\t'; });
        line.text = postgrey_prefix(std::move(line.text));
        if (line.text.size() > 2 && line.text.front() == '/' && line.text.back() == '/') {
            auto pattern = Pattern::compile(line.text.substr(1, line.text.size() - 2), Pattern::Case::folded);
            if (!pattern) return problem(line, pattern.error().what);
            hosts.patterns_.push_back(std::move(*pattern));
        } else if (NetworkList::parse_entry(line.text)) {
            networks.push_back(line);
        } else if (!line.text.empty()) {
            if (!is_host_name(line.text))
                return problem(line, format_text("\"{}\" is neither an address, nor a network or its beginning "
                                                 "(192.0.2.0/24, 192.0.2), nor the name of a host",
                                                 support::escape_for_log(line.text, 200)));
            names.push_back(line);
            line.text.insert(0, line.text.front() == '.' ? "" : ".");
            names.push_back(line);
        }
    }
    auto network_list = NetworkList::parse(networks);
    auto name_list = DomainList::parse(names);
    if (!network_list) return network_list.error();
    if (!name_list) return name_list.error();
    hosts.networks_ = std::move(*network_list);
    hosts.names_ = std::move(*name_list);
    return hosts;
}

bool HostList::contains(const IpAddress& address, const std::string& name) const {
    if (networks_.find(address) || names_.contains(name)) return true;
    if (name.empty() || patterns_.empty()) return false;
    const std::string unicode = unicode_domain(name);
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const Pattern& pattern) { return pattern.matches(name) || pattern.matches(unicode); });
}

// --- all mistakes of a file ---

namespace {

/// A file without the lines that were already reported.
class WithoutLines final : public ControlSource {
public:
    explicit WithoutLines(ControlSource& whole) : whole_(whole), text_(whole.text()) {}

    /// Removes the line that the message begins with; false if there is no such line.
    bool leave_out(std::string_view complaint) {
        return text_ && std::erase_if(*text_, [&](const ControlLine& line) {
                            return complaint.starts_with(line.position() + ":");
                        }) > 0;
    }
    std::uint64_t generation() override { return whole_.generation(); }
    Result<ControlText> text() override { return text_; }
    std::string path() const override { return whole_.path(); }
    void report(const std::string& problem) override { whole_.report(problem); }

private:
    ControlSource& whole_;
    Result<ControlText> text_;
};

}  // namespace

void detail::report_mistakes(ControlSource& source, const Error& first,
                             const std::function<std::optional<Error>(ControlSource&)>& parse) {
    constexpr int most = 20;
    WithoutLines rest(source);
    std::optional<Error> mistake = first;
    for (int number = 0; mistake; ++number) {
        if (number == most) return source.report(format_text("{}: this file has more errors", source.path()));
        source.report(mistake->what);
        if (!rest.leave_out(mistake->what)) return;
        mistake = parse(rest);
    }
}

// --- ControlFiles ---

Watched<ControlText> ControlFiles::lines(std::string_view name) {
    return parsed<ControlText>(name, [](const ControlText& text) -> Result<ControlText> { return text; });
}

Watched<AddressPatterns> ControlFiles::address_patterns(std::string_view name) {
    return parsed<AddressPatterns>(
        name, [rule = local_part_case_](const ControlText& text) { return AddressPatterns::parse(text, rule); });
}

Watched<NetworkList> ControlFiles::networks(std::string_view name) {
    return parsed<NetworkList>(name, NetworkList::parse);
}

Watched<DomainList> ControlFiles::domains(std::string_view name) { return parsed<DomainList>(name, DomainList::parse); }

Watched<Cdb> ControlFiles::cdb(std::string_view name) {
    return Watched<Cdb>(source(format_text("{}.cdb", name)), [](ControlSource& from) -> Result<Cdb> {
        const std::string path = from.path();
        return path.empty() ? Result<Cdb>(Cdb()) : Cdb::open(path);
    });
}

std::optional<std::string> ControlFiles::first_line(std::string_view name) {
    const auto file = source(name);
    const auto text = file->text();
    if (!text) file->report(text.error().what);
    if (!text || text->empty()) return std::nullopt;
    return text->front().text;
}

}  // namespace smtpd
