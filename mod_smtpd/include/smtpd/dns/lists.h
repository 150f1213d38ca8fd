/// lists.h: DNS block lists and allow lists (RFC 5782), for dnsbl, rhsbl and dns_whitelist_soft.
///
/// A list is a zone in which every listed item has an address in 127.0.0.0/8. An entry in a control file or an option
/// has one of these forms:
///
///     zen.example
///     zen.example=127.0.0.2-3,127.0.0.9      only these answers count; each number may be a range or *
///     zen.example=127.0.0.2 You are listed   a text instead of the list's own; %IP% and %DOMAIN% are replaced
///     zen.example:You are listed             the same, as qpsmtpd writes it
///
/// An answer in 127.255.255.0/24, one outside 127.0.0.0/8, and 127.0.0.1 unless it is named, never means "listed":
/// lists use them to refuse a question, and they also occur when a domain has a new owner. Like a time-out, such an
/// answer is an error, which does not mean "not listed" either.
///
/// Each list is tested by the first session that needs it and then at intervals: 127.0.0.1 must not be listed, and
/// 127.0.0.2 must be (for lists of domains: INVALID and TEST). A list that fails, or does not answer ten tests a minute
/// apart, is switched off, with an error in the log, until it passes again. The tests are sent along with a session's
/// other questions, so they take no extra time.
#pragma once

#include <smtpd/control.h>
#include <smtpd/dns/dns.h>
#include <smtpd/hooks.h>
#include <smtpd/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd {

/// The options of a plugin that rejects what block lists contain.
struct BlockListOptions {
    std::vector<std::string> zones;
    Duration timeout = std::chrono::seconds(30);
    Duration self_test = std::chrono::hours(1);
    Verdict type = Verdict::declined;  ///< the same as reject_type, if given

    static OptionTable table() {
        return {option("zones", &BlockListOptions::zones, "a list to ask, before those of the control file"),
                option("timeout", &BlockListOptions::timeout, "how long to wait for the DNS").range("100ms", "1min"),
                option("self_test", &BlockListOptions::self_test, "how often the lists are tested; 0 = never")
                    .range("0s", "30d"),
                option("type", &BlockListOptions::type, "reject_type, as a bare word")
                    .choices(refusal_words())
                    .positional(0)};
    }
};

/// What is looked up: the label below the zone, and its form for people.
struct DnsListSubject {
    static DnsListSubject of(const IpAddress& address) { return {address.reversed(), address.to_string()}; }
    static DnsListSubject of(const std::string& domain) { return {domain, domain}; }
    std::string label;
    std::string shown;
};

/// The result of a look-up in all lists.
struct DnsListing {
    std::string zone;    ///< the first list, in the order of the configuration, that contains the item; "" = none; for
                         ///< logs
    std::string shown;   ///< that list's name for outsiders, who must not see a key (DnsList::shown_zone)
    std::string answer;  ///< the addresses that the list returned
    std::string text;    ///< what the list, or the configuration, says about it; "" = nothing
    std::string errors;  ///< the lists that gave no usable answer, and why; "" = all answered
    bool is_listed() const noexcept { return !zone.empty(); }
};

/// One list. Copies share the state of the self-test.
class SMTPD_API DnsList {
public:
    /// Parses an entry in a form shown above; the Error says what is wrong with it.
    static Result<DnsList> parse(std::string_view entry);

    const std::string& zone() const noexcept { return zone_; }
    /// The zone as outsiders may see it. The zone of a paid list includes the customer's key as a label
    /// (`0123456789abcdef.zen.example.net`), and anybody who knows the key can query at the customer's expense. So this
    /// is the end of the name: at most three labels, and none to the left of one that looks like a key. At least two
    /// labels: "example.net".
    std::string shown_zone() const;
    const std::string& text() const noexcept { return text_; }
    /// Whether the answer means "listed". If it means neither yes nor no, `problem` gets the reason.
    bool lists(const DnsAnswer& answer, std::string& problem) const;

private:
    friend class DnsLists;
    using Code = std::array<std::pair<std::uint8_t, std::uint8_t>, 4>;  ///< first and last of each number
    struct Health {
        std::atomic<MonotonicTime> next_test{MonotonicTime::min()};
        std::atomic<unsigned> silences{0};  ///< consecutive tests without an answer
        std::atomic<bool> is_off{false};
    };

    std::string zone_;
    std::string text_;
    std::vector<Code> codes_;
    std::shared_ptr<Health> health_ = std::make_shared<Health>();
};

/// All lists of one plugin instance.
class SMTPD_API DnsLists {
public:
    enum class Of { addresses, domains };
    struct SelfTest {
        Duration every = std::chrono::hours(1);  ///< 0 = never
        bool wants_entry = true;  ///< 127.0.0.2 must be listed; otherwise it is enough that 127.0.0.1 is not
    };

    /// The lists named by an option, then those of the control file. Errors in the option are reported to `setup`.
    DnsLists(Setup& setup, Of kind, const std::vector<std::string>& entries, std::string_view control_file,
             SelfTest test);

    bool empty() const { return entries_.empty() && file_->empty(); }
    /// For an ask handler: asks every list, and if needed for the list's own text.
    void ask(const DnsListSubject& subject, const HookContext& hook, Questions& questions) const;
    /// For the handler that follows it.
    DnsListing look_up(const DnsListSubject& subject, const HookContext& hook, const Answers& answers) const;

private:
    using Lists = std::vector<DnsList>;
    template <class F>
    void for_each(F visit) const;
    bool is_due(const DnsList& list, const HookContext& hook) const noexcept;
    std::string tested(const DnsList& list, bool has_entry) const;
    std::string defect(const DnsAnswer& absent, const DnsAnswer& present) const;
    void test(const DnsList& list, const HookContext& hook, const Answers& answers) const;

    const Of kind_;
    const SelfTest test_;
    Lists entries_;
    Watched<Lists> file_;
};

}  // namespace smtpd
