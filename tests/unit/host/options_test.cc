/// options_test.cc: option words against option tables.
#include "host/options.h"

#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::host;
using std::string;

enum class Colour { red, green };

struct Options {
    Duration wait = std::chrono::seconds(1);
    std::string path = "/default";
    std::vector<int> numbers = {7};
    std::vector<Colour> colours = {Colour::red};
    std::vector<std::string> others;
    Colour colour = Colour::red;
    bool strict = false;
    bool keep = true;
    int max = 4;

    static OptionTable table() {
        return {
            option("wait", &Options::wait, "a duration").range("0s", "5min"),
            option("path", &Options::path, "a path").positional(0),
            option("numbers", &Options::numbers, "numbers").range("1", "9"),
            option("check-at", &Options::colours, "colours").choices({{"red", Colour::red}, {"green", Colour::green}}),
            option("colour", &Options::colour, "a colour")
                .choices({{"red", Colour::red}, {"green", Colour::green}, {"verde", Colour::green}}),
            option("strict", &Options::strict, "a flag").flag(),
            option("keep", &Options::keep, "a switch").alias("hold"),
            option("max", &Options::max, "a number").positional(1)};
    }
};

struct Read {
    Options options;
    CommonOptions common;
    std::vector<string> errors;
    std::vector<string> warnings;

    explicit Read(std::string_view text, bool is_policy = true) {
        const OptionTable own = Options::table();
        const OptionTable shared = common_options(is_policy, false);
        OptionReader reader;
        reader.add(own, &options);
        reader.add(shared, &common);
        const auto words = split_option_words(text);
        CPPUNIT_ASSERT_MESSAGE(string(text), bool(words));
        auto findings = reader.read(*words);
        errors = findings.errors;
        warnings = findings.warnings;
    }
    string error() const { return errors.size() == 1 ? errors[0] : std::to_string(errors.size()) + " errors"; }
};

string joined(const std::vector<string>& words) {
    string out;
    for (const auto& word : words) out += "[" + word + "]";
    return out;
}

}  // namespace

class OptionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(OptionsTest);
    CPPUNIT_TEST(tables_read_pairs_from_elsewhere);
    CPPUNIT_TEST(words_are_split_with_quotes);
    CPPUNIT_TEST(an_open_quote_is_an_error);
    CPPUNIT_TEST(both_ways_of_writing_mean_the_same);
    CPPUNIT_TEST(a_value_after_a_name_is_taken_whatever_it_looks_like);
    CPPUNIT_TEST(flags_stand_alone_or_with_a_switch_word);
    CPPUNIT_TEST(bare_words_fill_the_positions);
    CPPUNIT_TEST(rest_takes_all_bare_words_from_its_position);
    CPPUNIT_TEST(a_positional_path_may_contain_an_equals_sign);
    CPPUNIT_TEST(lists_replace_their_default_and_add);
    CPPUNIT_TEST(a_repeated_option_is_a_warning_and_the_last_counts);
    CPPUNIT_TEST(each_mistake_says_what_is_allowed);
    CPPUNIT_TEST(all_mistakes_are_found_at_once);
    CPPUNIT_TEST(a_required_option_must_be_there);
    CPPUNIT_TEST(common_options_are_understood_by_every_plugin);
    CPPUNIT_TEST(policy_options_are_for_policies_only);
    CPPUNIT_TEST(a_plugins_own_option_takes_the_place_of_a_common_one);
    CPPUNIT_TEST(the_description_has_what_a_manual_needs);
    CPPUNIT_TEST_SUITE_END();

