/// control_test.cc: the forms of control files, cdb, and regular expressions.
#include <smtpd/control.h>

#include "fakes/temp_directory.h"

#include <smtpd/base/address.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sys/mman.h>
#include <unistd.h>

#include <map>

namespace smtpd {
namespace {

using fakes::TempDirectory;

ControlText text(std::initializer_list<const char*> lines) {
    ControlText all;
    for (const auto* line : lines) all.push_back({line, "file", static_cast<unsigned>(all.size() + 1)});
    return all;
}

ControlText lines_of(const std::vector<std::string>& lines) {
    ControlText all;
    for (const auto& line : lines) all.push_back({line, "file", static_cast<unsigned>(all.size() + 1)});
    return all;
}

template <class List>
std::string error_of(const ControlText& content) {
    const auto parsed = List::parse(content);
    return parsed ? "no error" : parsed.error().what;
}

Address address(const char* mailbox) { return Address::parse(mailbox).value(); }

std::string found(const AddressPatterns& list, const Address& sender) {
    const auto* entry = list.find(sender);
    return entry ? entry->pattern + "|" + entry->reason : "-";
}

std::string found(const NetworkList& list, const char* ip) {
    const auto* entry = list.find(IpAddress::parse(ip).value());
    return entry ? entry->pattern + "|" + entry->reason : "-";
}

std::string number(std::uint32_t value) {
    std::string octets;
    for (int shift = 0; shift < 32; shift += 8) octets += static_cast<char>(value >> shift & 0xff);
    return octets;
}

/// Writes a cdb in its format: records, then the hash tables, then the head.
std::string make_cdb(const std::vector<std::pair<std::string, std::string>>& records) {
    std::string body;
    std::map<std::uint32_t, std::vector<std::pair<std::uint32_t, std::uint32_t>>> tables;
    for (const auto& [key, data] : records) {
        std::uint32_t hash = 5381;
        for (const char c : key) hash = (hash * 33) ^ static_cast<unsigned char>(c);
        tables[hash & 255].push_back({hash, static_cast<std::uint32_t>(2048 + body.size())});
        body += number(static_cast<std::uint32_t>(key.size())) + number(static_cast<std::uint32_t>(data.size())) + key +
                data;
    }
    std::string head;
    for (std::uint32_t table = 0; table < 256; ++table) {
        const auto& entries = tables[table];
        std::vector<std::pair<std::uint32_t, std::uint32_t>> slots(entries.size() * 2);
        for (const auto& entry : entries) {
            std::size_t slot = (entry.first >> 8) % slots.size();
            while (slots[slot].second != 0) slot = (slot + 1) % slots.size();
            slots[slot] = entry;
        }
        head += number(static_cast<std::uint32_t>(2048 + body.size())) +
                number(static_cast<std::uint32_t>(slots.size()));
        for (const auto& [hash, position] : slots) body += number(hash) + number(position);
    }
    return head + body;
}

/// A file in memory with a path, which tests can write thousands of times.
class MemoryFile {
public:
    MemoryFile() : descriptor_(memfd_create("test", MFD_CLOEXEC)) {}
    ~MemoryFile() { close(descriptor_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    std::string write(std::string_view content) const {
        CPPUNIT_ASSERT_EQUAL(0, ftruncate(descriptor_, 0));
        CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(content.size()),
                             pwrite(descriptor_, content.data(), content.size(), 0));
        return "/proc/self/fd/" + std::to_string(descriptor_);
    }

private:
    int descriptor_;
};

/// Control files that exist only as lines; a new set of lines is a new generation.
class FakeSource final : public ControlSource {
public:
    std::uint64_t generation() override { return generation_; }
    Result<ControlText> text() override { return content; }
    std::string path() const override { return file; }
    void report(const std::string& problem) override { problems.push_back(problem); }
    void set(ControlText lines) {
        content = std::move(lines);
        ++generation_;
    }

