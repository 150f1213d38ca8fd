/// lists.h: block lists and allow lists in the DNS (RFC 5782), as dnsbl, rhsbl and dns_whitelist_soft ask them.
///
/// A list is a zone, and what is listed has an address of 127.0.0.0/8 below it. An entry of a control file, or of an
/// option, is
///
///     zen.example
///     zen.example=127.0.0.2-3,127.0.0.9            only these answers count; each number may be a range or *
///     zen.example=127.0.0.2 You are listed         what is said instead of the list's own text; %IP% and %DOMAIN%
///     stand for what was looked up zen.example:You are listed                   the same, as qpsmtpd writes it
///
/// An answer in 127.255.255.0/24, one outside 127.0.0.0/8, and 127.0.0.1 unless it is named, never means "listed": it
/// is how lists say that they do not answer such questions, and how domains answer that have a new owner. Like
/// a time-out it is an error, which is not "not listed" either.
///
/// Each list is tested, by the first session that needs it and from then on at intervals: 127.0.0.1 must not be listed,
/// and 127.0.0.2 must be (for lists of domains: INVALID and TEST). A list that fails, or gives no answer for ten tests,
/// a minute apart, is switched off, with an error in the log, until it passes again. The tests are questions among the
/// others and cost no time of their own.
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

/// The options of a plugin that refuses what such lists have.
struct BlockListOptions {
    std::vector<std::string> zones;
    Duration timeout = std::chrono::seconds(30);
    Duration self_test = std::chrono::hours(1);
    Verdict type = Verdict::declined;  ///< says the same as reject_type, where it is given

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

/// What is looked up: the label below the zone, and how it is shown to people.
struct DnsListSubject {
    static DnsListSubject of(const IpAddress& address) { return {address.reversed(), address.to_string()}; }
    static DnsListSubject of(const std::string& domain) { return {domain, domain}; }
    std::string label;
    std::string shown;
};

/// What the lists say.
struct DnsListing {
    std::string zone;    ///< the first list, in the order of the configuration, that has it; "" = none; for logs
    std::string shown;   ///< that list's name for strangers, who must not see a key (DnsList::shown_zone)
    std::string answer;  ///< its addresses
    std::string text;    ///< what it, or the configuration, says about it; "" = nothing
    std::string errors;  ///< the lists that could not tell, and why; "" = all could
    bool is_listed() const noexcept { return !zone.empty(); }
};

/// One list. Copies share what the self-test found out.
class SMTPD_API DnsList {
public:
    /// Reads an entry as above; the Error says what is wrong with it.
    static Result<DnsList> parse(std::string_view entry);

    const std::string& zone() const noexcept { return zone_; }
    /// The zone as others than the administrator may see it. A list that is paid for has the customer's key among its
    /// labels (`0123456789abcdef.zen.example.net`), and a stranger who has it asks at the customer's expense. So this
    /// is the end of the name: at most three labels, and none in front of one that looks like a key. "example.net" at
    /// least.
    std::string shown_zone() const;
    const std::string& text() const noexcept { return text_; }
    /// What an answer to "is it listed?" means: yes, no, or, with the reason in `problem`, neither.
    bool lists(const DnsAnswer& answer, std::string& problem) const;

private:
    friend class DnsLists;
    using Code = std::array<std::pair<std::uint8_t, std::uint8_t>, 4>;  ///< first and last of each number
    struct Health {
        std::atomic<MonotonicTime> next_test{MonotonicTime::min()};
        std::atomic<unsigned> silences{0};  ///< tests in a row that had no answer
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
        bool wants_entry = true;  ///< 127.0.0.2 has to be listed; otherwise it is enough that 127.0.0.1 is not
    };

    /// The lists named by an option, then those of the control file; mistakes in the option are reported to `setup`.
    DnsLists(Setup& setup, Of kind, const std::vector<std::string>& entries, std::string_view control_file,
             SelfTest test);

    bool empty() const { return entries_.empty() && file_->empty(); }
    /// For an ask handler: puts all questions, and that for a list's own text where it is needed.
    void ask(const DnsListSubject& subject, const HookContext& hook, Questions& questions) const;
    /// For the handler behind it.
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
