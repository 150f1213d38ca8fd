/// descriptor_budget_test.cc: the shares of a process's descriptors.
#include "support/descriptor_budget.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::support {
namespace {

class DescriptorBudgetTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DescriptorBudgetTest);
    CPPUNIT_TEST(the_shares_of_usual_limits);
    CPPUNIT_TEST(what_is_needed_suffices_and_less_does_not);
    CPPUNIT_TEST_SUITE_END();

public:
    void the_shares_of_usual_limits() {
        const struct {
            unsigned limit, threads, clients, files;
        } rows[] = {{1024, 64, 800, 928},  {1024, 25, 839, 967}, {1024, 1, 863, 991}, {65536, 64, 57248, 65440},
                    {1024, 512, 640, 768}, {64, 64, 40, 48},     {0, 64, 0, 0},       {1048576, 64, 917408, 1048480}};
        for (const auto& row : rows) {
            const auto budget = DescriptorBudget::of(row.limit, row.threads);
            const std::string message = std::to_string(row.limit) + " for " + std::to_string(row.threads);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(message, row.clients, budget.clients);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(message, row.files, budget.files);
        }
        CPPUNIT_ASSERT_EQUAL(736U, DescriptorBudget::of(1024, 64).connections());
        CPPUNIT_ASSERT_EQUAL(0U, DescriptorBudget::of(64, 64).connections());
    }

    void what_is_needed_suffices_and_less_does_not() {
        for (const unsigned threads : {1U, 16U, 25U, 64U, 400U})
            for (unsigned connections = 1000; connections < 70'000; connections += 777) {
                const unsigned needed = DescriptorBudget::needed(connections, threads);
                CPPUNIT_ASSERT(DescriptorBudget::of(needed, threads).connections() >= connections);
                CPPUNIT_ASSERT(DescriptorBudget::of(needed - needed / 50, threads).connections() < connections);
            }
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DescriptorBudgetTest);

}  // namespace
}  // namespace smtpd::support