    ControlText content;
    std::string file;
    std::vector<std::string> problems;

private:
    std::uint64_t generation_ = 1;
};

class FakeFiles final : public ControlFiles {
public:
    std::shared_ptr<ControlSource> source(std::string_view name) override { return file(name); }
    std::shared_ptr<ControlSource> source_at(std::string_view path) override { return source(path); }
    std::shared_ptr<FakeSource> file(std::string_view name) {
        auto& entry = files_[std::string(name)];
        if (!entry) entry = std::make_shared<FakeSource>();
        return entry;
    }

private:
    std::map<std::string, std::shared_ptr<FakeSource>> files_;
};

class ControlTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ControlTest);
    CPPUNIT_TEST(addresses_match_by_address_domain_and_expression);
    CPPUNIT_TEST(domains_of_entries_match_in_both_forms);
    CPPUNIT_TEST(local_parts_of_entries_match_by_the_server_s_rule);
    CPPUNIT_TEST(the_first_address_entry_wins);
    CPPUNIT_TEST(addresses_without_domain_match_nothing);
    CPPUNIT_TEST(expressions_keep_their_character_classes);
    CPPUNIT_TEST(network_entries_have_three_forms);
    CPPUNIT_TEST(networks_match_by_file_order);
    CPPUNIT_TEST(ten_thousand_networks_are_found);
    CPPUNIT_TEST(domains_match_exactly_or_below);
    CPPUNIT_TEST(hosts_are_addresses_names_and_expressions);
    CPPUNIT_TEST(postgreys_own_list_is_understood);
    CPPUNIT_TEST(mistakes_are_named_with_place_and_what_is_allowed);
    CPPUNIT_TEST(verdict_lines_have_an_entry_a_word_and_a_text);
    CPPUNIT_TEST(cdb_values_are_found);
    CPPUNIT_TEST(a_large_cdb_is_mapped);
    CPPUNIT_TEST(a_damaged_cdb_is_refused_or_stays_within_the_file);
    CPPUNIT_TEST(a_pattern_says_where_it_is_wrong);
    CPPUNIT_TEST(a_pattern_that_would_run_for_ages_matches_nothing);
    CPPUNIT_TEST(watched_files_are_parsed_again_when_they_change);
    CPPUNIT_TEST_SUITE_END();

    TempDirectory directory_;

