/// session_recording_test.cc: random dialogues end exactly as recorded, octet for octet, which shows that a change of
/// the engine is internal only. The recordings are in tests/recordings/sessions.txt, with a section for each number of
/// a RandomDialogue. After an intended change of what clients or plugins see, `SMTPD_RECORD=1 tests/unit_tests
/// recorded` writes the file again; check the difference. For other dialogues, first write empty sections "#### NUMBER"
/// into it.
#include "fakes/random_dialogue.h"

#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace smtpd::engine {
namespace {

const std::string path = std::string(SMTPD_SOURCE_DIR) + "/tests/recordings/sessions.txt";

class SessionRecordingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionRecordingTest);
    CPPUNIT_TEST(dialogues_go_as_recorded);
    CPPUNIT_TEST_SUITE_END();

public:
    void dialogues_go_as_recorded() {
        std::ifstream file(path);
        std::stringstream recorded, played;
        std::string line;
        while (std::getline(file, line)) {
            recorded << line << "\n";
            if (line.rfind("#### ", 0) != 0) continue;
            played << line << "\n"
                   << fakes::RandomDialogue(static_cast<unsigned>(std::stoul(line.substr(5)))).play(false);
        }
        if (std::getenv("SMTPD_RECORD") != nullptr) std::ofstream(path) << played.str();
        else compare(recorded, played);
    }

private:
    /// The first difference, with the text before it.
    static void compare(std::stringstream& recorded, std::stringstream& played) {
        std::string one, other, before;
        std::size_t number = 0;
        while (std::getline(played, other)) {
            one.clear();
            std::getline(recorded, one);
            CPPUNIT_ASSERT_EQUAL_MESSAGE("line " + std::to_string(++number) + ", behind\n" + before, one, other);
            if (other.rfind("#### ", 0) == 0) before.clear();
            before = before.substr(before.size() > 2000 ? before.size() - 2000 : 0) + other + "\n";
        }
        CPPUNIT_ASSERT_MESSAGE("more was recorded than was played", !std::getline(recorded, one));
        CPPUNIT_ASSERT(number > 500);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionRecordingTest);

}  // namespace
}  // namespace smtpd::engine
