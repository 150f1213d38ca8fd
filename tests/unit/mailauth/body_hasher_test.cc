/// body_hasher_test.cc: canonical bodies, against a plain implementation that has the whole body at hand.
#include "mailauth/openssl.h"

#include <smtpd/mailauth/message_reader.h>

#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <string>
#include <vector>

namespace smtpd::mailauth {
namespace {

using std::string;
using std::string_view;

/// RFC 6376 3.4.3 and 3.4.4 by the letter, for bodies whose lines end in CRLF.
string canonical(string_view body, Canonicalization form) {
    std::vector<string> lines;
    while (!body.empty()) {
        const auto end = body.find("\r\n");
        lines.emplace_back(body.substr(0, end));
        body = end == body.npos ? string_view() : body.substr(end + 2);
    }
    if (form == Canonicalization::relaxed)
        for (auto& line : lines) {
            string out;
            for (const char c : line) {
                if (c != ' ' && c != '\t') out += c;
                else if (out.empty() || out.back() != ' ') out += ' ';
            }
            if (out.ends_with(' ')) out.pop_back();
            line = out;
        }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    string out;
    for (const auto& line : lines) out += line + "\r\n";
    return out.empty() && form == Canonicalization::simple ? "\r\n" : out;
}

BodyHasher hashed(string_view body, Canonicalization form, std::size_t piece = 1 << 20,
                  std::optional<std::uint64_t> limit = {}) {
    BodyHasher hasher(form, limit);
    for (std::size_t at = 0; at < body.size(); at += piece) hasher.update(body.substr(at, piece));
    hasher.finish();
    return hasher;
}

constexpr auto simple = Canonicalization::simple;
constexpr auto relaxed = Canonicalization::relaxed;

class BodyHasherTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BodyHasherTest);
    CPPUNIT_TEST(bodies_of_the_rfc);
    CPPUNIT_TEST(empty_bodies);
    CPPUNIT_TEST(random_bodies_in_all_splits);
    CPPUNIT_TEST(limits_count_canonical_octets);
    CPPUNIT_TEST(many_empty_lines_cost_nothing);
    CPPUNIT_TEST(bare_cr_and_lf_are_content);
    CPPUNIT_TEST_SUITE_END();

    void bodies_of_the_rfc() {
        const string body = " C \r\nD \t E\r\n\r\n\r\n";  // RFC 6376 3.4.5
        CPPUNIT_ASSERT(hashed(body, relaxed).digest() == sha256(" C\r\nD E\r\n"));
        CPPUNIT_ASSERT(hashed(body, simple).digest() == sha256(" C \r\nD \t E\r\n"));
    }

    void empty_bodies() {
        for (const string_view body : {"", "\r\n", "\r\n\r\n\r\n"}) {
            CPPUNIT_ASSERT(hashed(body, simple).digest() == sha256("\r\n"));
            CPPUNIT_ASSERT(hashed(body, relaxed).digest() == sha256(""));
        }
        CPPUNIT_ASSERT(hashed(" \t\r\n \r\n ", relaxed).digest() == sha256(""));
        CPPUNIT_ASSERT(hashed(" \r\n", simple).digest() == sha256(" \r\n"));
        CPPUNIT_ASSERT(hashed("end", simple).digest() == sha256("end\r\n"));
        CPPUNIT_ASSERT(hashed("end ", relaxed).digest() == sha256("end\r\n"));
    }

    void random_bodies_in_all_splits() {
        std::mt19937 random(20261130);
        const std::vector<string> parts{
            "\r\n",     "\r\n\r\n",     " ", "  ", "\t", "a", "word", "a line of many ordinary words", string(40, 'x'),
            "\x80\xff", string(1, '\0')};
        for (int round = 0; round < 400; ++round) {
            string body;
            for (auto count = random() % 40; count > 0; --count) body += parts[random() % parts.size()];
            for (const auto form : {simple, relaxed}) {
                const string expected = canonical(body, form);
                for (const std::size_t piece : {1, 2, 3, 7, 16, 17, 33, 100000}) {
                    const auto hasher = hashed(body, form, piece);
                    CPPUNIT_ASSERT_EQUAL(std::uint64_t{expected.size()}, hasher.canonical_size());
                    CPPUNIT_ASSERT(hasher.digest() == sha256(expected));
                }
                const std::uint64_t limit = random() % (expected.size() + 1);
                CPPUNIT_ASSERT(hashed(body, form, 5, limit).digest() ==
                               sha256(string_view(expected).substr(0, static_cast<std::size_t>(limit))));
            }
        }
    }

    void limits_count_canonical_octets() {
        const auto part = hashed("a  b\r\nrest\r\n", relaxed, 100, 4);
        CPPUNIT_ASSERT(part.digest() == sha256("a b\r"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{11}, part.canonical_size());
        CPPUNIT_ASSERT(hashed("a\r\n", simple, 100, 0).digest() == sha256(""));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, hashed("a\r\n", simple, 100, 99).canonical_size());
    }

    void many_empty_lines_cost_nothing() {
        string lines;
        for (int i = 0; i < 100000; ++i) lines += "\r\n";
        CPPUNIT_ASSERT(hashed("a\r\n" + lines, simple).digest() == sha256("a\r\n"));
        CPPUNIT_ASSERT(hashed("a\r\n" + lines + "b", relaxed, 1000).digest() == sha256("a\r\n" + lines + "b\r\n"));
    }

    void bare_cr_and_lf_are_content() {
        for (const std::size_t piece : {1, 2, 100}) {
            CPPUNIT_ASSERT(hashed("a\nb\rc\r\n", relaxed, piece).digest() == sha256("a\nb\rc\r\n"));
            CPPUNIT_ASSERT(hashed("\n\r\n\r\r\n\r", simple, piece).digest() == sha256("\n\r\n\r\r\n\r\r\n"));
            CPPUNIT_ASSERT(hashed("a long enough line with a bare\n\r\n", simple, piece).digest() ==
                           sha256("a long enough line with a bare\n\r\n"));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BodyHasherTest);

}  // namespace
}  // namespace smtpd::mailauth