    void addresses_match_by_address_domain_and_expression() {
        const auto list = AddressPatterns::parse(
            text({"Spam@Example.COM", "@bad.Example reasons enough", "/^bulk-\\d+@/ too much", "test.net$",
                  "! no bang paths", "@.*@", "%", "\"odd\"@example.org"}));
        CPPUNIT_ASSERT(list);
        const struct {
            const char* address;
            const char* match;
        } rows[] = {
            {"spam@example.com", "Spam@Example.COM|"},
            {"SPAM@EXAMPLE.com", "Spam@Example.COM|"},
            {"spam@sub.example.com", "-"},
            {"xspam@example.com", "-"},
            {"anyone@BAD.example", "@bad.Example|reasons enough"},
            {"anyone@sub.bad.example", "-"},
            {"Bulk-17@example.net", "/^bulk-\\d+@/|too much"},
            {"bulk-x@example.net", "-"},
            {"a@Test.Net", "test.net$|"},
            {"a@test.net.example", "-"},
            {"host!user@example.net", "!|no bang paths"},
            {"\"a@b\"@example.net", "@.*@|"},
            {"user%host@example.net", "%|"},
            {"odd@example.org", "\"odd\"@example.org|"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.address, std::string(row.match), found(*list, address(row.address)));
        CPPUNIT_ASSERT_EQUAL(std::size_t{8}, list->size());
        CPPUNIT_ASSERT_EQUAL(std::string("else"), list->find(address("spam@example.com"))->reason_or("else"));
    }

    void domains_of_entries_match_in_both_forms() {
        const char* forms[] = {"bücher.example", "BÜCHER.Example",
                               "bu\xcc\x88"
                               "cher.example",
                               "xn--bcher-kva.example", "XN--BCHER-KVA.example"};
        for (const std::string written : forms)
            for (const std::string sent : forms) {
                const auto where = written + " " + sent;
                const auto address = *Address::parse("a@" + sent, {.smtputf8 = true});
                const auto patterns = AddressPatterns::parse(lines_of({"@" + written}));
                CPPUNIT_ASSERT_MESSAGE(where, patterns && patterns->find(address) != nullptr);
                const auto exact = AddressPatterns::parse(lines_of({"A@" + written}));
                CPPUNIT_ASSERT_MESSAGE(where, exact && exact->find(address) != nullptr);
                const auto domains = DomainList::parse(lines_of({written, "." + written}));
                CPPUNIT_ASSERT_MESSAGE(where, domains && domains->contains(sent));
                CPPUNIT_ASSERT_MESSAGE(where, domains->contains("x." + sent + "."));
                CPPUNIT_ASSERT_MESSAGE(where, !domains->contains("bucher.example"));
                const auto hosts = HostList::parse(lines_of({written}));
                CPPUNIT_ASSERT_MESSAGE(where, hosts && hosts->contains(*IpAddress::parse("192.0.2.1"), "mx." + sent));
            }
        for (const char* expression : {"/@bücher\\.example$/", "/@xn--bcher-kva\\.example$/"}) {
            const auto list = AddressPatterns::parse(text({expression}));
            for (const std::string sent : forms)
                CPPUNIT_ASSERT_MESSAGE(expression + sent,
                                       list && list->find(*Address::parse("a@" + sent, {.smtputf8 = true})) != nullptr);
        }
        const auto hosts = HostList::parse(text({"/^bücher\\./"}));
        CPPUNIT_ASSERT(hosts && hosts->contains(*IpAddress::parse("192.0.2.1"), "xn--bcher-kva.example"));
        for (const char* entry : {"b\xfc"
                                  "cher.example",
                                  "b❤.example",
                                  ".b\xe2\x80\xae"
                                  "c.example"}) {
            const auto domains = DomainList::parse(text({entry}));
            CPPUNIT_ASSERT(!domains && domains.error().what.find("IDNA does not allow") != std::string::npos);
            const auto patterns = AddressPatterns::parse(lines_of({std::string("a@") + entry}));
            CPPUNIT_ASSERT(!patterns && patterns.error().what.find("IDNA does not allow") != std::string::npos);
        }
    }

    void local_parts_of_entries_match_by_the_server_s_rule() {
        const ControlText lines = text({"Bob@example.com", "Postmaster@example.com", "@Example.org"});
        const struct {
            const char* address;
            bool if_insensitive, if_sensitive;
        } rows[] = {{"Bob@example.com", true, true},        {"Bob@EXAMPLE.com", true, true},
                    {"bob@example.com", true, false},       {"BOB@example.com", true, false},
                    {"POSTMASTER@example.com", true, true}, {"postmaster@example.com", true, true},
                    {"Any@example.ORG", true, true}};
        for (const auto& row : rows)
            for (const auto rule : {LocalPartCase::insensitive, LocalPartCase::sensitive}) {
                const auto list = AddressPatterns::parse(lines, rule);
                const auto address = *Address::parse(row.address, {.local_part_case = rule});
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.address,
                                             rule == LocalPartCase::insensitive ? row.if_insensitive : row.if_sensitive,
                                             list->find(address) != nullptr);
            }
        FakeFiles files;
        files.file("list")->set(lines);
        files.set_local_part_case(LocalPartCase::sensitive);
        const auto watched = files.address_patterns("list");
        CPPUNIT_ASSERT(
            !watched->find(*Address::parse("bob@example.com", {.local_part_case = LocalPartCase::sensitive})));
        CPPUNIT_ASSERT(
            watched->find(*Address::parse("Bob@example.com", {.local_part_case = LocalPartCase::sensitive})));
    }

