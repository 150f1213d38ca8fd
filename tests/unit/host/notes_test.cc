/// notes_test.cc: typed notes, and the registry of their names.
#include "host/notes.h"

#include <smtpd/notes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <string>

namespace {

using namespace smtpd;

struct Counted {
    static inline int alive = 0;
    int value = 7;
    Counted() { ++alive; }
    Counted(const Counted& other) : value(other.value) { ++alive; }
    Counted& operator=(const Counted&) = default;
    ~Counted() { --alive; }
};

}  // namespace

class NotesTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NotesTest);
    CPPUNIT_TEST(a_note_is_made_found_and_removed);
    CPPUNIT_TEST(keys_of_one_name_share_a_slot);
    CPPUNIT_TEST(a_name_with_another_type_is_complained_about_and_kept_apart);
    CPPUNIT_TEST(values_die_with_their_notes);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_note_is_made_found_and_removed() {
        const NoteKey<int> number{"test.number"};
        const NoteKey<std::string> text{"test.text"};
        Notes notes;
        CPPUNIT_ASSERT(!notes.find(number));
        CPPUNIT_ASSERT_EQUAL(0, notes.get(number));
        notes.set(number, 5);
        notes.set(text, std::string("five"));
        CPPUNIT_ASSERT_EQUAL(5, *notes.find(number));
        CPPUNIT_ASSERT_EQUAL(std::string("five"), notes.get(text));
        notes.remove(number);
        CPPUNIT_ASSERT(!notes.find(number));
        CPPUNIT_ASSERT(notes.find(text));
        notes.clear();
        CPPUNIT_ASSERT(!notes.find(text));
    }

    void keys_of_one_name_share_a_slot() {
        const NoteKey<int> one{"test.shared"};
        const NoteKey<int> other{"test.shared"};
        const NoteKey<int> third{"test.not_shared"};
        CPPUNIT_ASSERT_EQUAL(one.slot(), other.slot());
        CPPUNIT_ASSERT(one.slot() != third.slot());
        CPPUNIT_ASSERT(host::take_note_complaints().empty());
    }

    void a_name_with_another_type_is_complained_about_and_kept_apart() {
        const NoteKey<int> number{"test.conflict"};
        const NoteKey<std::string> text{"test.conflict"};
        CPPUNIT_ASSERT(number.slot() != text.slot());
        const auto complaints = host::take_note_complaints();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), complaints.size());
        CPPUNIT_ASSERT_EQUAL(std::string("the note \"test.conflict\" already exists with another type"), complaints[0]);
        CPPUNIT_ASSERT(host::take_note_complaints().empty());
    }

    void values_die_with_their_notes() {
        const NoteKey<Counted> key{"test.counted"};
        {
            Notes notes;
            CPPUNIT_ASSERT_EQUAL(7, notes.get(key).value);
            CPPUNIT_ASSERT_EQUAL(1, Counted::alive);
        }
        CPPUNIT_ASSERT_EQUAL(0, Counted::alive);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(NotesTest);