public:
    void tables_read_pairs_from_elsewhere() {
        const OptionTable table = Options::table();
        Options options;
        CPPUNIT_ASSERT(table.read(&options, ""));
        CPPUNIT_ASSERT(table.read(&options, " wait 2min\tpath \"/a b\" hold no "));
        CPPUNIT_ASSERT(options.wait == std::chrono::minutes(2) && options.path == "/a b" && !options.keep);
        const struct {
            const char* text;
            const char* problem;
        } rows[] = {{"max 1 wiat 3", "there is no option wiat"},
                    {"wait 1h", "wait must be a duration"},
                    {"max", "max must be a whole number"},
                    {"path \"x", "a quotation mark is not closed"}};
        for (const auto& row : rows) {
            const auto read = table.read(&options, row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, !read);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, string(row.problem),
                                         read.error().what.substr(0, string(row.problem).size()));
        }
        CPPUNIT_ASSERT_EQUAL(1, options.max);  // taken before the mistake
        CPPUNIT_ASSERT(table.read(&options, "max 3", {"max", "path"}));
        CPPUNIT_ASSERT_EQUAL(string("there is no option wait"),
                             table.read(&options, "max 7 wait 1s", {"max", "path"}).error().what);
    }

    void words_are_split_with_quotes() {
        const struct {
            const char* text;
            const char* words;
        } rows[] = {{"", ""},
                    {"  a  b\tc ", "[a][b][c]"},
                    {"\"a b\" c", "[a b][c]"},
                    {"key=\"a b\"x", "[key=a bx]"},
                    {"\"\"", "[]"},
                    {"\"a\\\"b\\\\c\\d\"", "[a\"b\\c\\d]"},
                    {"a\\b 'c d'", "[a\\b]['c][d']"}};
        for (const auto& row : rows) {
            const auto words = split_option_words(row.text);
            CPPUNIT_ASSERT_MESSAGE(row.text, bool(words));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, string(row.words), joined(*words));
        }
    }

    void an_open_quote_is_an_error() {
        const auto words = split_option_words("a \"b c");
        CPPUNIT_ASSERT(!words);
        CPPUNIT_ASSERT_EQUAL(string("a quotation mark is not closed"), words.error().what);
    }

    void both_ways_of_writing_mean_the_same() {
        for (const char* text : {"wait=2s max=9 colour=green keep=no", "wait 2s max 9 colour green keep no",
                                 "wait 2s hold=off max=9 colour verde"}) {
            const Read read(text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, string("0 errors"), read.error());
            CPPUNIT_ASSERT_MESSAGE(text, read.options.wait == std::chrono::seconds(2));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, 9, read.options.max);
            CPPUNIT_ASSERT_MESSAGE(text, read.options.colour == Colour::green);
            CPPUNIT_ASSERT_MESSAGE(text, !read.options.keep);
        }
    }

    void a_value_after_a_name_is_taken_whatever_it_looks_like() {
        CPPUNIT_ASSERT_EQUAL(string("wait"), Read("path wait").options.path);
        CPPUNIT_ASSERT_EQUAL(string("max=3"), Read("path max=3").options.path);
        CPPUNIT_ASSERT_EQUAL(string("a=b=c"), Read("path=a=b=c").options.path);
        CPPUNIT_ASSERT_EQUAL(string(""), Read("path=").options.path);
        CPPUNIT_ASSERT_EQUAL(-3, Read("max -3").options.max);
    }

    void flags_stand_alone_or_with_a_switch_word() {
        CPPUNIT_ASSERT(Read("strict").options.strict);
        CPPUNIT_ASSERT(Read("strict on").options.strict);
        CPPUNIT_ASSERT(!Read("strict 0").options.strict);
        CPPUNIT_ASSERT(!Read("strict=no").options.strict);
        const Read read("strict /a/path");
        CPPUNIT_ASSERT(read.options.strict);
        CPPUNIT_ASSERT_EQUAL(string("/a/path"), read.options.path);
    }

    void bare_words_fill_the_positions() {
        const Read read("wait 3 /var/mail strict 12");
        CPPUNIT_ASSERT_EQUAL(string("0 errors"), read.error());
        CPPUNIT_ASSERT_EQUAL(string("/var/mail"), read.options.path);
        CPPUNIT_ASSERT_EQUAL(12, read.options.max);
        CPPUNIT_ASSERT(read.options.wait == std::chrono::seconds(3));
    }

    void rest_takes_all_bare_words_from_its_position() {
        struct Words {
            std::string first;
            std::vector<std::string> rest;
            int number = 0;
        } values;
        const OptionTable table(option("rest", &Words::rest, "the rest").positional(1).rest(),
                                option("first", &Words::first, "the first").positional(0),
                                option("number", &Words::number, "a number"));
        OptionReader reader;
        reader.add(table, &values);
        const auto findings = reader.read({"a", "b", "number", "5", "c", "d"});
        CPPUNIT_ASSERT(findings.errors.empty());
        CPPUNIT_ASSERT_EQUAL(string("a"), values.first);
        CPPUNIT_ASSERT_EQUAL(string("[b][c][d]"), joined(values.rest));
        CPPUNIT_ASSERT_EQUAL(5, values.number);
    }

    void a_positional_path_may_contain_an_equals_sign() {
        CPPUNIT_ASSERT_EQUAL(string("/var/a=b"), Read("/var/a=b").options.path);
        CPPUNIT_ASSERT_EQUAL(string("1=2"), Read("1=2").options.path);
        CPPUNIT_ASSERT_EQUAL(string("unknown option \"dir\""), Read("dir=/var/a").error());
    }

    void lists_replace_their_default_and_add() {
        CPPUNIT_ASSERT(Read("").options.numbers == std::vector<int>({7}));
        const Read read("numbers 3 check-at=green numbers=4 check-at red");
        CPPUNIT_ASSERT_EQUAL(string("0 errors"), read.error());
        CPPUNIT_ASSERT(read.warnings.empty());
        CPPUNIT_ASSERT(read.options.numbers == std::vector<int>({3, 4}));
        CPPUNIT_ASSERT(read.options.colours == std::vector<Colour>({Colour::green, Colour::red}));
    }

    void a_repeated_option_is_a_warning_and_the_last_counts() {
        const Read read("max=1 max=2 max=3");
        CPPUNIT_ASSERT_EQUAL(3, read.options.max);
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), read.warnings.size());
        CPPUNIT_ASSERT_EQUAL(string("option \"max\" is given more than once; the last one counts"), read.warnings[0]);
    }

    void each_mistake_says_what_is_allowed() {
        const struct {
            const char* text;
            const char* error;
        } rows[] = {
            {"wiat=1", "unknown option \"wiat\" (did you mean \"wait\"?)"},
            {"zzzzzz=1", "unknown option \"zzzzzz\""},
            {"wait=6min",
             "option \"wait\": \"6min\" is not allowed; it must be a duration (10 or 10s, 500ms, 5min, 2h, 1d) from 0s "
             "to 5min"},
            {"wait=soon",
             "option \"wait\": \"soon\" is not allowed; it must be a duration (10 or 10s, 500ms, 5min, 2h, 1d) from 0s "
             "to 5min"},
            {"colour blue", "option \"colour\": \"blue\" is not allowed; it must be one of red, green, verde"},
            {"check-at=blue", "option \"check-at\": \"blue\" is not allowed; it must be one of red, green"},
            {"numbers 10", "option \"numbers\": \"10\" is not allowed; it must be a whole number from 1 to 9"},
            {"keep=perhaps", "option \"keep\": \"perhaps\" is not allowed; it must be on or off"},
            {"wait",
             "option \"wait\" has no value; it must be a duration (10 or 10s, 500ms, 5min, 2h, 1d) from 0s to 5min"},
            {"/a maxx", "option \"max\": \"maxx\" is not allowed; it must be a whole number (did you mean \"max\"?)"},
            {"/a 1 colr red", "unknown option \"colr\" (did you mean \"colour\"?)"},
            {"/a 1 /b", "unexpected argument \"/b\": there is no such option, and no further value is expected"},
            {"reject=perhaps",
             "option \"reject\": \"perhaps\" is not allowed; it must be one of yes, no, naughty, on, off, 1, 0, true, "
             "false"},
            {"deadline=0",
             "option \"deadline\": \"0\" is not allowed; it must be a duration (10 or 10s, 500ms, 5min, 2h, 1d) from "
             "1ms to 1h"},
        };
        for (const auto& row : rows) CPPUNIT_ASSERT_EQUAL_MESSAGE(row.text, string(row.error), Read(row.text).error());
    }

    void all_mistakes_are_found_at_once() {
        const Read read("wait=no colour=blue max=2 foo=1 keep=2");
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), read.errors.size());
        CPPUNIT_ASSERT_EQUAL(2, read.options.max);
    }

    void a_required_option_must_be_there() {
        struct Needy {
            std::string file;
        } values;
        const OptionTable table(option("file", &Needy::file, "a file").required().positional(0));
        OptionReader without;
        without.add(table, &values);
        CPPUNIT_ASSERT_EQUAL(string("option \"file\" is missing; it must be text"), without.read({}).errors.at(0));
        OptionReader with;
        with.add(table, &values);
        CPPUNIT_ASSERT(with.read({"/a"}).errors.empty());
    }

    void common_options_are_understood_by_every_plugin() {
        const Read plain("loglevel=debug deadline 5s", false);
        CPPUNIT_ASSERT_EQUAL(string("0 errors"), plain.error());
        CPPUNIT_ASSERT_EQUAL(static_cast<int>(LogLevel::debug), plain.common.loglevel.fixed);
        CPPUNIT_ASSERT(plain.common.deadline == std::chrono::seconds(5));
        CPPUNIT_ASSERT_EQUAL(2, Read("loglevel +2").common.loglevel.shift);
        CPPUNIT_ASSERT_EQUAL(-1, Read("loglevel=-1").common.loglevel.shift);
        CPPUNIT_ASSERT_EQUAL(6, Read("loglevel 6").common.loglevel.fixed);
        CPPUNIT_ASSERT(Read("").common.deadline == std::chrono::seconds(60));
        CPPUNIT_ASSERT_EQUAL(8, Read("loglevel 9").common.loglevel.fixed);
        CPPUNIT_ASSERT_EQUAL(8, Read("loglevel +9").common.loglevel.shift);
        CPPUNIT_ASSERT_EQUAL(-8, Read("loglevel=-12").common.loglevel.shift);
        for (const char* wrong : {"loglevel=+", "loglevel=-info", "loglevel=+LOG1", "loglevel=loud", "loglevel=++1"})
            CPPUNIT_ASSERT_MESSAGE(wrong, Read(wrong).error().starts_with("option \"loglevel\": "));
    }

    void policy_options_are_for_policies_only() {
        const PolicyDefaults policy =
            Read("reject=naughty reject_type=temp_disconnect onerror=tempfail karma_fail=-3 karma_pass 2")
                .common.policy;
        CPPUNIT_ASSERT(policy.reject == PolicyDefaults::Reject::naughty);
        CPPUNIT_ASSERT(policy.reject_type == Verdict::denysoft_disconnect);
        CPPUNIT_ASSERT(policy.onerror == PolicyDefaults::OnError::tempfail);
        CPPUNIT_ASSERT_EQUAL(-3, policy.karma_fail);
        CPPUNIT_ASSERT_EQUAL(2, policy.karma_pass);
        for (const char* no : {"reject 0", "reject=no", "reject off", "reject=false"})
            CPPUNIT_ASSERT_MESSAGE(no, Read(no).common.policy.reject == PolicyDefaults::Reject::no);
        for (const char* yes : {"reject 1", "reject=yes", "reject on", "reject=true"})
            CPPUNIT_ASSERT_MESSAGE(yes, Read(yes).common.policy.reject == PolicyDefaults::Reject::yes);
        const struct {
            const char* word;
            Verdict verdict;
        } types[] = {{"perm", Verdict::deny},
                     {"hard", Verdict::deny},
                     {"temp", Verdict::denysoft},
                     {"soft", Verdict::denysoft},
                     {"disconnect", Verdict::deny_disconnect}};
        for (const auto& type : types)
            CPPUNIT_ASSERT_MESSAGE(type.word,
                                   Read(string("reject_type ") + type.word).common.policy.reject_type == type.verdict);
        CPPUNIT_ASSERT_EQUAL(string("unknown option \"reject\""), Read("/a 1 reject naughty", false).error());
    }

    void a_plugins_own_option_takes_the_place_of_a_common_one() {
        struct Own {
            int reject = 0;
            std::string level;
        } own;
        CommonOptions common;
        const OptionTable table(option("reject", &Own::reject, "a score"),
                                option("level", &Own::level, "a level").alias("loglevel"));
        const OptionTable shared = common_options(true, false);
        OptionReader reader;
        reader.add(table, &own);
        reader.add(shared, &common);
        CPPUNIT_ASSERT(reader.read({"reject=12", "loglevel", "loud"}).errors.empty());
        CPPUNIT_ASSERT_EQUAL(12, own.reject);
        CPPUNIT_ASSERT_EQUAL(string("loud"), own.level);
        CPPUNIT_ASSERT(common.policy.reject == PolicyDefaults::Reject::yes);
    }

    void the_description_has_what_a_manual_needs() {
        const Options options;
        const auto rows = describe_options(Options::table(), &options);
        CPPUNIT_ASSERT_EQUAL(std::size_t(8), rows.size());
        CPPUNIT_ASSERT_EQUAL(string("wait"), rows[0].name);
        CPPUNIT_ASSERT_EQUAL(string("a duration (10 or 10s, 500ms, 5min, 2h, 1d) from 0s to 5min"), rows[0].type);
        CPPUNIT_ASSERT_EQUAL(string("1s"), rows[0].initial);
        CPPUNIT_ASSERT_EQUAL(string("a duration"), rows[0].help);
        CPPUNIT_ASSERT_EQUAL(0, rows[1].position);
        CPPUNIT_ASSERT_EQUAL(string("7"), rows[2].initial);
        CPPUNIT_ASSERT_EQUAL(string("one of red, green, may be given several times"), rows[3].type);
        CPPUNIT_ASSERT_EQUAL(string("red"), rows[3].initial);
        CPPUNIT_ASSERT_EQUAL(string("red"), rows[4].initial);
        CPPUNIT_ASSERT(rows[5].is_flag);
        CPPUNIT_ASSERT_EQUAL(string("hold"), rows[6].aliases.at(0));
        const CommonOptions common;
        const auto shared = describe_options(common_options(true, false), &common);
        CPPUNIT_ASSERT_EQUAL(std::size_t(7), shared.size());
        CPPUNIT_ASSERT_EQUAL(string("+0"), shared[0].initial);
        CPPUNIT_ASSERT_EQUAL(string("1min"), shared[1].initial);
        CPPUNIT_ASSERT_EQUAL(string("yes"), shared[2].initial);
        CPPUNIT_ASSERT_EQUAL(string("perm"), shared[3].initial);
        CPPUNIT_ASSERT_EQUAL(string("accept"), shared[4].initial);
        CPPUNIT_ASSERT_EQUAL(string("0"), shared[5].initial);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(OptionsTest);