    void the_first_address_entry_wins() {
        const auto list = AddressPatterns::parse(text({"/^one@/ 1", "two@example.com 2", "@example.com 3",
                                                       "one@example.com 4", "/two|three/ 5", "two@example.com 6"}));
        CPPUNIT_ASSERT_EQUAL(std::string("/^one@/|1"), found(*list, address("one@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("two@example.com|2"), found(*list, address("two@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("@example.com|3"), found(*list, address("three@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("/two|three/|5"), found(*list, address("three@example.org")));
    }

    void addresses_without_domain_match_nothing() {
        const auto list = AddressPatterns::parse(text({"/.*/"}));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), found(*list, Address()));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), found(*list, Address::from_parts("postmaster", "")));
        CPPUNIT_ASSERT_EQUAL(std::string("/.*/|"), found(*list, address("a@example.com")));
        CPPUNIT_ASSERT(AddressPatterns().empty());
        CPPUNIT_ASSERT_EQUAL(std::string("-"), found(AddressPatterns(), address("a@example.com")));
    }

    void expressions_keep_their_character_classes() {
        const auto list = AddressPatterns::parse(text({"^\\D+@Example\\.COM$"}));
        CPPUNIT_ASSERT_EQUAL(std::string("^\\D+@Example\\.COM$|"), found(*list, address("abc@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::string("-"), found(*list, address("123@example.com")));
    }

    void network_entries_have_three_forms() {
        const struct {
            const char* entry;
            const char* network;
        } rows[] = {
            {"192.0.2.1", "192.0.2.1/32"},
            {"192.0.2.77/24", "192.0.2.0/24"},
            {"0.0.0.0/0", "0.0.0.0/0"},
            {"10.", "10.0.0.0/8"},
            {"192.168.", "192.168.0.0/16"},
            {"192.0.2.", "192.0.2.0/24"},
            {"2001:db8::1", "2001:db8::1/128"},
            {"2001:DB8::1/32", "2001:db8::/32"},
            {"::1", "::1/128"},
            {"2001:db8:", "2001:db8::/32"},
            {"2001:0DB8", "2001:db8::/32"},
            {"2001:", "2001::/16"},
            {"2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1/128"},
            {"1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:0/112"},
            {"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0/112"},
            {"fe80:0:0:1", "fe80:0:0:1::/64"},
            {"0:0:0:0:0:ffff:c000:", "192.0.0.0/16"},
        };
        for (const auto& row : rows) {
            const auto network = NetworkList::parse_entry(row.entry);
            CPPUNIT_ASSERT_MESSAGE(row.entry, network.has_value());
            const auto expected = IpNetwork::parse(row.network);
            CPPUNIT_ASSERT_MESSAGE(row.network, expected.has_value());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.entry, expected->to_string(), network->to_string());
        }
        for (const auto* wrong : {"",
                                  ".",
                                  ":",
                                  "192",
                                  "192.0",
                                  "192.0.2",
                                  "192.0.2.1.",
                                  "256.",
                                  "1..",
                                  "192.0.2.0/33",
                                  "192.0.2.0/",
                                  "1.2.3.4.5",
                                  "2001",
                                  "2001:db8::/129",
                                  "1:2:3:4:5:6:7:8:",
                                  "1:2:3:4:5:6:7:8:9",
                                  ":1",
                                  "2001:g:",
                                  "12345:",
                                  "1.2:",
                                  "example.com",
                                  "a.b."})
            CPPUNIT_ASSERT_MESSAGE(wrong, !NetworkList::parse_entry(wrong));
    }

    void networks_match_by_file_order() {
        const auto list = NetworkList::parse(
            text({"192.0.2.5 the host", "192.0.2.0/24 the net", "192.0.", "192.0.3.3 never found", "2001:db8: v6",
                  "::1", "0.0.0.0/0 all", "192.0.2.5 again"}));
        CPPUNIT_ASSERT(list);
        const struct {
            const char* ip;
            const char* match;
        } rows[] = {
            {"192.0.2.5", "192.0.2.5|the host"},
            {"192.0.2.0", "192.0.2.0/24|the net"},
            {"192.0.2.255", "192.0.2.0/24|the net"},
            {"192.0.3.3", "192.0.|"},
            {"::ffff:192.0.2.5", "192.0.2.5|the host"},
            {"198.51.100.1", "0.0.0.0/0|all"},
            {"2001:db8:ffff::1", "2001:db8:|v6"},
            {"2001:db9::1", "-"},
            {"::1", "::1|"},
            {"::2", "-"},
        };
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL_MESSAGE(row.ip, std::string(row.match), found(*list, row.ip));
        CPPUNIT_ASSERT(!list->find(IpAddress()));
        CPPUNIT_ASSERT(!NetworkList().find(IpAddress::parse("::1").value()));
        CPPUNIT_ASSERT_EQUAL(std::size_t{8}, list->size());
    }

    void ten_thousand_networks_are_found() {
        ControlText content;
        static constexpr const char* last_parts[] = {"", "1", "0/25"};
        for (unsigned i = 0; i < 10'000; ++i)
            content.push_back(
                {"10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "." + last_parts[i % 3], "f", i});
        const auto list = NetworkList::parse(content);
        CPPUNIT_ASSERT(list);
        for (unsigned i = 0; i < 10'000; ++i) {
            const std::string ip = "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1";
            CPPUNIT_ASSERT_EQUAL(content[i].text + "|", found(*list, ip.c_str()));
        }
    }

    void domains_match_exactly_or_below() {
        const auto list = DomainList::parse(text({"Example.com", ".below.Example", "[192.0.2.1]", "full.example.",
                                                  "b\xc3\xbc"
                                                  "cher.example"}));
        CPPUNIT_ASSERT(list);
        for (const auto* domain :
             {"example.COM", "example.com.", "a.below.example", "a.b.BELOW.example", "[192.0.2.1]", "full.example",
              "b\xc3\xbc"
              "cher.example"})
            CPPUNIT_ASSERT_MESSAGE(domain, list->contains(domain));
        for (const auto* domain : {"", ".", "com", "sub.example.com", "xexample.com", "below.example", "abelow.example",
                                   ".below.example", "example.com..", "example"})
            CPPUNIT_ASSERT_MESSAGE(domain, !list->contains(domain));
        CPPUNIT_ASSERT(!DomainList().contains("example.com"));
    }

    void hosts_are_addresses_names_and_expressions() {
        const auto list = HostList::parse(text({"192.0.2.1 # one", "198.51.100.0/24", "2001:db8:", "mail.example.com",
                                                ".below.example", "/^mx\\d+\\.EXAMPLE\\.net$/", " # nothing", "10."}));
        CPPUNIT_ASSERT(list);
        const struct {
            const char* address;
            const char* name;
            bool is_in;
        } rows[] = {{"192.0.2.1", "", true},
                    {"192.0.2.2", "", false},
                    {"198.51.100.7", "", true},
                    {"2001:db8::1", "", true},
                    {"2001:db9::1", "", false},
                    {"10.1.2.3", "", true},
                    {"192.0.2.2", "Mail.Example.com", true},
                    {"192.0.2.2", "a.mail.example.com", true},
                    {"192.0.2.2", "xmail.example.com", false},
                    {"192.0.2.2", "a.below.example", true},
                    {"192.0.2.2", "mx12.example.net", true},
                    {"192.0.2.2", "mx.example.net", false},
                    {"192.0.2.2", "mx12.example.net.other", false}};
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.address) + " " + row.name, row.is_in,
                                         list->contains(IpAddress::parse(row.address).value(), row.name));
        CPPUNIT_ASSERT(!HostList().contains(IpAddress::parse("192.0.2.1").value(), "mail.example.com"));
        CPPUNIT_ASSERT_EQUAL(std::string("file:2: regular expression a(: "),
                             error_of<HostList>(text({"192.0.2.1", "/a(/"})).substr(0, 31));
        CPPUNIT_ASSERT_EQUAL(std::string("file:1: \"a..b\" is not a domain"),
                             error_of<HostList>(text({"a..b"})).substr(0, 30));
    }

    /// Every form in the list that comes with Postgrey.
    void postgreys_own_list_is_understood() {
        const auto list = HostList::parse(
            text({"# Postgrey whitelist for mail client hostnames", "# --------", "", "# greylisting.org: slow servers",
                  "slow.example", "gw.some-site.example\t# 2004-05-20", "/^ms-smtp.*\\.rr\\.example$/",
                  "/^s[cv]\\d+pub\\.v\\.example$/", "/^(?:smtp\\w*|postfix)[0-9]+-g[0-9]+\\.f\\.example$/",
                  "/^.*?.server.a.example$/", "192.0.2.174", "195.235.39", "10.20", "198.51.100.0/27",
                  "2001:db8:4051:0800::/64", "2001:db8::7"}));
        CPPUNIT_ASSERT_MESSAGE(list ? "" : list.error().what, static_cast<bool>(list));
        const struct {
            const char* address;
            const char* name;
            bool is_in;
        } rows[] = {{"195.235.39.1", "", true},
                    {"195.235.39.255", "", true},
                    {"195.235.40.1", "", false},
                    {"195.235.3.9", "", false},
                    {"10.20.255.1", "", true},
                    {"10.2.0.1", "", false},
                    {"10.200.1.1", "", false},
                    {"192.0.2.174", "", true},
                    {"192.0.2.17", "", false},
                    {"198.51.100.31", "", true},
                    {"198.51.100.32", "", false},
                    {"2001:db8:4051:800::1", "", true},
                    {"2001:db8:4051:801::1", "", false},
                    {"2001:db8::7", "", true},
                    {"203.0.113.1", "slow.example", true},
                    {"203.0.113.1", "mx.gw.some-site.example", true},
                    {"203.0.113.1", "ms-smtp-01.tampa.rr.example", true},
                    {"203.0.113.1", "sc008pub.v.example", true},
                    {"203.0.113.1", "smtp1-g19.f.example", true},
                    {"203.0.113.1", "mx.server.a.example", true},
                    {"203.0.113.1", "ok.195.235.39", false}};
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(row.address) + " " + row.name, row.is_in,
                                         list->contains(IpAddress::parse(row.address).value(), row.name));
        for (const char* wrong : {"300.1.2", "1.2.3.4.5", "195", "1.2.3.256", "1..2"})
            CPPUNIT_ASSERT_MESSAGE(wrong, error_of<HostList>(text({wrong})).starts_with("file:1: \""));
    }

    void mistakes_are_named_with_place_and_what_is_allowed() {
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "file:2: \"nobody\" is neither an address nor an @domain nor a regular expression (which has one of "
                "/ ^ $ * + ! % ? \\ in it)"),
            error_of<AddressPatterns>(text({"a@b", "nobody"})));
        CPPUNIT_ASSERT_EQUAL(std::string("file:1: \"a@\" is neither"),
                             error_of<AddressPatterns>(text({"a@"})).substr(0, 23));
        CPPUNIT_ASSERT_EQUAL(std::string("file:1: an empty regular expression would match every address"),
                             error_of<AddressPatterns>(text({"// all"})));
        CPPUNIT_ASSERT_EQUAL(std::string("file:1: regular expression a(*: "),
                             error_of<AddressPatterns>(text({"/a(*/"})).substr(0, 32));
        CPPUNIT_ASSERT_EQUAL(
            std::string("file:1: \"10.1\" is not a network; write an address (192.0.2.1, 2001:db8::1), a network "
                        "(192.0.2.0/24, 2001:db8::/32) or a prefix (192.0.2., 2001:db8:)"),
            error_of<NetworkList>(text({"10.1"})));
        for (const auto* wrong : {"two words", "@example.com", "a@example.com", ".", "..", "..example.com", "a..b",
                                  "*.example.com", "example.com/x"})
            CPPUNIT_ASSERT_EQUAL("file:1: \"" + std::string(wrong) +
                                     "\" is not a domain; write one domain a line (example.com), or a dot "
                                     "and a domain for all its subdomains (.example.com)",
                                 error_of<DomainList>(text({wrong})));
    }

    void verdict_lines_have_an_entry_a_word_and_a_text() {
        const struct {
            const char* line;
            const char* expected;
        } rows[] = {
            {"a@b OK", "a@b|ok|"},
            {"a@b\tdenysoft \t come  back ", "a@b|denysoft|come  back"},
            {"192.0.2.1   DENY_DISCONNECT", "192.0.2.1|deny_disconnect|"},
            {"x DenyHard gone", "x|deny_disconnect|gone"},
            {"x DECLINED", "x|declined|"},
            {"x", "file:1: \"\" must be OK, DECLINED, DENY, DENYSOFT, DENY_DISCONNECT or DENYSOFT_DISCONNECT"},
            {"x DONE", "file:1: \"DONE\" must be OK, DECLINED, DENY, DENYSOFT, DENY_DISCONNECT or DENYSOFT_DISCONNECT"},
            {"x 550 no",
             "file:1: \"550\" must be OK, DECLINED, DENY, DENYSOFT, DENY_DISCONNECT or DENYSOFT_DISCONNECT"},
        };
        for (const auto& row : rows) {
            const auto parsed = VerdictLine::parse({row.line, "file", 1});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                row.line, std::string(row.expected),
                parsed ? format_text("{}|{}|{}", parsed->entry, verdict_name(parsed->verdict), parsed->text)
                       : parsed.error().what);
        }
    }

