/// plugin_set_test.cc: a server's plugins, created from configuration lines, and every mistake in these lines.
#include "fakes/plugin_under_test.h"
#include "fakes/plugin_world.h"
#include "host/plugin_dso.h"

#include <cppunit/extensions/HelperMacros.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::host;
using smtpd::fakes::PluginWorld;
using std::string;

/// The effect of one bad plugin, as configtest would print it.
string problems_of(const string& plugin, std::string_view options = {}) {
    const fakes::PluginUnderTest bad(plugin, options);
    return (bad.is_usable() ? "usable: " : "") + bad.problems();
}

string in_bad_dir(const string& name) { return fakes::bad_plugin_dir() + "/" + name; }

}  // namespace

class PluginSetTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PluginSetTest);
    CPPUNIT_TEST(a_later_line_takes_the_place_of_an_earlier_one_of_its_name);
    CPPUNIT_TEST(instances_of_one_plugin_are_apart);
    CPPUNIT_TEST(an_unknown_plugin_is_a_warning_in_a_plugins_file_and_an_error_elsewhere);
    CPPUNIT_TEST(a_wrong_option_names_the_line_and_the_plugin);
    CPPUNIT_TEST(a_bad_control_file_names_the_plugin_that_reads_it);
    CPPUNIT_TEST(handlers_and_plugins_are_destroyed_before_their_code);
    CPPUNIT_TEST(counters_may_come_from_the_server);
    CPPUNIT_TEST(a_plugin_knows_its_surroundings);
    CPPUNIT_TEST(child_start_runs_all_and_names_those_that_fail);
    CPPUNIT_TEST(logging_plugins_get_the_lines_of_sessions);
    CPPUNIT_TEST(control_lines_are_the_significant_ones);
    CPPUNIT_TEST_SUITE_END();

    PluginWorld world_;

    static PluginLine line(const string& name, const std::vector<string>& words = {},
                           PluginLine::Origin origin = PluginLine::Origin::directive) {
        PluginLine made;
        split_instance(name, made.name, made.label);
        made.words = words;
        made.file = "conf";
        made.line = 3;
        made.origin = origin;
        return made;
    }
    string build_problems(const std::vector<PluginLine>& lines) {
        world_.build();
        world_.environment.plugin_dirs = {fakes::bad_plugin_dir()};
        Problems problems;
        const auto set = PluginSet::build(lines, world_.environment, problems);
        string out;
        for (const auto& problem : problems)
            out += string(problem.is_error ? "error " : "warning ") + problem.to_string() + "\n";
        return out;
    }

