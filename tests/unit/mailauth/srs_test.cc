/// srs_test.cc: the Sender Rewriting Scheme, forth and back.
#include "mailauth/srs.h"

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;

constexpr WallTime now{std::chrono::seconds(1'790'000'000)};

SrsSettings settings() { return {.secrets = {"tops3cr3t"}, .domain = "us.example"}; }

Address address(const string& text) { return *Address::parse(text); }

string forward(const string& sender, const SrsSettings& how = settings(), WallTime when = now) {
    const auto made = srs_forward(sender.empty() ? Address() : address(sender), how, when);
    return made ? made->to_string() : made.error().what;
}
string reverse(const string& recipient, const SrsSettings& how = settings(), WallTime when = now) {
    const auto made = srs_reverse(address(recipient), how, when);
    return made ? made->to_string() : made.error().what;
}

class SrsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SrsTest);
    CPPUNIT_TEST(an_address_goes_forth_and_back);
    CPPUNIT_TEST(the_second_forwarder_guards_the_first);
    CPPUNIT_TEST(what_needs_no_rewriting_stays);
    CPPUNIT_TEST(secrets_rotate);
    CPPUNIT_TEST(case_may_change_on_the_way);
    CPPUNIT_TEST(addresses_expire);
    CPPUNIT_TEST(forged_addresses_are_refused);
    CPPUNIT_TEST(a_long_address_is_refused);
    CPPUNIT_TEST(the_hash_is_that_of_libsrs2);
    CPPUNIT_TEST_SUITE_END();

    void an_address_goes_forth_and_back() {
        for (const string original : {"bob@b.example", "a=b+c-d@b.example", "\"a b\"@b.example"}) {
            const string there = forward(original);
            CPPUNIT_ASSERT_MESSAGE(there, there.find("SRS0=") != string::npos && there.ends_with("@us.example"));
            CPPUNIT_ASSERT_EQUAL(original, reverse(there));
        }
        for (const char separator : {'+', '-'}) {
            auto other = settings();
            other.separator = separator;
            const string there = forward("bob@b.example", other);
            CPPUNIT_ASSERT_EQUAL(string("SRS0") + separator, there.substr(0, 5));
            CPPUNIT_ASSERT_EQUAL(string("bob@b.example"), reverse(there));
        }
    }

    void the_second_forwarder_guards_the_first() {
        auto next = settings(), third = settings();
        next.secrets = {"other"}, next.domain = "next.example", next.max_local_part = 200;
        third.secrets = {"third"}, third.domain = "third.example", third.max_local_part = 200;
        const string first = forward("bob@b.example");
        const string second = forward(first, next);
        CPPUNIT_ASSERT_MESSAGE(second, second.starts_with("SRS1=") && second.find("=us.example==") != string::npos);
        const string last = forward(second, third);
        CPPUNIT_ASSERT_MESSAGE(last, last.starts_with("SRS1=") && last.find("=us.example==") != string::npos);
        CPPUNIT_ASSERT_EQUAL(first, reverse(second, next));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("past the second", first, reverse(last, third));
    }

    void what_needs_no_rewriting_stays() {
        CPPUNIT_ASSERT_EQUAL(string(), forward(""));
        CPPUNIT_ASSERT_EQUAL(string("bob@US.example"), forward("bob@US.example"));
        CPPUNIT_ASSERT_EQUAL(string("the address is not one of SRS"), reverse("bob@us.example"));
        CPPUNIT_ASSERT_EQUAL(string("the address is not one of SRS"), reverse("srs0@us.example"));
    }

    void secrets_rotate() {
        const string old = forward("bob@b.example");
        auto rotated = settings();
        rotated.secrets = {"new", "tops3cr3t"};
        CPPUNIT_ASSERT_EQUAL(string("bob@b.example"), reverse(old, rotated));
        CPPUNIT_ASSERT(forward("bob@b.example", rotated) != old);
        rotated.secrets = {"new"};
        CPPUNIT_ASSERT_EQUAL(string("the hash is not ours"), reverse(old, rotated));
    }

    void case_may_change_on_the_way() {
        string there = forward("bob@b.example");
        for (char& c : there) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        CPPUNIT_ASSERT_EQUAL(string("bob@b.example"), reverse(there));
    }

    void addresses_expire() {
        const string there = forward("bob@b.example");
        using Days = std::chrono::duration<int, std::ratio<86400>>;
        CPPUNIT_ASSERT_EQUAL(string("bob@b.example"), reverse(there, settings(), now + Days(21)));
        CPPUNIT_ASSERT_EQUAL(string("the address is 22 days old, more than 21"),
                             reverse(there, settings(), now + Days(22)));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("from the future", string("the address is 1023 days old, more than 21"),
                                     reverse(there, settings(), now - Days(1)));
    }

    void forged_addresses_are_refused() {
        const string there = forward("bob@b.example");
        string other = there;
        other[other.find("bob")] = 'r';
        CPPUNIT_ASSERT_EQUAL(string("the hash is not ours"), reverse(other));
        CPPUNIT_ASSERT_EQUAL(string("the hash is not ours"), reverse("SRS0=abc=AA=b.example=bob@us.example"));
        CPPUNIT_ASSERT_EQUAL(string("the hash is not ours"), reverse("SRS0==AA=b.example=bob@us.example"));
        for (const char* part :
             {"SRS0=x@us.example", "SRS0=abcd=AA=b.example@us.example", "SRS0=abcd=AA==bob@us.example",
              "SRS1=abcd@us.example", "SRS1=abcd=b.example=x@us.example", "SRS1=abcd==+x@us.example"})
            CPPUNIT_ASSERT_EQUAL_MESSAGE(part, string("the address is not complete"), reverse(part));
        CPPUNIT_ASSERT_EQUAL(string("the hash is not ours"),
                             reverse("SRS1=abcd=b.example==AAAA=AA=c.example=d@us.example"));
        auto elsewhere = settings();
        elsewhere.domain = "other.example";
        CPPUNIT_ASSERT_EQUAL(string("the address is not at other.example"), reverse(there, elsewhere));
        elsewhere.secrets.clear();
        CPPUNIT_ASSERT_EQUAL(string("there is no secret"), reverse(there, elsewhere));
        CPPUNIT_ASSERT_EQUAL(string("there is no secret"), forward("bob@b.example", elsewhere));
        CPPUNIT_ASSERT_EQUAL(string("the address begins with SRS1 and is not complete"), forward("SRS1=x@b.example"));
    }

    void a_long_address_is_refused() {
        const string longest = string(64 - string("SRS0=HHHH=DD=b.example=").size(), 'x') + "@b.example";
        CPPUNIT_ASSERT_EQUAL(longest, reverse(forward(longest)));
        CPPUNIT_ASSERT_EQUAL(string("the rewritten local part has 65 octets, more than 64"), forward("x" + longest));
    }

    /// Made with `printf %s DAYdomainlocal | openssl dgst -sha1 -hmac SECRET -binary | base64`.
    void the_hash_is_that_of_libsrs2() {
        CPPUNIT_ASSERT_EQUAL(string("SRS0=okLf=HN=B.example=Bob@us.example"), forward("Bob@B.example"));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SrsTest);

}  // namespace
}  // namespace smtpd::mailauth