    void cdb_values_are_found() {
        std::vector<std::pair<std::string, std::string>> records;
        for (int i = 0; i < 1000; ++i) records.push_back({"key" + std::to_string(i), "value " + std::to_string(i)});
        records.push_back({"", "of the empty key"});
        records.push_back({"empty", ""});
        records.push_back({"key7", "a second one"});
        const auto cdb = Cdb::open(directory_.write("x.cdb", make_cdb(records)));
        CPPUNIT_ASSERT(cdb);
        CPPUNIT_ASSERT(!cdb->empty());
        for (int i = 0; i < 1000; ++i)
            CPPUNIT_ASSERT_EQUAL("value " + std::to_string(i),
                                 std::string(cdb->find("key" + std::to_string(i)).value()));
        CPPUNIT_ASSERT_EQUAL(std::string("of the empty key"), std::string(cdb->find("").value()));
        CPPUNIT_ASSERT_EQUAL(std::string(), std::string(cdb->find("empty").value()));
        CPPUNIT_ASSERT(!cdb->find("key") && !cdb->find("Key1") && !cdb->find("key1000"));
        CPPUNIT_ASSERT(Cdb().empty() && !Cdb().find("x"));
        const auto nothing = Cdb::open(directory_.write("empty.cdb", make_cdb({})));
        CPPUNIT_ASSERT(nothing && nothing->empty() && !nothing->find("x"));
    }