public:
    void a_later_line_takes_the_place_of_an_earlier_one_of_its_name() {
        const auto lines = merged({line("a", {"1"}), line("b"), line("a:x"), line("a", {"2"}), line("c")});
        string out;
        for (const auto& one : lines) out += one.instance() + (one.words.empty() ? "" : "=" + one.words[0]) + " ";
        CPPUNIT_ASSERT_EQUAL(string("a=2 b a:x c "), out);
    }

    void instances_of_one_plugin_are_apart() {
        for (const char* label : {"one", "two"})
            world_.add(label, [](Setup& setup) {
                CPPUNIT_ASSERT_EQUAL(string("plain"), setup.name());
                setup.hooks.rcpt.add([name = setup.instance()](const RcptHook& hook) {
                    hook.log(LogLevel::info, "this is {}", name);
                    return declined();
                });
            });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("(rcpt) plain:one: this is plain:one\n(rcpt) plain:two: this is plain:two\n"),
                             world_.log.to_string());
    }

    void an_unknown_plugin_is_a_warning_in_a_plugins_file_and_an_error_elsewhere() {
        const string dir = fakes::bad_plugin_dir();
        const string said = build_problems({line("overrun")});
        const string beginning = "error conf line 3: SmtpPlugin overrun: there is no such plugin in " + dir +
                                 " (did you mean \"overruns\"?); the plugins are asks_too_long, ";
        CPPUNIT_ASSERT_EQUAL(beginning, said.substr(0, beginning.size()));
        CPPUNIT_ASSERT_MESSAGE(said, said.ends_with(", plain, policy, tasks\n"));
        const string ignored = build_problems({line("auth/nothing_alike:7", {"x"}, PluginLine::Origin::plugins_file)});
        CPPUNIT_ASSERT_MESSAGE(ignored,
                               ignored.starts_with("warning conf:3: auth/nothing_alike:7: there is no such "
                                                   "plugin in " +
                                                   dir + "; the line is ignored; the plugins are asks_too_long, "));
        CPPUNIT_ASSERT_EQUAL(
            string("warning conf:3: Some::Module: a Perl module cannot be loaded here; the line is ignored\n"),
            build_problems({line("Some::Module", {}, PluginLine::Origin::plugins_file)}));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            "a plugin that is there but useless is an error everywhere",
            "error conf:3: no_descriptor: " + dir +
                "/no_descriptor.so is not a plugin of this server: it has no symbol smtpd_plugin\n",
            build_problems({line("no_descriptor", {}, PluginLine::Origin::plugins_file)}));
    }

    void a_wrong_option_names_the_line_and_the_plugin() {
        CPPUNIT_ASSERT_EQUAL(
            string("error conf line 3: SmtpPlugin policy:x: unknown option \"rejct\" (did you mean \"reject\"?)\n"
                   "error conf line 3: SmtpPlugin policy:x: option \"onerror\": \"panic\" is not allowed; it must be "
                   "one of accept, tempfail\n"
                   "warning conf line 3: SmtpPlugin policy:x: option \"karma_fail\" is given more than once; the last "
                   "one counts\n"),
            build_problems({line("policy:x", {"rejct=1", "onerror=panic", "karma_fail=1", "karma_fail=2"})}));
    }

    void a_bad_control_file_names_the_plugin_that_reads_it() {
        world_.directory.write("nets", "rubbish\n");
        world_.add("reader", [](Setup& setup) { static_cast<void>(setup.control().networks("nets")); });
        try {
            world_.build();
            CPPUNIT_FAIL("the plugin was accepted");
        } catch (const std::runtime_error& problem) {
            const string expected = "test.conf line 1: SmtpPlugin plain:reader: " + world_.directory.path("nets") +
                                    ":1: ";
            CPPUNIT_ASSERT_MESSAGE(problem.what(), string(problem.what()).starts_with(expected));
        }
    }

    void handlers_and_plugins_are_destroyed_before_their_code() {
        const auto order = std::make_shared<string>();
        struct Mark {
            Mark(std::shared_ptr<string> all, string own) : order(std::move(all)), name(std::move(own)) {}
            ~Mark() { *order += name; }
            std::shared_ptr<string> order;
            string name;
        };
        for (const char* name : {"a", "b", "c"})
            world_.add(name, [order, name](Setup& setup) {
                setup.hooks.rcpt.add(
                    [mark = std::make_shared<Mark>(order, name)](const RcptHook&) { return declined(); });
            });
        world_.build();
        world_.set.reset();
        CPPUNIT_ASSERT_EQUAL_MESSAGE("every handler is gone", std::size_t(3), order->size());
        // The same with DSOs whose handlers and notes hold code of theirs: a wrong order is a crash.
        for (int i = 0; i < 3; ++i) {
            fakes::PluginUnderTest plugin("throws_exception");
            CPPUNIT_ASSERT(is_denial(plugin.mail("a@example.com").verdict));
        }
    }

    void counters_may_come_from_the_server() {
        PluginCounters shared;
        world_.environment.counters = [&shared](const string& instance) {
            return instance == "policy:one" ? &shared : nullptr;
        };
        for (const char* label : {"one", "two"})
            world_.add_policy(label, {},
                              [](Setup& setup) { setup.hooks.rcpt.decide([](const RcptHook&) { return pass(); }); });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), shared.pass.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters(1).pass.load());
    }

    void a_plugin_knows_its_surroundings() {
        world_.environment.resolve_path = [](std::string_view path) { return "/root/" + string(path); };
        bool is_made = false;
        world_.add("one", [&](Setup& setup) {
            CPPUNIT_ASSERT_EQUAL(string("mx.example.com"), setup.server_name());
            CPPUNIT_ASSERT_EQUAL(string("plain:one"), setup.instance());
            CPPUNIT_ASSERT_EQUAL(string("/root/x"), setup.path("x"));
            CPPUNIT_ASSERT(&setup.clock() == &world_.clock);
            LogLine line;
            line.text = "hello";
            setup.log().write(line);
            setup.server_log().write(line);
            setup.warning("only {}", "doubtful");
            is_made = true;
        });
        world_.build();
        CPPUNIT_ASSERT(is_made);
        CPPUNIT_ASSERT_EQUAL(string("hello\nhello\n"), world_.log.to_string());
        CPPUNIT_ASSERT_EQUAL(string("test.conf line 1: SmtpPlugin plain:one: only doubtful"),
                             world_.problems.at(0).to_string());
    }

    void child_start_runs_all_and_names_those_that_fail() {
        world_.build();
        world_.environment.plugin_dirs = {fakes::bad_plugin_dir()};
        Problems problems;
        const auto set = PluginSet::build(
            {line("child_start_throws:a"), line("overruns"), line("child_start_throws:b")}, world_.environment,
            problems);
        CPPUNIT_ASSERT(problems.empty());
        const auto started = set->child_start();
        CPPUNIT_ASSERT(!started);
        CPPUNIT_ASSERT_EQUAL(string("plugins that could not start: child_start_throws:a: thrown by child_start; "
                                    "child_start_throws:b: thrown by child_start"),
                             started.error().what);
        CPPUNIT_ASSERT_EQUAL(string("(post-fork) child_start_throws:a: plugin fault: thrown by child_start\n"
                                    "(post-fork) child_start_throws:b: plugin fault: thrown by child_start\n"),
                             world_.log.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), set->instances().at(2)->counters().fault.load());
        CPPUNIT_ASSERT(bool(PluginSet::build({line("overruns")}, world_.environment, problems)->child_start()));
    }

    void logging_plugins_get_the_lines_of_sessions() {
        std::vector<string> lines;
        world_.add("log", [&](Setup& setup) {
            setup.hooks.logging.add(LogLevel::info, [&](const LogLine& line) { lines.push_back(line.to_string()); });
        });
        world_.add_policy("p", "reject=no",
                          [](Setup& setup) { setup.hooks.rcpt.decide([](const RcptHook&) { return fail("x"); }); });
        world_.build();
        CPPUNIT_ASSERT(world_.rcpt().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("[session.1] (rcpt) policy:p: fail, tolerated: x"), fakes::joined(lines));
        CPPUNIT_ASSERT_EQUAL(string(), world_.log.to_string());
    }

    void control_lines_are_the_significant_ones() {
        world_.directory.write("me", "# name\n  mx.example.com  \n\nsecond\n");
        world_.directory.write("circle", "$include circle\n");
        world_.build();
        CPPUNIT_ASSERT_EQUAL(string("mx.example.com|second"), fakes::joined(world_.set->control_lines("me")));
        CPPUNIT_ASSERT_EQUAL(string(), fakes::joined(world_.set->control_lines("nothing")));
        CPPUNIT_ASSERT(bool(world_.set->child_start()));
        CPPUNIT_ASSERT_EQUAL(string(), fakes::joined(world_.set->control_lines("circle")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), world_.log.texts(LogLevel::warning).size());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PluginSetTest);

