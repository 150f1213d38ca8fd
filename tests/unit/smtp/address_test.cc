/// address_test.cc: the path grammar of RFC 5321 4.1.2, row by row; the additional forms that senders use; and which
/// spellings are one address.
#include "smtp/utf8.h"

#include <smtpd/base/address.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace smtpd {
namespace {

constexpr AddressSyntax any_path{.allow_null = true, .allow_postmaster = true, .strict = true};
constexpr AddressSyntax utf8_path{.smtputf8 = true, .allow_null = true, .allow_postmaster = true, .strict = true};
constexpr AddressSyntax lenient_path{.smtputf8 = true, .allow_null = true, .allow_postmaster = true};

/// A path; its parts, or the reason for its rejection.
struct Row {
    std::string path;
    const char* local_part;  // nullptr: refused
    const char* domain = "";
    const char* printed = nullptr;  // path() where it differs from what was read
};

Row refused(std::string path) { return {std::move(path), nullptr}; }

void check(const std::vector<Row>& table, const AddressSyntax& syntax) {
    for (const auto& row : table) {
        std::string why;
        const auto address = Address::parse_path(row.path, syntax, &why);
        const auto name = row.path + " (" + why + ")";
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.local_part != nullptr, address.has_value());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.local_part == nullptr, !why.empty());
        if (!address) continue;
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(row.local_part), address->local_part());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, std::string(row.domain), address->domain());
        CPPUNIT_ASSERT_EQUAL_MESSAGE(name, row.printed != nullptr ? std::string(row.printed) : row.path,
                                     address->path());
        const auto again = Address::parse_path(address->path(), syntax);
        CPPUNIT_ASSERT_MESSAGE(name, again && *again == *address && again->path() == address->path());
    }
}

std::string labels(std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += "a.";
    return out;
}

class AddressTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AddressTest);
    CPPUNIT_TEST(the_original_tests_come_out_as_rfc_5321_has_it);
    CPPUNIT_TEST(what_was_observed_of_the_original_comes_out_as_rfc_5321_has_it);
    CPPUNIT_TEST(dot_strings_have_atoms_between_their_dots);
    CPPUNIT_TEST(quoted_strings_are_unquoted_and_quoted_again_where_they_must_be);
    CPPUNIT_TEST(domains_have_labels_of_letters_digits_and_inner_hyphens);
    CPPUNIT_TEST(address_literals_are_checked);
    CPPUNIT_TEST(source_routes_are_read_and_dropped);
    CPPUNIT_TEST(null_path_and_bare_postmaster_are_for_those_who_ask);
    CPPUNIT_TEST(limits_are_those_of_rfc_5321);
    CPPUNIT_TEST(octets_that_are_no_text_are_refused);
    CPPUNIT_TEST(utf8_is_read_when_asked_for_and_only_then);
    CPPUNIT_TEST(what_senders_in_use_have_is_read_unless_the_syntax_is_strict);
    CPPUNIT_TEST(what_no_sender_in_use_has_is_refused_all_the_same);
    CPPUNIT_TEST(long_addresses_are_read_as_far_as_a_header_field_can_hold_them);
    CPPUNIT_TEST(invisible_characters_are_refused);
    CPPUNIT_TEST(labels_are_such_as_idna_allows);
    CPPUNIT_TEST(reasons_are_told);
    CPPUNIT_TEST(a_mailbox_is_a_path_without_brackets);
    CPPUNIT_TEST(an_address_has_one_key_however_it_is_spelled);
    CPPUNIT_TEST(the_case_of_a_local_part_counts_where_it_is_to_count);
    CPPUNIT_TEST(entries_of_lists_have_the_keys_of_what_they_stand_for);
    CPPUNIT_TEST(logins_have_keys_without_case);
    CPPUNIT_TEST(expressions_are_searched_in_both_forms_of_a_domain);
    CPPUNIT_TEST(literal_ip_gives_the_address_in_the_brackets);
    CPPUNIT_TEST(parts_are_taken_as_they_are);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_original_tests_come_out_as_rfc_5321_has_it() {
        check({{"<>", "", ""},
               {"<postmaster>", "postmaster", ""},
               {"<foo@example.com>", "foo", "example.com"},
               {R"(<"musa_ibrah@caramail.comandrea.luger"@wifo.ac.at>)", "musa_ibrah@caramail.comandrea.luger",
                "wifo.ac.at"},
               {R"(<"musa_ibrah\@caramail.comandrea.luger"@wifo.ac.at>)", "musa_ibrah@caramail.comandrea.luger",
                "wifo.ac.at", R"(<"musa_ibrah@caramail.comandrea.luger"@wifo.ac.at>)"},
               refused("<foo bar@example.com>"),  // accepted there by an unanchored pattern
               {R"(<"foo bar"@example.com>)", "foo bar", "example.com"},
               refused("<user@example.com#>"),
               refused("postmaster"),
               refused("foo@example.com"),
               {"<foo@foo.x.example.com>", "foo", "foo.x.example.com"},
               refused("sample@path"),
               refused(""),
               {"<postmaster@test>", "postmaster", "test"},
               {"<@a:postmaster@test>", "postmaster", "test", "<postmaster@test>"},
               refused("<postm\xc3\xa1ster@test>"),  // 8-bit needs SMTPUTF8
               refused("<@192.168.1.1>"),
               refused("<ask @perl.org>"),
               {"<ask@perl.org>", "ask", "perl.org"},
               {"<ask@[1.2.3.4]>", "ask", "[1.2.3.4]"},
               {"<ask@p.qpsmtpd-test.askask.com>", "ask", "p.qpsmtpd-test.askask.com"},
               refused("<a@b c>")},
              any_path);
    }

    void what_was_observed_of_the_original_comes_out_as_rfc_5321_has_it() {
        check({{"<POSTMASTER>", "POSTMASTER", ""},
               {"<PostMaster>", "PostMaster", ""},
               refused("<abuse>"),
               refused("<user>"),
               refused("<@example.com>"),
               refused("<matt@>"),
               refused("<u@-ex.com>"),
               refused("<u@ex-.com>"),
               refused("<u@ex..com>"),
               refused("<u@ex.com.>"),
               refused("<u@ex.com >"),
               refused("< u@ex.com>"),
               refused("<.a@example.com>"),
               refused("<#@[]>"),
               refused("<u@ex\xc3\xa4mple.com>"),
               refused("<u@[IPv6:zz]>"),
               {"<foo@localhost>", "foo", "localhost"},
               {"<u@1.2.3.4>", "u", "1.2.3.4"},
               {"<u@[1.2.3.4]>", "u", "[1.2.3.4]"},
               refused("<u@[999.2.3.4]>"),  // accepted there: the range is not checked
               {"<u@[IPv6:::1]>", "u", "[IPv6:::1]"},
               {"<u%h@ex.com>", "u%h", "ex.com"},
               {"<u!h@ex.com>", "u!h", "ex.com"},
               {"<foo@EXAMPLE.com>", "foo", "EXAMPLE.com"},
               // The holes of the original's pattern.
               refused("<u@ex_am.com>"),
               refused("<u@a,b>"),
               refused("<u@a!b>"),
               refused("<a(c)@example.com>"),
               refused("<a..b@example.com>"),
               refused("<a.@example.com>"),
               refused("<a>b@example.com>"),
               refused("<a@b@c.com>"),
               refused("<\"\"@c.com>")},
              any_path);
    }

    void dot_strings_have_atoms_between_their_dots() {
        check({{"<a@b>", "a", "b"},
               {"<a.b.c@d.example>", "a.b.c", "d.example"},
               {"<!#$%&'*+-/=?^_`{|}~@example.com>", "!#$%&'*+-/=?^_`{|}~", "example.com"},
               {"<0123456789@example.com>", "0123456789", "example.com"},
               refused("<.@example.com>"),
               refused("<..@example.com>"),
               refused("<a..b@example.com>"),
               refused("<a b@example.com>"),
               refused("<a\\@b@example.com>"),
               refused("<a\"b\"@example.com>"),
               refused("<a,b@example.com>"),
               refused("<a:b@example.com>"),
               refused("<a;b@example.com>"),
               refused("<a<b@example.com>"),
               refused("<<a@example.com>>"),
               refused("<[a]@example.com>"),
               refused("<(comment)a@example.com>"),
               refused("<a(comment)@example.com>"),
               refused("<a@example.com(comment)>"),
               refused("<\ta@example.com>")},
              any_path);
    }

    void quoted_strings_are_unquoted_and_quoted_again_where_they_must_be() {
        check({{R"(<"foo"@example.com>)", "foo", "example.com", "<foo@example.com>"},
               {R"(<"f.o"@example.com>)", "f.o", "example.com", "<f.o@example.com>"},
               {R"(<"\f\o\o"@example.com>)", "foo", "example.com", "<foo@example.com>"},
               {R"(<".foo"@example.com>)", ".foo", "example.com"},
               {R"(<"foo."@example.com>)", "foo.", "example.com"},
               {R"(<"f..o"@example.com>)", "f..o", "example.com"},
               {R"(<" "@example.com>)", " ", "example.com"},
               {R"(<"a b  c"@example.com>)", "a b  c", "example.com"},
               {R"(<"a\ b"@example.com>)", "a b", "example.com", R"(<"a b"@example.com>)"},
               {R"(<"a\"b"@example.com>)", "a\"b", "example.com"},
               {R"(<"a\\b"@example.com>)", "a\\b", "example.com"},
               {R"(<"\\"@example.com>)", "\\", "example.com"},
               {R"(<"a>b"@example.com>)", "a>b", "example.com"},
               {R"(<"a@b"@example.com>)", "a@b", "example.com"},
               {R"(<"@a:"@example.com>)", "@a:", "example.com"},
               {R"(<"(),:;<>[]"@example.com>)", "(),:;<>[]", "example.com"},
               {R"(<"postmaster"@example.com>)", "postmaster", "example.com", "<postmaster@example.com>"},
               refused(R"(<"postmaster">)"),
               refused(R"(<""@example.com>)"),
               refused(R"(<"foo@example.com>)"),
               refused(R"(<"foo\"@example.com>)"),
               refused(R"(<"foo"bar@example.com>)"),
               refused(R"(<"foo".bar@example.com>)"),
               refused(R"(<bar."foo"@example.com>)"),
               refused(R"(<"foo""bar"@example.com>)"),
               refused(R"(<"foo" @example.com>)"),
               refused("<\"a\tb\"@example.com>"),
               refused("<\"a\\\tb\"@example.com>"),
               refused("<\"a\x7f\"@example.com>"),
               refused("<\"a\\\x7f\"@example.com>"),
               refused("<\"a\r\n b\"@example.com>"),
               refused("<\">"),
               refused("<\"\\>")},
              any_path);
    }

    void domains_have_labels_of_letters_digits_and_inner_hyphens() {
        check({{"<a@b-c.example>", "a", "b-c.example"},
               {"<a@b--c.example>", "a", "b--c.example"},
               {"<a@xn--bcher-kva.example>", "a", "xn--bcher-kva.example"},
               {"<a@123.example>", "a", "123.example"},
               {"<a@example.123>", "a", "example.123"},
               refused("<a@.example>"),
               refused("<a@.>"),
               refused("<a@->"),
               refused("<a@b.-c>"),
               refused("<a@b.c->"),
               refused("<a@b_c.example>"),
               refused("<a@_b.example>"),
               refused("<a@b c>"),
               refused("<a@b/c>"),
               refused("<a@b:c>"),
               refused("<a@b@>"),
               refused("<a@@b>")},
              any_path);
    }

    void address_literals_are_checked() {
        check({{"<a@[0.0.0.0]>", "a", "[0.0.0.0]"},
               {"<a@[255.255.255.255]>", "a", "[255.255.255.255]"},
               {"<a@[001.002.003.004]>", "a", "[001.002.003.004]"},  // Snum has one to three digits
               {"<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]"},
               {"<a@[ipv6:2001:DB8::1]>", "a", "[ipv6:2001:DB8::1]"},
               {"<a@[IPv6:1:2:3:4:5:6:7:8]>", "a", "[IPv6:1:2:3:4:5:6:7:8]"},
               {"<a@[IPv6:1:2:3:4:5:6:7::]>", "a", "[IPv6:1:2:3:4:5:6:7::]"},
               {"<a@[IPv6:::ffff:192.0.2.1]>", "a", "[IPv6:::ffff:192.0.2.1]"},
               {"<a@[IPv6:1:2:3:4:5:6:192.0.2.001]>", "a", "[IPv6:1:2:3:4:5:6:192.0.2.001]"},
               {"<a@[x-y:z!\"#>]>", "a", "[x-y:z!\"#>]"},  // General-address-literal
               refused("<a@[]>"),
               refused("<a@[1.2.3]>"),
               refused("<a@[1.2.3.4.5]>"),
               refused("<a@[1.2.3.256]>"),
               refused("<a@[0001.2.3.4]>"),
               refused("<a@[0000.2.3.4]>"),
               refused("<a@[.1.2.3]>"),
               refused("<a@[1.2.3.]>"),
               refused("<a@[1.2.3.4>"),
               refused("<a@[1.2.3.4]x>"),
               refused("<a@[1.2.3.4].example>"),
               refused("<a@x[1.2.3.4]>"),
               refused("<a@[ 1.2.3.4 ]>"),
               refused("<a@[example]>"),
               refused("<a@[::1]>"),
               refused("<a@[IPv6:]>"),
               refused("<a@[IPv6:1]>"),
               refused("<a@[IPv6:1.2.3.4]>"),
               refused("<a@[IPv6:1::2::3]>"),
               refused("<a@[IPv6:1:2:3:4::5:6:7:8]>"),
               refused("<a@[IPv6:::1%eth0]>"),
               refused("<a@[:x]>"),
               refused("<a@[x:]>"),
               refused("<a@[x-:y]>"),
               refused("<a@[x_y:z]>"),
               refused("<a@[x:y z]>"),
               refused("<a@[x:[y]]>"),
               refused("<a@[x:y\\z]>"),
               refused("<a@[>"),
               refused("<a@]>")},
              any_path);
    }

    void source_routes_are_read_and_dropped() {
        check({{"<@a.example:u@b.example>", "u", "b.example", "<u@b.example>"},
               {"<@a.example,@b.example:u@c.example>", "u", "c.example", "<u@c.example>"},
               {"<@a:\"x y\"@b>", "x y", "b", "<\"x y\"@b>"},
               {"<@a:u@[1.2.3.4]>", "u", "[1.2.3.4]", "<u@[1.2.3.4]>"},
               refused("<@a>"),
               refused("<@a:>"),
               refused("<@a,@b:>"),
               refused("<@a,b:u@c>"),
               refused("<@a,:u@c>"),
               refused("<@:u@c>"),
               refused("<@a u@c>"),
               refused("<@a@b:u@c>"),
               refused("<@[1.2.3.4]:u@c>"),
               refused("<@-a:u@c>"),
               refused("<@a.:u@c>"),
               refused("<@a:@b:u@c>"),
               refused("<@a: u@c>"),
               refused("<@a, @b:u@c>"),
               refused("<@a:postmaster>"),
               refused("<a:u@c>"),
               refused("<:u@c>")},
              any_path);
    }

    void null_path_and_bare_postmaster_are_for_those_who_ask() {
        check({{"<>", "", ""}, refused("<postmaster>")}, {.allow_null = true});
        check({refused("<>"), {"<postmaster>", "postmaster", ""}}, {.allow_postmaster = true});
        check({refused("<>"), refused("<postmaster>"), refused("< >"), refused("<"), refused(">"), refused("><")}, {});
        CPPUNIT_ASSERT(Address::parse_path("<>", any_path)->is_null());
        CPPUNIT_ASSERT(!Address::parse_path("<postmaster>", any_path)->is_null());
        CPPUNIT_ASSERT(!Address::parse_path("<postmaster>", any_path)->has_domain());
        CPPUNIT_ASSERT_EQUAL(std::string(), Address().to_string());
    }

    void limits_are_those_of_rfc_5321() {
        const std::string local64(64, 'l');
        const std::string label63(63, 'd');
        const std::string long_domain = label63 + '.' + label63 + '.' + label63 + '.';
        check({{"<" + local64 + "@b>", local64.c_str(), "b"},
               refused("<" + local64 + "l@b>"),
               refused("<\"" + std::string(62, 'q') + "x\"@b>"),  // 65 with its quotes
               {"<a@" + label63 + ">", "a", label63.c_str()},
               refused("<a@" + label63 + "d>"),
               {"<a@" + labels(125) + "b>", "a", (labels(125) + "b").c_str()},
               {"<a@" + labels(125) + "bc>", "a", (labels(125) + "bc").c_str()},  // 256 octets
               refused("<a@" + labels(125) + "bcd>")},
              any_path);
        CPPUNIT_ASSERT_EQUAL(std::size_t{256}, ("<a@" + long_domain + std::string(60, 'd') + ">").size());
        CPPUNIT_ASSERT(Address::parse_path("<a@" + long_domain + std::string(60, 'd') + ">", any_path));
        CPPUNIT_ASSERT(!Address::parse_path("<a@" + long_domain + std::string(61, 'd') + ">", any_path));
        CPPUNIT_ASSERT(Address::parse("a@" + long_domain + std::string(60, 'd'), any_path));
        CPPUNIT_ASSERT(!Address::parse("a@" + long_domain + std::string(61, 'd'), any_path));
        // A source route counts as long as it is there.
        CPPUNIT_ASSERT(!Address::parse_path("<@" + long_domain + "example:u@" + label63 + ">", any_path));
        CPPUNIT_ASSERT(!Address::parse_path("<" + std::string(1 << 20, 'a') + "@b>", any_path));
    }

    void octets_that_are_no_text_are_refused() {
        for (int c = 0; c < 256; ++c) {
            const char octet = static_cast<char>(c);
            const bool text = c > ' ' && c < 0x7f;
            const auto in_local = std::string("<a") + octet + "b@c>";
            const auto in_quotes = std::string("<\"a") + octet + "b\"@c>";
            const auto in_domain = std::string("<a@b") + octet + "c>";
            const auto in_literal = std::string("<a@[x:b") + octet + "c]>";
            const auto name = "octet " + std::to_string(c);
            if (!text) CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_local, any_path));
            if (!text && c != ' ') CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_quotes, any_path));
            if (!text) CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_domain, any_path));
            if (!text) CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_literal, any_path));
            if (c < 0x80) continue;
            CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_local, utf8_path));
            CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_quotes, utf8_path));
            CPPUNIT_ASSERT_MESSAGE(name, !Address::parse_path(in_domain, utf8_path));
        }
    }

    void utf8_is_read_when_asked_for_and_only_then() {
        const std::vector<std::string> good = {"<p\xc3\xa9p\xc3\xa9@example.com>",
                                               "<a@b\xc3\xbc"
                                               "cher.example>",
                                               "<\xe7\x94\xb2@\xe4\xb9\x99>", "<\"\xc3\xa9 \xc3\xa9\"@x>",
                                               "<\xf0\x9f\x93\xa7@example.com>"};
        for (const auto& path : good) {
            CPPUNIT_ASSERT_MESSAGE(path, !Address::parse_path(path, any_path));
            const auto address = Address::parse_path(path, utf8_path);
            CPPUNIT_ASSERT_MESSAGE(path, address && !address->is_ascii());
            CPPUNIT_ASSERT_EQUAL(path, address->path());
        }
        CPPUNIT_ASSERT(Address::parse_path("<a@b>", utf8_path)->is_ascii());
        std::string wide_label;
        for (int i = 0; i < 50; ++i) wide_label += "\xe4\xb9\x99";
        check({refused("<\xc0\xaf@b>"),
               refused("<\xe0\x80\xaf@b>"),
               refused("<\xed\xa0\x80@b>"),
               refused("<\xf4\x90\x80\x80@b>"),
               refused("<\xc3@b>"),
               refused("<\xff@b>"),
               refused("<\x80@b>"),
               refused("<a@\xc3>"),
               refused("<\"\\\xc3\xa9\"@b>"),
               refused("<a@\xc2\x85>"),
               refused("<a@b\xe3\x80\x82"
                       "c>"),
               refused("<a@b\xef\xbc\x8e"
                       "c>"),
               refused("<a@b\xef\xbd\xa1"
                       "c>"),
               refused("<a@-\xc3\xa9>"),
               refused("<a@[x:\xc3\xa9]>"),
               {"<a@" + wide_label + ">", "a", wide_label.c_str()},
               refused("<a@" + wide_label + wide_label + ">")},
              utf8_path);
    }

    void what_senders_in_use_have_is_read_unless_the_syntax_is_strict() {
        const std::string srs = "SRS0=abcd=XY=sender.example=" + std::string(80, 'x');
        const std::string imceaex = "IMCEAEX-_O=EXCHANGELABS_OU=EXCHANGE+20ADMINISTRATIVE+20GROUP_CN=" +
                                    std::string(300, 'A');
        const std::vector<Row> table = {{"<" + srs + "@fwd.example>", srs.c_str(), "fwd.example"},
                                        {"<" + imceaex + "@x.example>", imceaex.c_str(), "x.example"},
                                        {"<a..b@example.com>", "a..b", "example.com", "<\"a..b\"@example.com>"},
                                        {"<a.@example.com>", "a.", "example.com", "<\"a.\"@example.com>"},
                                        {"<.a@example.com>", ".a", "example.com", "<\".a\"@example.com>"},
                                        {"<..@example.com>", "..", "example.com", "<\"..\"@example.com>"},
                                        {"<\"\"@example.com>", "", "example.com"},
                                        {"<a@b_c.example>", "a", "b_c.example"},
                                        {"<a@_dmarc.example>", "a", "_dmarc.example"},
                                        {"<a@example.com.>", "a", "example.com", "<a@example.com>"},
                                        {"<a@b.>", "a", "b", "<a@b>"},
                                        {"<a@bücher.example.>", "a", "bücher.example", "<a@bücher.example>"}};
        check(table, lenient_path);
        for (const auto& row : table) CPPUNIT_ASSERT_MESSAGE(row.path, !Address::parse_path(row.path, utf8_path));
    }

    void what_no_sender_in_use_has_is_refused_all_the_same() {
        check(
            {refused("<a b@example.com>"), refused("<a,b@example.com>"), refused("<@example.com>"), refused("<a@.>"),
             refused("<a@..>"), refused("<a@example.com..>"), refused("<a@example..com>"), refused("<a@.example.com>"),
             refused("<a@-b.example>"), refused("<a@b-.example>"), refused("<a@[192.0.2.1].>"), refused("<a@b c>"),
             refused("<a@b/c>"), refused("<a@" + std::string(64, 'd') + ">"), refused("<\"\">"),
             refused("<\"@example.com>"), refused("<(c)a@example.com>")},
            lenient_path);
    }

    void long_addresses_are_read_as_far_as_a_header_field_can_hold_them() {
        const auto path = [](std::size_t octets) { return "<" + std::string(octets - 4, 'l') + "@b>"; };
        CPPUNIT_ASSERT(Address::parse_path(path(900), {}));
        std::string why;
        CPPUNIT_ASSERT(!Address::parse_path(path(901), {}, &why));
        CPPUNIT_ASSERT_EQUAL(std::string("path is longer than 900 octets"), why);
        CPPUNIT_ASSERT(!Address::parse_path("<a@" + labels(126) + "bcde>", {}));  // 256 octets of domain
    }

    void invisible_characters_are_refused() {
        for (const char32_t c :
             {0x80,   0x85,   0x9f,   0xad,   0x61c,  0x180e, 0x200b, 0x200e, 0x200f,  0x2028, 0x2029,
              0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xfff9, 0xfffe, 0xe0001, 0x1ffff}) {
            std::string octets;
            CPPUNIT_ASSERT(smtp::append_utf8(octets, c));
            for (const auto& path :
                 {"<a" + octets + "b@c.example>", "<\"a" + octets + "b\"@c.example>", "<" + octets + "@c.example>",
                  "<a@b" + octets + "c.example>", "<a@é" + octets + "c.example>", "<@b" + octets + ":a@c.example>"})
                for (const auto& syntax : {lenient_path, utf8_path})
                    CPPUNIT_ASSERT_MESSAGE(std::to_string(c) + " " + path, !Address::parse_path(path, syntax));
        }
        // Joiners belong into some scripts; IDNA knows into which labels, and nobody knows about local parts.
        check({refused("<a\xe2\x80\x8d"
                       "b@c.example>"),
               refused("<a\xe2\x80\x8c"
                       "b@c.example>"),
               refused("<a@b\xe2\x80\x8d"
                       "c.example>"),
               refused("<a@é\xe2\x80\x8c"
                       "c.example>"),
               {"<a@\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7.example>", "a",
                "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7.example"}},
              lenient_path);
    }

    void labels_are_such_as_idna_allows() {
        check({{"<a@bücher.example>", "a", "bücher.example"},
               {"<a@BU\xcc\x88"
                "CHER.example>",
                "a",
                "BU\xcc\x88"
                "CHER.example"},
               {"<a@straße.example>", "a", "straße.example"},
               {"<a@中国.中国>", "a", "中国.中国"},
               {"<a@παράδειγμα.example>", "a", "παράδειγμα.example"},
               {"<a@שלום.example>", "a", "שלום.example"},
               refused("<a@i❤.example>"),
               refused("<a@x℀y.example>"),   // would become a/c
               refused("<a@x＠y.example>"),  // ... an @
               refused("<a@x․ü.example>"),   // ... a dot
               refused("<a@-bücher.example>"),
               refused("<a@bücher-.example>"),
               refused("<a@ab--ü.example>"),
               refused("<a@\xcc\x88u.example>"),  // begins with a combining mark
               refused("<a@שלוםabc1.example>"),   // RFC 5893
               refused("<a@٠۰.example>"),         // digits of two scripts
               refused("<a@xn--ü.example>")},
              lenient_path);
    }

    void reasons_are_told() {
        const auto why = [](const std::string& path) {
            std::string reason;
            CPPUNIT_ASSERT_MESSAGE(path, !Address::parse_path(path, {.strict = true}, &reason));
            return reason;
        };
        CPPUNIT_ASSERT_EQUAL(std::string("local part is longer than 64 octets"),
                             why("<" + std::string(65, 'a') + "@b>"));
        CPPUNIT_ASSERT_EQUAL(std::string("path is longer than 256 octets"), why("<" + std::string(300, 'a') + "@b>"));
        CPPUNIT_ASSERT_EQUAL(std::string("address has no domain"), why("<user>"));
        CPPUNIT_ASSERT_EQUAL(std::string("address has no domain"), why("<user@>"));
        CPPUNIT_ASSERT_EQUAL(std::string("local part is empty"), why("<@b>"));
        CPPUNIT_ASSERT_EQUAL(std::string("local part is empty"), why("<\"\"@b>"));
        CPPUNIT_ASSERT_EQUAL(std::string("address is empty"), why("<>"));
        CPPUNIT_ASSERT_EQUAL(std::string("address is not enclosed in <>"), why("a@b"));
        CPPUNIT_ASSERT_EQUAL(std::string("domain has an empty label"), why("<a@b.>"));
        CPPUNIT_ASSERT_EQUAL(std::string("address literal is not an IPv4 address"), why("<a@[1.2.3]>"));
        CPPUNIT_ASSERT_EQUAL(std::string("address contains non-ASCII characters, which need SMTPUTF8"),
                             why("<\xc3\xa9@b>"));
    }

    void a_mailbox_is_a_path_without_brackets() {
        CPPUNIT_ASSERT_EQUAL(std::string("\"a b\"@Example.com"), Address::parse("\"a b\"@Example.com")->to_string());
        CPPUNIT_ASSERT_EQUAL(std::string("postmaster"),
                             Address::parse("postmaster", {.allow_postmaster = true})->to_string());
        for (const char* text : {"", "<a@b>", "postmaster", "@a:u@b", "a@b ", " a@b"})
            CPPUNIT_ASSERT_MESSAGE(text, !Address::parse(text));
        CPPUNIT_ASSERT(!Address::parse("", {.allow_null = true}));
    }

    void an_address_has_one_key_however_it_is_spelled() {
        const std::vector<std::pair<std::string, std::string>> table = {
            {"Foo@Example.COM", "foo@example.com"},
            {"foo@example.com.", "foo@example.com"},
            {"\"Foo\"@example.com", "foo@example.com"},
            {"\"a B\"@example.com", "\"a b\"@example.com"},
            {"A..b@example.com", "\"a..b\"@example.com"},
            {"\"\"@example.com", "\"\"@example.com"},
            {"u@bücher.example", "u@xn--bcher-kva.example"},
            {"u@BÜCHER.Example", "u@xn--bcher-kva.example"},
            {"u@bu\xcc\x88"
             "cher.example",
             "u@xn--bcher-kva.example"},  // u and a combining diaeresis
            {"u@BU\xcc\x88"
             "CHER.example.",
             "u@xn--bcher-kva.example"},
            {"u@XN--Bcher-KVA.example", "u@xn--bcher-kva.example"},
            {"u@straße.example", "u@xn--strae-oqa.example"},
            {"ÄB@x.example", "Äb@x.example"},
            {"u@[IPv6:2001:DB8:0::1]", "u@[ipv6:2001:db8::1]"},
            {"u@[192.000.02.1]", "u@[192.0.2.1]"}};
        for (const auto& [mailbox, key] : table) {
            const auto address = Address::parse(mailbox, {.smtputf8 = true});
            CPPUNIT_ASSERT_MESSAGE(mailbox, address);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(mailbox, key, address->key());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(mailbox, key, list_key(mailbox));
            CPPUNIT_ASSERT_MESSAGE(mailbox, *address == *Address::parse(key, {.smtputf8 = true}));
        }
        const auto address = *Address::parse("Foo@Bücher.Example", {.smtputf8 = true});
        CPPUNIT_ASSERT_EQUAL(std::string("Foo@Bücher.Example"), address.to_string());
        CPPUNIT_ASSERT(!(address == *Address::parse("Foo@bucher.example")));
        CPPUNIT_ASSERT(!(address == *Address::parse("Fou@xn--bcher-kva.example")));
    }

    void the_case_of_a_local_part_counts_where_it_is_to_count() {
        const auto parse = [](const char* mailbox, LocalPartCase rule) {
            return *Address::parse(mailbox, {.allow_postmaster = true, .local_part_case = rule});
        };
        const auto big = parse("Bob@Example.com", LocalPartCase::sensitive);
        CPPUNIT_ASSERT_EQUAL(std::string("Bob@example.com"), big.key());
        CPPUNIT_ASSERT_EQUAL(std::string("Bob"), big.local_key());
        CPPUNIT_ASSERT(big == parse("Bob@example.COM", LocalPartCase::sensitive));
        CPPUNIT_ASSERT(!(big == parse("bob@example.com", LocalPartCase::sensitive)));
        CPPUNIT_ASSERT(!(big == parse("bob@example.com", LocalPartCase::insensitive)));
        CPPUNIT_ASSERT(parse("Bob@x", LocalPartCase::insensitive) == parse("bOB@x", LocalPartCase::insensitive));
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), parse("BoB@x", LocalPartCase::insensitive).local_key());
        CPPUNIT_ASSERT_EQUAL(std::string("Bob@example.com"), list_key("Bob@Example.com", LocalPartCase::sensitive));
        for (const char* mailbox : {"Postmaster@x", "POSTMASTER@x", "\"PostMaster\"@X"})
            CPPUNIT_ASSERT_EQUAL(std::string("postmaster@x"), parse(mailbox, LocalPartCase::sensitive).key());
        CPPUNIT_ASSERT_EQUAL(std::string("postmaster"), parse("PostMaster", LocalPartCase::sensitive).key());
        CPPUNIT_ASSERT(parse("PostMaster@x", LocalPartCase::sensitive) ==
                       parse("postmaster@x", LocalPartCase::sensitive));
        CPPUNIT_ASSERT_EQUAL(std::string("Bob"), Address::from_parts("Bob", "x", LocalPartCase::sensitive).local_key());
    }

    void entries_of_lists_have_the_keys_of_what_they_stand_for() {
        CPPUNIT_ASSERT_EQUAL(std::string("@xn--bcher-kva.example"), list_key("@BÜCHER.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("@[192.0.2.1]"), list_key("@[192.0.02.1]"));
        CPPUNIT_ASSERT_EQUAL(std::string("xn--bcher-kva.example"), list_key("BÜCHER.example."));
        CPPUNIT_ASSERT_EQUAL(std::string(".xn--bcher-kva.example"), list_key(".Bücher.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("a b@example.com"), list_key("A b@Example.com"));  // no address
        CPPUNIT_ASSERT_EQUAL(std::string("A b@example.com"), list_key("A b@Example.com", LocalPartCase::sensitive));
        CPPUNIT_ASSERT_EQUAL(std::string(), list_key(""));
    }

    void logins_have_keys_without_case() {
        CPPUNIT_ASSERT_EQUAL(std::string("joe"), login_key("Joe"));
        CPPUNIT_ASSERT_EQUAL(std::string("joe."), login_key("Joe."));
        CPPUNIT_ASSERT_EQUAL(std::string("joe@xn--bcher-kva.example"), login_key("JOE@Bücher.example"));
        CPPUNIT_ASSERT_EQUAL(std::string("bücher"), login_key("bücher"));  // no domain
    }

    void expressions_are_searched_in_both_forms_of_a_domain() {
        const std::vector<std::string> both = {"u@xn--bcher-kva.example", "u@bücher.example"};
        CPPUNIT_ASSERT(both == Address::parse("U@xn--bcher-KVA.example")->key_spellings());
        CPPUNIT_ASSERT(both == Address::parse("U@BÜCHER.example", {.smtputf8 = true})->key_spellings());
        CPPUNIT_ASSERT(std::vector<std::string>{"u@example.com"} == Address::parse("U@Example.com")->key_spellings());
    }

    void literal_ip_gives_the_address_in_the_brackets() {
        CPPUNIT_ASSERT(Address::parse("a@[192.0.2.1]")->literal_ip() == IpAddress::parse("192.0.2.1"));
        CPPUNIT_ASSERT(Address::parse("a@[192.000.02.010]")->literal_ip() == IpAddress::parse("192.0.2.10"));
        CPPUNIT_ASSERT(Address::parse("a@[IPv6:2001:db8::1]")->literal_ip() == IpAddress::parse("2001:db8::1"));
        CPPUNIT_ASSERT(Address::parse("a@[IPv6:::ffff:192.0.2.1]")->literal_ip() == IpAddress::parse("192.0.2.1"));
        CPPUNIT_ASSERT(!Address::parse("a@[x:y]")->literal_ip());
        CPPUNIT_ASSERT(!Address::parse("a@1.2.3.4")->literal_ip());
        CPPUNIT_ASSERT(!Address::parse("a@1.2.3.4")->is_address_literal());
        CPPUNIT_ASSERT(!Address().literal_ip());
        CPPUNIT_ASSERT(!Address::from_parts("a", "[").literal_ip());
    }

    void parts_are_taken_as_they_are() {
        const auto address = Address::from_parts("foo bar", "example.com");
        CPPUNIT_ASSERT_EQUAL(std::string("<\"foo bar\"@example.com>"), address.path());
        CPPUNIT_ASSERT_EQUAL(std::string("<\"\"@example.com>"), Address::from_parts("", "example.com").path());
        CPPUNIT_ASSERT(Address::from_parts("", "").is_null());
        CPPUNIT_ASSERT_EQUAL(std::string("<>"), Address().path());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AddressTest);

}  // namespace
}  // namespace smtpd
