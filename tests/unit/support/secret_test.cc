/// secret_test.cc: octets that are overwritten when they are destroyed.
#include <smtpd/auth/credentials.h>
#include <smtpd/base/secret_text.h>

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <string>
#include <type_traits>

namespace smtpd {
namespace {

class SecretTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SecretTest);
    CPPUNIT_TEST(wiped_octets_are_gone_from_memory);
    CPPUNIT_TEST(what_was_longer_before_is_gone_too);
    CPPUNIT_TEST(a_secret_is_not_copied_and_not_printed);
    CPPUNIT_TEST(equal_is_only_what_is_equal);
    CPPUNIT_TEST(a_text_with_a_secret_leaves_no_copy_of_it);
    CPPUNIT_TEST_SUITE_END();

public:
    void wiped_octets_are_gone_from_memory() {
        std::string octets(100, 'x');
        const char* const memory = octets.data();
        wipe(octets);
        CPPUNIT_ASSERT(octets.empty());
        CPPUNIT_ASSERT(octets.data() == memory);
        CPPUNIT_ASSERT(std::none_of(memory, memory + octets.capacity(), [](char c) { return c == 'x'; }));
    }

    void what_was_longer_before_is_gone_too() {
        std::string octets(100, 'x');
        octets.resize(3);
        wipe(octets);
        CPPUNIT_ASSERT(std::none_of(octets.data(), octets.data() + octets.capacity(), [](char c) { return c == 'x'; }));
    }

    void a_secret_is_not_copied_and_not_printed() {
        static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
        static_assert(!std::is_convertible_v<const Secret&, std::string_view>);
        Secret secret;
        secret.set("pass word");
        CPPUNIT_ASSERT_EQUAL(std::string("pass word"), secret.reveal());
        secret.clear();
        CPPUNIT_ASSERT(secret.empty());
    }

    void equal_is_only_what_is_equal() {
        Secret secret;
        CPPUNIT_ASSERT(secret.equals(""));
        CPPUNIT_ASSERT(!secret.equals("x"));
        secret.set("secret");
        CPPUNIT_ASSERT(secret.equals("secret"));
        for (const char* other : {"", "s", "secre", "secrets", "Secret", "secreT", "secretsecret"})
            CPPUNIT_ASSERT_MESSAGE(other, !secret.equals(other));
        CPPUNIT_ASSERT(!secret.equals(std::string_view("secret\0", 7)));
    }

    void a_text_with_a_secret_leaves_no_copy_of_it() {
        constexpr std::string_view nul("\0", 1);
        const std::string password(1000, 'x');
        const auto text = secret_text({"joe", nul, password, nul, "and what stands behind it", nul});
        CPPUNIT_ASSERT_EQUAL(
            "joe" + std::string(nul) + password + std::string(nul) + "and what stands behind it" + std::string(nul),
            text);
        CPPUNIT_ASSERT_EQUAL(text.size(), text.capacity());  // one that has grown has more
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SecretTest);

}  // namespace
}  // namespace smtpd