/// Each DSO of tests/bad_plugins: its effect, and the server is unharmed.
class BadPluginsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(BadPluginsTest);
    CPPUNIT_TEST(what_is_no_plugin_is_refused_before_it_is_used);
    CPPUNIT_TEST(a_dso_that_throws_while_it_is_loaded_is_named);
    CPPUNIT_TEST(names_stay_in_the_plugin_directory);
    CPPUNIT_TEST(paths_may_be_absolute);
    CPPUNIT_TEST(the_first_directory_wins);
    CPPUNIT_TEST(a_plugin_that_cannot_be_made_is_refused_with_its_reasons);
    CPPUNIT_TEST(handlers_that_throw_harm_nobody);
    CPPUNIT_TEST(a_throwing_ask_handler_is_cut_short);
    CPPUNIT_TEST(impossible_answers_are_contained);
    CPPUNIT_TEST(overruns_are_ended_or_counted);
    CPPUNIT_TEST(a_wish_for_an_hour_is_cut);
    CPPUNIT_TEST(a_late_registration_is_a_fault);
    CPPUNIT_TEST_SUITE_END();

public:
    void what_is_no_plugin_is_refused_before_it_is_used() {
        const struct {
            const char* plugin;
            string problem;
        } rows[] = {
            {"no_descriptor",
             in_bad_dir("no_descriptor.so is not a plugin of this server: it has no symbol smtpd_plugin")},
            {"wrong_magic",
             in_bad_dir("wrong_magic.so is not a plugin of this server: its descriptor has the wrong magic number")},
            {"wrong_version",
             in_bad_dir(format_text(
                 "wrong_version.so was built against plugin API version {}, and this server has version {}; build it "
                 "again with this server's headers",
                 api_version + 41, api_version))},
            {"note_conflict",
             in_bad_dir(
                 "note_conflict.so cannot be used: the note \"note_conflict.value\" already exists with another type")},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.plugin, string("SmtpPlugin ") + row.plugin + ": " + row.problem,
                                         problems_of(row.plugin));
        const string undefined = problems_of("undefined_symbol");
        CPPUNIT_ASSERT_MESSAGE(undefined, undefined.find("undefined_symbol.so cannot be loaded: ") != string::npos);
        CPPUNIT_ASSERT_MESSAGE(undefined, undefined.find("function_that_nobody_has") != string::npos);
        fakes::TempDirectory directory;
        directory.write("text.so", "this is text\n");
        const auto text = PluginDso::open("text", {directory.path()});
        CPPUNIT_ASSERT(!text);
        CPPUNIT_ASSERT_MESSAGE(text.error().what,
                               text.error().what.starts_with(directory.path("text.so") + " cannot be loaded: "));
        CPPUNIT_ASSERT(text.error().code == ErrorCode::config);
    }

    void a_dso_that_throws_while_it_is_loaded_is_named() {
        int ends[2];
        CPPUNIT_ASSERT_EQUAL(0, pipe(ends));
        const pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            const rlimit no_core{0, 0};
            setrlimit(RLIMIT_CORE, &no_core);
            static_cast<void>(PluginDso::open("static_throws", {fakes::bad_plugin_dir()}));
            _exit(0);
        }
        close(ends[1]);
        string output;
        char buffer[512];
        for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;)
            output.append(buffer, static_cast<std::size_t>(size));
        close(ends[0]);
        int status = 0;
        CPPUNIT_ASSERT_EQUAL(child, waitpid(child, &status, 0));
        CPPUNIT_ASSERT_MESSAGE(output, !WIFEXITED(status) || WEXITSTATUS(status) != 0);
        CPPUNIT_ASSERT_MESSAGE(output,
                               output.find("smtpd: an object at namespace scope of " + in_bad_dir("static_throws.so") +
                                           " threw an exception") != string::npos);
        CPPUNIT_ASSERT_MESSAGE(output, output.find("thrown while loading") != string::npos);
    }

    void names_stay_in_the_plugin_directory() {
        fakes::TempDirectory directory;
        std::filesystem::create_directories(directory.path("queue"));
        std::filesystem::copy_file(in_bad_dir("overruns.so"), directory.path("queue/x.so"));
        std::filesystem::create_directories(directory.path("sub"));
        const std::vector<string> dirs{directory.path("sub"), directory.path()};
        CPPUNIT_ASSERT(bool(PluginDso::open("queue/x", dirs)));
        CPPUNIT_ASSERT(bool(PluginDso::open("./queue/x", dirs)));
        CPPUNIT_ASSERT(bool(PluginDso::open("queue/x.so", dirs)));
        for (const char* name :
             {"../queue/x", "queue/../queue/x", "queue//x", "./../queue/x", "queue/./x", "", ".", "queue/"}) {
            const auto dso = PluginDso::open(name, dirs);
            CPPUNIT_ASSERT_MESSAGE(name, !dso);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                name, string("this is not the name of a plugin: it must not have an empty, \".\" or \"..\" part"),
                dso.error().what);
        }
        CPPUNIT_ASSERT_EQUAL(string("queue/x"), fakes::joined(plugin_names(dirs)));
        CPPUNIT_ASSERT_EQUAL("there is no such plugin in " + dirs[0] + ", " + dirs[1] + " (did you mean \"queue/x\"?)",
                             PluginDso::open("queue/y", dirs).error().what);
    }

    void paths_may_be_absolute() {
        CPPUNIT_ASSERT(bool(PluginDso::open(in_bad_dir("overruns.so"), {})));
        const auto dso = PluginDso::open(in_bad_dir("overruns"), {});
        CPPUNIT_ASSERT(bool(dso));
        CPPUNIT_ASSERT_EQUAL(string("overruns"), string((*dso)->descriptor().name));
        const auto missing = PluginDso::open("/nowhere/x", {});
        CPPUNIT_ASSERT(!missing);
        CPPUNIT_ASSERT_EQUAL(string("there is no file /nowhere/x.so"), missing.error().what);
        CPPUNIT_ASSERT(missing.error().code == ErrorCode::not_found);
    }

    void the_first_directory_wins() {
        fakes::TempDirectory first, second;
        std::filesystem::copy_file(in_bad_dir("overruns.so"), first.path("x.so"));
        std::filesystem::copy_file(in_bad_dir("asks_too_long.so"), second.path("x.so"));
        CPPUNIT_ASSERT_EQUAL(string("overruns"),
                             string((*PluginDso::open("x", {first.path(), second.path()}))->descriptor().name));
        CPPUNIT_ASSERT_EQUAL(string("asks_too_long"),
                             string((*PluginDso::open("x", {second.path(), first.path()}))->descriptor().name));
        CPPUNIT_ASSERT_EQUAL(string("asks_too_long"),
                             string((*PluginDso::open("x", {"/nowhere", second.path()}))->descriptor().name));
    }

    void a_plugin_that_cannot_be_made_is_refused_with_its_reasons() {
        const struct {
            const char* plugin;
            const char* problems;
        } rows[] = {
            {"constructor_throws", "SmtpPlugin constructor_throws: its constructor failed: thrown by the constructor"},
            {"constructor_throws_int",
             "SmtpPlugin constructor_throws_int: its constructor failed: an unknown exception type"},
            {"reports_errors",
             "SmtpPlugin reports_errors: the first of 2 mistakes\nSmtpPlugin reports_errors: something "
             "doubtful\nSmtpPlugin reports_errors: the second mistake"},
            {"options_throw", "SmtpPlugin options_throw: its option table failed: thrown by the option table"},
            {"makes_nothing", "SmtpPlugin makes_nothing: it created no plugin object"},
            {"wrong_registrations",
             "SmtpPlugin wrong_registrations: its handler of the hook mail returns findings, which only a PolicyPlugin "
             "may do"},
        };
        for (const auto& row : rows)
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.plugin, string(row.problems), problems_of(row.plugin));
    }

    void handlers_that_throw_harm_nobody() {
        for (const bool is_int : {false, true}) {
            fakes::PluginUnderTest plugin(is_int ? "throws_int" : "throws_exception");
            const auto expect = [&](Verdict verdict, const Response& response, const char* where) {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(where, string(verdict_name(verdict)),
                                             string(verdict_name(response.verdict)));
                if (verdict == Verdict::denysoft) {
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(where, 451, response.code);
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(where, string("4.3.0"), response.enhanced.to_string());
                }
                const string fault = is_int ? "an unknown exception type" : string("thrown at ") + where;
                CPPUNIT_ASSERT_MESSAGE(where + (": " + plugin.log().to_string()),
                                       plugin.log().contains("plugin fault: " + fault));
                plugin.log().clear();
            };
            expect(Verdict::declined, plugin.pre_connection(), "pre-connection, observing");
            expect(Verdict::denysoft, plugin.connect(), "connect");
            expect(Verdict::denysoft, plugin.mail("a@example.com"), "mail");
            expect(Verdict::denysoft, plugin.rcpt("b@example.com"), "rcpt");
            plugin.begin_streams();
            plugin.data_chunk("x");
            CPPUNIT_ASSERT(plugin.log().contains("plugin fault: its stream: "));
            plugin.log().clear();
            expect(Verdict::denysoft, plugin.data_post("a: b\r\n\r\nc\r\n"), "data_post");
            expect(Verdict::denysoft, plugin.queue(), "queue");
            expect(Verdict::declined, plugin.quit(), "quit");
            std::vector<string> values;
            expect(Verdict::declined, plugin.config("me", values), "config");
        }
    }

    void a_throwing_ask_handler_is_cut_short() {
        fakes::PluginUnderTest accepting("throws_exception", "ask");
        CPPUNIT_ASSERT(accepting.connect().verdict == Verdict::declined);
        CPPUNIT_ASSERT(accepting.log().contains("plugin fault: thrown at connect, asking"));
        fakes::PluginUnderTest deferring("throws_int", "ask onerror=tempfail");
        CPPUNIT_ASSERT(deferring.connect().verdict == Verdict::denysoft);
        CPPUNIT_ASSERT(deferring.waited_for().cut_short == std::vector<std::uint16_t>({0}));
    }

    void impossible_answers_are_contained() {
        fakes::PluginUnderTest plugin("impossible_verdict");
        CPPUNIT_ASSERT_EQUAL(451, plugin.rcpt("a@example.com").code);
        CPPUNIT_ASSERT_EQUAL(451, plugin.mail("a@example.com").code);
        CPPUNIT_ASSERT_EQUAL(451, plugin.data().code);
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(3), plugin.counters().fault.load());
        CPPUNIT_ASSERT_EQUAL(string("plugin fault: impossible verdict 77|plugin fault: impossible reply code 42|plugin "
                                    "fault: deny with the reply code "
                                    "250, which means the opposite"),
                             fakes::joined(plugin.log().texts(LogLevel::crit)));
    }

    void overruns_are_ended_or_counted() {
        fakes::PluginUnderTest waiting("overruns", "deadline=10ms onerror=tempfail");
        CPPUNIT_ASSERT_EQUAL(451, waiting.mail("a@example.com").code);
        CPPUNIT_ASSERT(waiting.log().contains("overrun: its deadline of 10ms passed while it waited"));
        CPPUNIT_ASSERT(waiting.log().contains("overruns: error: deadline passed"));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), waiting.counters().overrun.load());
    }

    void a_wish_for_an_hour_is_cut() {
        fakes::PluginUnderTest plugin("asks_too_long", "onerror=tempfail deadline=3s");
        CPPUNIT_ASSERT_EQUAL(451, plugin.connect().code);
        CPPUNIT_ASSERT(plugin.waited_for().silence == std::chrono::seconds(3));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), plugin.counters().overrun.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), plugin.counters().error.load());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(0), plugin.counters().fail.load());
    }

    void a_late_registration_is_a_fault() {
        fakes::PluginUnderTest plugin("registers_late");
        CPPUNIT_ASSERT_EQUAL(451, plugin.connect().code);
        CPPUNIT_ASSERT(plugin.log().contains("plugin fault: handlers can only be added in the plugin's constructor"));
        CPPUNIT_ASSERT(!plugin.plugins().has(HookId::mail));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(BadPluginsTest);