    void a_large_cdb_is_mapped() {
        const std::string large(5 * 1024 * 1024, 'v');
        const std::string path = directory_.write("x.cdb", make_cdb({{"a", large}, {"b", "small"}}));
        auto cdb = Cdb::open(path);
        CPPUNIT_ASSERT(cdb);
        const Cdb moved = *std::move(cdb);
        std::filesystem::remove(path);
        CPPUNIT_ASSERT(moved.find("a").value() == large);
        CPPUNIT_ASSERT_EQUAL(std::string("small"), std::string(moved.find("b").value()));
    }

    void a_damaged_cdb_is_refused_or_stays_within_the_file() {
        const std::string good = make_cdb({{"key", "value"}, {"other", "thing"}, {"third", "one"}});
        const MemoryFile file;
        for (std::size_t size = 0; size < good.size(); ++size)
            CPPUNIT_ASSERT(!Cdb::open(file.write(std::string_view(good).substr(0, size))));
        int refused = 0;
        for (std::size_t at = 0; at < good.size(); ++at) {
            for (const char damage : {'\x01', '\x7f', '\xff'}) {
                std::string bad = good;
                bad[at] = static_cast<char>(bad[at] ^ damage);
                const auto cdb = Cdb::open(file.write(bad));
                if (!cdb) ++refused;
                for (const auto* key : {"key", "other", "third", ""})
                    if (cdb && cdb->find(key)) CPPUNIT_ASSERT(cdb->find(key)->size() <= bad.size());
            }
        }
        CPPUNIT_ASSERT(refused > 1000);
        CPPUNIT_ASSERT_EQUAL(directory_.path("none") + ": No such file or directory",
                             Cdb::open(directory_.path("none")).error().what);
        CPPUNIT_ASSERT_EQUAL(directory_.path() + ": is not a regular file", Cdb::open(directory_.path()).error().what);
        CPPUNIT_ASSERT_EQUAL(directory_.path("text") + ": is not a cdb: it is shorter than its head of 2048 octets",
                             Cdb::open(directory_.write("text", "some text\n")).error().what);
    }

