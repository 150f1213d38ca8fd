/// header_block_test.cc: fields as signatures see them.
#include "mailauth/header_block.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>

namespace smtpd::mailauth {
namespace {

using std::string;
using std::string_view;

string canonical(string_view raw, Canonicalization form) {
    string out;
    append_canonical(out, raw, form);
    return out;
}

class HeaderBlockTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HeaderBlockTest);
    CPPUNIT_TEST(fields_keep_their_octets);
    CPPUNIT_TEST(lines_that_are_no_field_are_told);
    CPPUNIT_TEST(relaxed_and_simple_fields);
    CPPUNIT_TEST(the_lowest_field_is_given_first);
    CPPUNIT_TEST(a_field_can_be_left_out);
    CPPUNIT_TEST(many_fields_and_names);
    CPPUNIT_TEST(a_signature_is_signed_without_its_value);
    CPPUNIT_TEST_SUITE_END();

    void fields_keep_their_octets() {
        const HeaderBlock block("A: 1\r\n\t2\r\nB :\r\nC:x");
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, block.fields().size());
        CPPUNIT_ASSERT(block.fields()[0].raw == "A: 1\r\n\t2\r\n" && block.fields()[0].body() == " 1\r\n\t2");
        CPPUNIT_ASSERT(block.fields()[1].name == "B" && block.fields()[1].raw == "B :\r\n");
        CPPUNIT_ASSERT(block.fields()[1].is_called("b") && block.fields()[2].body() == "x");
        CPPUNIT_ASSERT(!block.has_junk() && !HeaderBlock("").has_junk());
    }

    void lines_that_are_no_field_are_told() {
        CPPUNIT_ASSERT(HeaderBlock("A: 1\r\njunk\r\nB: 2\r\n").has_junk());
        CPPUNIT_ASSERT(HeaderBlock(" folded: first\r\n").has_junk());
        CPPUNIT_ASSERT(HeaderBlock("two words: x\r\n").has_junk());
        CPPUNIT_ASSERT(HeaderBlock(": x\r\n").has_junk());
        CPPUNIT_ASSERT(HeaderBlock("\xc3\xa4: x\r\n").has_junk());
    }

    void relaxed_and_simple_fields() {
        // RFC 6376 3.4.5
        CPPUNIT_ASSERT_EQUAL(string("a:X\r\n"), canonical("A: X\r\n", Canonicalization::relaxed));
        CPPUNIT_ASSERT_EQUAL(string("b:Y Z\r\n"), canonical("B : Y\t\r\n\tZ  \r\n", Canonicalization::relaxed));
        CPPUNIT_ASSERT_EQUAL(string("B : Y\t\r\n\tZ  \r\n"),
                             canonical("B : Y\t\r\n\tZ  \r\n", Canonicalization::simple));
        CPPUNIT_ASSERT_EQUAL(string("c:\r\n"), canonical("C: \t\r\n", Canonicalization::relaxed));
        CPPUNIT_ASSERT_EQUAL(string("c:a:b\r\n"), canonical("c:a:b", Canonicalization::relaxed));
        CPPUNIT_ASSERT_EQUAL(string("c:a\rb\nc\r\n"), canonical("c: a\rb\nc\r\n", Canonicalization::relaxed));
    }

    void the_lowest_field_is_given_first() {
        const HeaderBlock block("A: 1\r\nB: 2\r\na: 3\r\n");
        FieldPicker picker(block);
        CPPUNIT_ASSERT(picker.next("A")->body() == " 3");
        CPPUNIT_ASSERT(picker.next("b")->body() == " 2");
        CPPUNIT_ASSERT(picker.next("a")->body() == " 1");
        CPPUNIT_ASSERT(!picker.next("a") && !picker.next("A") && !picker.next("b") && !picker.next("c"));
        CPPUNIT_ASSERT(FieldPicker(block).next("A")->body() == " 3");
    }

    void a_field_can_be_left_out() {
        const HeaderBlock block("S: 1\r\nS: 2\r\nS: 3\r\n");
        FieldPicker picker(block);
        picker.leave_out(block.fields()[1]);
        CPPUNIT_ASSERT(picker.next("s")->body() == " 3");
        CPPUNIT_ASSERT(picker.next("s")->body() == " 1");
        CPPUNIT_ASSERT(!picker.next("s"));
    }

    void many_fields_and_names() {
        string text;
        for (int i = 0; i < 50000; ++i) text += "f" + std::to_string(i % 500) + ":" + std::to_string(i) + "\r\n";
        const HeaderBlock block(text);
        FieldPicker picker(block);
        for (int i = 0; i < 100; ++i)
            for (int name = 0; name < 500; ++name) {
                const RawField* const field = picker.next("F" + std::to_string(name));
                CPPUNIT_ASSERT(field && field->body() == std::to_string(49500 + name - 500 * i));
            }
        CPPUNIT_ASSERT(!picker.next("f7"));
    }

    void a_signature_is_signed_without_its_value() {
        const string_view raw = "DKIM-Signature: bh=x; b=abc\r\n def ; c=y\r\n";
        string out;
        append_canonical_signature(out, raw, raw.find("abc"), string_view("abc\r\n def ").size(),
                                   Canonicalization::simple);
        CPPUNIT_ASSERT_EQUAL(string("DKIM-Signature: bh=x; b=; c=y"), out);
        out.clear();
        append_canonical_signature(out, raw, raw.find("abc"), string_view("abc\r\n def ").size(),
                                   Canonicalization::relaxed);
        CPPUNIT_ASSERT_EQUAL(string("dkim-signature:bh=x; b=; c=y"), out);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HeaderBlockTest);

}  // namespace
}  // namespace smtpd::mailauth
