/// parameters_test.cc: the list of a command's parameters.
#include <smtpd/base/parameters.h>

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd {
namespace {

class ParametersTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ParametersTest);
    CPPUNIT_TEST(keywords_are_upper_case_and_values_as_written);
    CPPUNIT_TEST(the_order_is_kept);
    CPPUNIT_TEST(odd_keywords_are_not_special);
    CPPUNIT_TEST_SUITE_END();

public:
    void keywords_are_upper_case_and_values_as_written() {
        Parameters parameters;
        CPPUNIT_ASSERT(parameters.empty());
        parameters.add("size", "10");
        parameters.add("Body", "8BitMime");
        parameters.add("SMTPUTF8", std::nullopt);
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, parameters.size());
        CPPUNIT_ASSERT_EQUAL(std::string("SIZE"), parameters.find("sIzE")->keyword);
        CPPUNIT_ASSERT_EQUAL(std::string("8BitMime"), parameters.find("BODY")->value.value());
        CPPUNIT_ASSERT(parameters.has("smtputf8") && !parameters.find("SMTPUTF8")->value);
        CPPUNIT_ASSERT(!parameters.has("SIZ") && parameters.find("RET") == nullptr);
    }

    void the_order_is_kept() {
        Parameters parameters;
        for (const char* keyword : {"z", "a", "m"}) parameters.add(keyword, std::nullopt);
        std::string order;
        for (const auto& parameter : parameters) order += parameter.keyword;
        CPPUNIT_ASSERT_EQUAL(std::string("ZAM"), order);
    }

    void odd_keywords_are_not_special() {
        Parameters parameters;
        parameters.add("constructor", "x");
        CPPUNIT_ASSERT(!parameters.has("__proto__") && !parameters.has("") && parameters.has("CONSTRUCTOR"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ParametersTest);

}  // namespace
}  // namespace smtpd