    void a_pattern_says_where_it_is_wrong() {
        CPPUNIT_ASSERT(Pattern::compile("a.c")->matches("xabcx"));
        CPPUNIT_ASSERT(!Pattern::compile("a.c")->matches("ABC"));
        CPPUNIT_ASSERT(Pattern::compile("a.c", Pattern::Case::folded)->matches("ABC"));
        CPPUNIT_ASSERT(Pattern::compile("^$")->matches(""));
        CPPUNIT_ASSERT(Pattern::compile("")->matches({}));
        CPPUNIT_ASSERT(Pattern::compile("a.b")->matches(std::string_view("a\0b", 3)));
        const auto wrong = Pattern::compile("ab(c");
        CPPUNIT_ASSERT(!wrong);
        CPPUNIT_ASSERT(ErrorCode::config == wrong.error().code);
        CPPUNIT_ASSERT_EQUAL(std::string("regular expression ab(c: missing closing parenthesis at character 5"),
                             wrong.error().what);
        CPPUNIT_ASSERT(!Pattern::compile(std::string(20'000, 'x')));
    }

    void a_pattern_that_would_run_for_ages_matches_nothing() {
        const auto pattern = Pattern::compile("^(a+)+$");
        CPPUNIT_ASSERT(pattern->matches("aaaaaaaa"));
        CPPUNIT_ASSERT(!pattern->matches(std::string(64, 'a') + "!"));
        const auto late = Pattern::compile("^(?:(a+)+b|.*)$");  // tries each way to cut up the a's before it takes the
                                                                // other branch
        CPPUNIT_ASSERT(late->matches(std::string(8, 'a')));
        CPPUNIT_ASSERT(!late->matches(std::string(20, 'a')));
    }

    void watched_files_are_parsed_again_when_they_change() {
        FakeFiles files;
        const auto source = files.file("badrcptto");
        source->content = text({"a@example.com"});
        const auto bad = files.address_patterns("badrcptto");
        CPPUNIT_ASSERT(bad->find(address("a@example.com")));
        source->set(text({"b@example.com"}));
        CPPUNIT_ASSERT(!bad->find(address("a@example.com")));
        CPPUNIT_ASSERT(bad->find(address("b@example.com")));
        source->set(text({"nonsense"}));
        CPPUNIT_ASSERT(bad->find(address("b@example.com")));
        CPPUNIT_ASSERT(bad->find(address("b@example.com")));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, source->problems.size());

        files.file("me")->content = text({"mx.example.com", "more"});
        CPPUNIT_ASSERT_EQUAL(std::string("mx.example.com"), files.first_line("me").value());
        CPPUNIT_ASSERT(!files.first_line("none"));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, files.lines("me")->size());
        CPPUNIT_ASSERT(files.domains("me").get() && files.networks("none")->empty());

        const auto database = files.cdb("rcpthosts");
        CPPUNIT_ASSERT(database->empty());
        files.file("rcpthosts.cdb")->file = directory_.write("rcpthosts.cdb", make_cdb({{"example.com", ""}}));
        files.file("rcpthosts.cdb")->set({});
        CPPUNIT_ASSERT(database->find("example.com"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ControlTest);

}  // namespace
}  // namespace smtpd
