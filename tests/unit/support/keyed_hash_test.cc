/// keyed_hash_test.cc: SipHash-2-4, compared with other implementations.
#include "support/keyed_hash.h"

#include <cppunit/extensions/HelperMacros.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <string>

namespace smtpd::support {
namespace {

/// The key of the reference implementation: octets 0 to 15.
constexpr HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::uint64_t of_openssl(std::string_view text) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr),
                                                                EVP_MAC_free);
    CPPUNIT_ASSERT(mac);
    const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(mac.get()),
                                                                            EVP_MAC_CTX_free);
    std::size_t size = 8;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    std::array<unsigned char, 16> key_octets{};
    for (unsigned char i = 0; i < 16; ++i) key_octets[i] = i;
    std::array<unsigned char, 8> out{};
    CPPUNIT_ASSERT_EQUAL(1, EVP_MAC_init(context.get(), key_octets.data(), key_octets.size(), parameters));
    CPPUNIT_ASSERT_EQUAL(
        1, EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(text.data()), text.size()));
    CPPUNIT_ASSERT_EQUAL(1, EVP_MAC_final(context.get(), out.data(), &size, out.size()));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < out.size(); ++i) value |= std::uint64_t(out[i]) << (8 * i);
    return value;
}

class KeyedHashTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(KeyedHashTest);
    CPPUNIT_TEST(it_is_siphash);
    CPPUNIT_TEST(it_is_that_of_openssl_for_every_length);
    CPPUNIT_TEST(pieces_are_one_text);
    CPPUNIT_TEST(another_key_makes_another_hash);
    CPPUNIT_TEST_SUITE_END();

public:
    void it_is_siphash() {
        std::string text;
        for (char i = 0; i < 15; ++i) text += i;
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0xa129ca6149be45e5),
                             KeyedHash(key).add(text).value());  // the example of the paper, appendix A
    }

    void it_is_that_of_openssl_for_every_length() {
        std::string text;
        for (int size = 0; size < 300; ++size) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::to_string(size), of_openssl(text), KeyedHash(key).add(text).value());
            text += static_cast<char>(size * 7);
        }
    }

    void pieces_are_one_text() {
        const std::string text = "some text that is longer than a word";
        const std::uint64_t expected = KeyedHash(key).add(text).value();
        for (std::size_t cut = 0; cut < text.size(); ++cut)
            CPPUNIT_ASSERT_EQUAL(expected, KeyedHash(key)
                                               .add(text.substr(0, cut))
                                               .add(static_cast<std::uint8_t>(text[cut]))
                                               .add(text.substr(cut + 1))
                                               .value());
    }

    void another_key_makes_another_hash() {
        CPPUNIT_ASSERT(KeyedHash(HashKey::random()).add("x").value() != KeyedHash(HashKey::random()).add("x").value());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(KeyedHashTest);

}  // namespace
}  // namespace smtpd::support
