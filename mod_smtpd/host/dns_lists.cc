/// dns_lists.cc: evaluates the answers of DNS lists, and tests whether the lists work.
#include <smtpd/dns/lists.h>

#include <smtpd/base/format.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace smtpd {
namespace {

constexpr std::size_t longest_text = 300;                   // of a list's text in a reply
constexpr Duration retry_off = std::chrono::minutes(10);    // until a list that is off is tested again
constexpr Duration retry_silent = std::chrono::minutes(1);  // ... and one that did not answer
constexpr unsigned most_silences = 10;  // consecutive tests without an answer that switch a list off

Error wrong(std::string_view entry, std::string_view what) {
    return Error{ErrorCode::config, format_text("\"{}\": {}", quoted(entry, 200), what)};
}

/// Removes the text up to one of `ends` from the front; that octet stays.
std::string_view cut(std::string_view& rest, std::string_view ends) {
    const auto part = rest.substr(0, rest.find_first_of(ends));
    rest.remove_prefix(part.size());
    return part;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::optional<std::uint8_t> octet(std::string_view text) {
    std::uint8_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "7", "2-11" or "*".
std::optional<std::pair<std::uint8_t, std::uint8_t>> range(std::string_view text) {
    if (text == "*") return std::pair<std::uint8_t, std::uint8_t>(0, 255);
    const auto dash = text.find('-');
    const auto first = octet(text.substr(0, dash));
    const auto last = dash == text.npos ? first : octet(text.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    return std::pair(*first, *last);
}

template <class Code>
std::optional<Code> parse_code(std::string_view text) {
    Code code;
    for (std::size_t i = 0; i < code.size(); ++i) {
        const auto part = i + 1 < code.size() ? text.substr(0, text.find('.')) : text;
        const auto numbers = range(part);
        if (!numbers) return std::nullopt;
        code[i] = *numbers;
        text.remove_prefix(std::min(part.size() + 1, text.size()));
    }
    return code[0] == std::pair<std::uint8_t, std::uint8_t>(127, 127) ? std::optional(code) : std::nullopt;
}

template <class Code>
bool matches(const Code& code, const IpAddress& address) {
    for (std::size_t i = 0; i < code.size(); ++i)
        if (address.bytes()[i] < code[i].first || address.bytes()[i] > code[i].second) return false;
    return true;
}

/// Why an answer with that address cannot mean "listed"; "" if it can.
std::string why_not(const IpAddress& address) {
    const auto& bytes = address.bytes();
    if (!address.is_v4() || bytes[0] != 127) return format_text("answers {}, which is not a list's answer", address);
    if (bytes[1] == 255 && bytes[2] == 255) return format_text("refuses to answer ({})", address);
    return {};
}

std::string shown_addresses(const DnsAnswer& answer) {
    std::string text;
    for (const auto& address : answer.addresses()) text += (text.empty() ? "" : " ") + address.to_string();
    return text;
}

std::string with_subject(std::string text, const std::string& subject) {
    for (const std::string_view mark : {"%IP%", "%DOMAIN%"})
        for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + subject.size()))
            text.replace(at, mark.size(), subject);
    return text;
}

/// Whether the label may be a key: list names are words, some with a digit (dnsbl-1); keys are long, or mix letters and
/// digits.
bool may_be_key(std::string_view label) {
    constexpr std::size_t longest_word = 15, longest_with_digits = 8;
    return label.size() > longest_word ||
           (label.size() > longest_with_digits && std::any_of(label.begin(), label.end(), is_ascii_digit));
}

/// The list's own text about a client; it may name the zone.
std::string told_by(const DnsList& list, std::string_view text) {
    const std::string shown = list.shown_zone();
    const std::string folded = ascii_lower(text);
    std::string told;
    for (;;) {
        const auto zone = folded.find(list.zone(), folded.size() - text.size());
        if (shown.size() == list.zone().size() || zone == std::string::npos)
            return told.append(text).substr(0, longest_text);
        const auto before = zone - (folded.size() - text.size());
        told.append(text.substr(0, before)).append(shown);
        text.remove_prefix(before + list.zone().size());
    }
}

std::string name_in(const DnsListSubject& subject, const DnsList& list) { return subject.label + "." + list.zone(); }

}  // namespace

Result<DnsList> DnsList::parse(std::string_view entry) {
    DnsList list;
    std::string_view rest = trimmed(entry);
    const auto zone = DnsQuestion::make(DnsType::a, cut(rest, "=: \t"));
    if (!zone) return wrong(entry, "this does not begin with the name of a zone");
    list.zone_ = zone->name;
    while (rest.starts_with('=') || rest.starts_with(',')) {
        rest.remove_prefix(1);
        const auto text = cut(rest, ",: \t");
        const auto code = parse_code<Code>(text);
        if (!code)
            return wrong(entry,
                         format_text("\"{}\" is not the answer of a list; write 127.0.0.2, 127.0.0.2-11 or 127.0.*.3",
                                     quoted(text, 200)));
        list.codes_.push_back(*code);
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    list.text_ = trimmed(rest);
    return list;
}

std::string DnsList::shown_zone() const {
    constexpr int most_labels = 3, least_labels = 2;
    std::string_view rest = zone_;
    std::size_t shown = 0;
    for (int labels = 0; labels < most_labels && !rest.empty(); ++labels) {
        const auto dot = rest.rfind('.');
        const auto label = dot == rest.npos ? rest : rest.substr(dot + 1);
        if (labels >= least_labels && may_be_key(label)) break;
        shown = zone_.size() - rest.size() + label.size();
        rest = dot == rest.npos ? std::string_view() : rest.substr(0, dot);
    }
    return zone_.substr(zone_.size() - shown);
}

bool DnsList::lists(const DnsAnswer& answer, std::string& problem) const {
    if (answer.failed()) problem = answer.error();
    for (const auto& address : answer.addresses()) {
        if (std::string reason = why_not(address); !reason.empty()) {
            problem = std::move(reason);
        } else if (codes_.empty()) {
            if (address.bytes() != IpAddress::v4({127, 0, 0, 1}).bytes()) return true;
            problem = "answers 127.0.0.1, which means listed only if the entry names it";
        } else if (std::any_of(codes_.begin(), codes_.end(),
                               [&](const Code& code) { return matches(code, address); })) {
            return true;
        }
    }
    return false;
}

DnsLists::DnsLists(Setup& setup, Of kind, const std::vector<std::string>& entries, std::string_view control_file,
                   SelfTest test)
    : kind_(kind), test_(test) {
    for (const auto& entry : entries)
        if (auto list = DnsList::parse(entry)) entries_.push_back(std::move(*list));
        else setup.error("{}", list.error().what);
    file_ = setup.control().parsed<Lists>(control_file, [](const ControlText& text) -> Result<Lists> {
        Lists lists;
        for (const auto& line : text) {
            auto list = DnsList::parse(line.text);
            if (!list) return Error{ErrorCode::config, format_text("{}: {}", line.position(), list.error().what)};
            lists.push_back(std::move(*list));
        }
        return lists;
    });
    if (entries.empty() && setup.control().lines(control_file)->empty())
        setup.warning(
            "it has no lists to ask, so it does nothing; name them with zones=, or one a line in the control "
            "file {}",
            control_file);
}

template <class F>
void DnsLists::for_each(F visit) const {
    const auto file = file_.get();
    for (const auto* lists : {&entries_, file.get()})
        for (const auto& list : *lists) visit(list);
}

bool DnsLists::is_due(const DnsList& list, const HookContext& hook) const noexcept {
    return test_.every > Duration(0) && hook.clock().now() >= list.health_->next_test.load(std::memory_order_relaxed);
}

/// The test entries of RFC 5782 5, which a list must contain or must not contain.
std::string DnsLists::tested(const DnsList& list, bool has_entry) const {
    const char* const label = kind_ == Of::addresses ? (has_entry ? "2.0.0.127." : "1.0.0.127.")
                                                     : (has_entry ? "test." : "invalid.");
    return label + list.zone_;
}

void DnsLists::ask(const DnsListSubject& subject, const HookContext& hook, Questions& questions) const {
    for_each([&](const DnsList& list) {
        if (is_due(list, hook))
            for (const bool has_entry : {false, true}) questions.a(tested(list, has_entry));
        if (list.health_->is_off.load(std::memory_order_relaxed)) return;
        const std::string name = name_in(subject, list);
        std::string ignored;
        if (list.lists(questions.a(name), ignored) && list.text_.empty()) questions.txt(name);
    });
}

DnsListing DnsLists::look_up(const DnsListSubject& subject, const HookContext& hook, const Answers& answers) const {
    DnsListing listing;
    for_each([&](const DnsList& list) {
        if (is_due(list, hook)) test(list, hook, answers);
        const std::string name = name_in(subject, list);
        const DnsAnswer& answer = answers.a(name);
        if (list.health_->is_off.load(std::memory_order_relaxed) || answer.status() == DnsStatus::not_asked) return;
        std::string problem;
        if (!list.lists(answer, problem)) {
            if (!problem.empty())
                listing.errors += format_text("{}{}: {}", listing.errors.empty() ? "" : "; ", list.zone_, problem);
        } else if (!listing.is_listed()) {
            const auto& texts = answers.txt(name).texts();
            listing.zone = list.zone_;
            listing.shown = list.shown_zone();
            listing.answer = shown_addresses(answer);
            listing.text = !list.text_.empty() ? with_subject(list.text_, subject.shown)
                           : texts.empty()     ? ""
                                               : told_by(list, texts.front());
        }
    });
    return listing;
}

/// The defect that a test has found; "" if there is none, or if the test has no result.
std::string DnsLists::defect(const DnsAnswer& absent, const DnsAnswer& present) const {
    const bool of_addresses = kind_ == Of::addresses;
    if (absent.found())
        return format_text("it lists {} ({}), and so everything", of_addresses ? "127.0.0.1" : "INVALID",
                           shown_addresses(absent));
    if (!test_.wants_entry) return {};
    if (present.is_absent())
        return format_text("it does not list {}, which every working list does", of_addresses ? "127.0.0.2" : "TEST");
    const auto& addresses = present.addresses();
    const bool has_listing = std::any_of(addresses.begin(), addresses.end(),
                                         [](const IpAddress& address) { return why_not(address).empty(); });
    return present.found() && !has_listing ? "it " + why_not(addresses.front()) : std::string();
}

/// Switches the list on or off by the result of its test.
void DnsLists::test(const DnsList& list, const HookContext& hook, const Answers& answers) const {
    const DnsAnswer& absent = answers.a(tested(list, false));
    const DnsAnswer& present = answers.a(tested(list, true));
    DnsList::Health& health = *list.health_;
    MonotonicTime due = health.next_test.load();
    if (hook.clock().now() < due || absent.status() == DnsStatus::not_asked || present.status() == DnsStatus::not_asked)
        return;
    std::string problem = defect(absent, present);
    const DnsAnswer& silent = absent.failed() ? absent : present;
    const bool is_silent = problem.empty() && silent.failed();
    const unsigned silences = is_silent ? health.silences + 1 : 0;
    if (silences >= most_silences) problem = format_text("it has not answered for a long time: {}", silent.error());
    const Duration wait = !problem.empty() ? retry_off : is_silent ? retry_silent : test_.every;
    if (!health.next_test.compare_exchange_strong(due, hook.clock().now() + std::min(wait, test_.every)))
        return;  // another session was faster
    health.silences = silences;
    if ((is_silent && problem.empty()) || health.is_off.exchange(!problem.empty()) == !problem.empty()) return;
    if (problem.empty()) hook.log(LogLevel::notice, "the list {} passes its test again and is used", list.zone_);
    else hook.log(LogLevel::error, "the list {} IS SWITCHED OFF: {}", list.zone_, problem);
}

}  // namespace smtpd
