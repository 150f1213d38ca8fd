/// chunk_argument_test.cc: the argument of BDAT (RFC 3030 2), valid and almost valid.
#include "smtp/chunk_argument.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::smtp {
namespace {

class ChunkArgumentTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ChunkArgumentTest);
    CPPUNIT_TEST(sizes_are_read);
    CPPUNIT_TEST(everything_else_is_refused);
    CPPUNIT_TEST_SUITE_END();

public:
    void sizes_are_read() {
        const std::pair<const char*, const char*> rows[] = {{"0", "0"},
                                                            {"1", "1"},
                                                            {"86 LAST", "86 last"},
                                                            {"86 last", "86 last"},
                                                            {"86 LaSt", "86 last"},
                                                            {"86 \t LAST", "86 last"},
                                                            {"0 LAST", "0 last"},
                                                            {"007", "7"},
                                                            {"4294967296", "4294967296"},
                                                            {"9223372036854775808", "9223372036854775808"},
                                                            {"18446744073709551615 LAST", "18446744073709551615 last"}};
        for (const auto& [text, expected] : rows) {
            const auto argument = parse_chunk(text);
            CPPUNIT_ASSERT_MESSAGE(text, argument);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(expected),
                                         std::to_string(argument->size) + (argument->last ? " last" : ""));
        }
    }

    void everything_else_is_refused() {
        for (const char* text : {"",
                                 "LAST",
                                 "-1",
                                 "+1",
                                 "1x",
                                 "x1",
                                 "0x10",
                                 "1.5",
                                 "1,000",
                                 "1LAST",
                                 "1 LAST LAST",
                                 "1 LAST x",
                                 "1 2",
                                 "1 FIRST",
                                 "1 L",
                                 "18446744073709551616",
                                 "18446744073709551616 LAST",
                                 "99999999999999999999",
                                 "36893488147419103233",
                                 "340282366920938463463374607431768211456",
                                 "\xd9\xa1",
                                 "1 \xc5\xbf"
                                 "AST",
                                 " "})
            CPPUNIT_ASSERT_MESSAGE(text, !parse_chunk(text));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ChunkArgumentTest);

}  // namespace
}  // namespace smtpd::smtp
