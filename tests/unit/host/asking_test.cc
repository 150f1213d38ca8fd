/// asking_test.cc: how the host collects the DNS questions of plugins, round by round.
#include "engine/running_task.h"
#include "engine/server_access.h"
#include "fakes/plugin_world.h"
#include "support/work_pool.h"

#include <cppunit/extensions/HelperMacros.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace smtpd::host {
namespace {

using fakes::PluginWorld;
using std::string;

constexpr auto nothing_to_say = [](const ConnectHook&) { return declined(); };

class AskingTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AskingTest);
    CPPUNIT_TEST(questions_of_all_plugins_are_put_together);
    CPPUNIT_TEST(the_same_question_is_put_once);
    CPPUNIT_TEST(a_question_may_take_as_long_as_the_most_patient_asker);
    CPPUNIT_TEST(bad_names_are_answered_and_not_put);
    CPPUNIT_TEST(later_rounds_ask_what_depends_on_answers);
    CPPUNIT_TEST(what_is_known_is_not_put_again);
    CPPUNIT_TEST(who_asked_nothing_is_not_asked_again);
    CPPUNIT_TEST(who_has_its_answers_does_not_wait_for_those_of_others);
    CPPUNIT_TEST(rounds_have_an_end);
    CPPUNIT_TEST(questions_have_an_end);
    CPPUNIT_TEST(a_fault_in_a_later_round_cuts_short);
    CPPUNIT_TEST(times_of_a_later_round_count_too);
    CPPUNIT_TEST(a_naughty_client_causes_questions_but_no_reply);
    CPPUNIT_TEST(an_immune_client_causes_no_questions);
    CPPUNIT_TEST(tasks_are_collected_with_lane_and_limit);
    CPPUNIT_TEST(a_handler_is_asked_again_when_all_it_awaits_has_come);
    CPPUNIT_TEST(a_handler_reads_the_results_of_its_own_instance);
    CPPUNIT_TEST(a_task_that_throws_is_a_fault_of_the_plugin);
    CPPUNIT_TEST(a_plugin_that_has_tasks_says_so);
    CPPUNIT_TEST_SUITE_END();

public:
    void questions_of_all_plugins_are_put_together() {
        add("one", [](Questions& questions) {
            questions.a("a.example");
            questions.aaaa("a.example");
        });
        add("two", [](Questions& questions) {
            questions.mx("Example.COM.");
            questions.txt("t.example");
            questions.cname("c.example");
            questions.ns("n.example");
            questions.ptr(*IpAddress::parse("192.0.2.1"));
        });
        CPPUNIT_ASSERT_EQUAL(string("a.example A|a.example AAAA|example.com MX|t.example TXT|c.example CNAME|n.example "
                                    "NS|1.2.0.192.in-addr.arpa PTR"),
                             ask());
        CPPUNIT_ASSERT(wait_.needed());
    }

    void the_same_question_is_put_once() {
        add("one", [](Questions& questions) {
            questions.a("a.example");
            questions.a("A.EXAMPLE.");
        });
        add("two", [](Questions& questions) { questions.a("a.example"); });
        CPPUNIT_ASSERT_EQUAL(string("a.example A"), ask());
    }

    void a_question_may_take_as_long_as_the_most_patient_asker() {
        add(
            "one",
            [](Questions& questions) {
                questions.a("a.example");
                questions.a("b.example");
            },
            "deadline=5s");
        add(
            "two", [](Questions& questions) { questions.a("a.example"); }, "deadline=30s");
        ask();
        CPPUNIT_ASSERT(wait_.questions.at(0).limit == std::chrono::seconds(30));
        CPPUNIT_ASSERT(wait_.questions.at(1).limit == std::chrono::seconds(5));
    }

    void bad_names_are_answered_and_not_put() {
        DnsStatus seen{};
        add("one", [&](Questions& questions) {
            seen = questions.a("a..b").status();
            questions.mx("");
            questions.ptr(IpAddress());
        });
        CPPUNIT_ASSERT_EQUAL(string(), ask());
        CPPUNIT_ASSERT(seen == DnsStatus::bad_name);
        CPPUNIT_ASSERT(!wait_.needed());
    }

    void later_rounds_ask_what_depends_on_answers() {
        add("one", [](Questions& questions) {
            for (const auto& exchanger : questions.mx("example").exchangers())
                if (const auto& found = questions.a(exchanger.name); found.found())
                    questions.ptr(found.addresses().front());
        });
        CPPUNIT_ASSERT_EQUAL(string("example MX"), ask());
        DnsRecords exchangers;
        exchangers.exchangers = {{1, "mx.example"}};
        CPPUNIT_ASSERT_EQUAL(string("mx.example A"), answer_and_ask(DnsStatus::found, exchangers));
        DnsRecords addresses;
        addresses.addresses = {*IpAddress::parse("192.0.2.1")};
        CPPUNIT_ASSERT_EQUAL(string("1.2.0.192.in-addr.arpa PTR"), answer_and_ask(DnsStatus::found, addresses));
        CPPUNIT_ASSERT_EQUAL(string(), answer_and_ask(DnsStatus::no_such_name));
        CPPUNIT_ASSERT_EQUAL(4U, wait_.rounds);
    }

    void what_is_known_is_not_put_again() {
        add("one", [](Questions& questions) { questions.a("a.example"); });
        add("two", [](Questions& questions) {
            if (questions.a("b.example").is_absent()) questions.a("a.example");
        });
        CPPUNIT_ASSERT_EQUAL(string("a.example A|b.example A"), ask());
        CPPUNIT_ASSERT_EQUAL(string(), answer_and_ask(DnsStatus::no_such_name));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), wait_.questions_in_all);
    }

    void who_asked_nothing_is_not_asked_again() {
        int asked = 0;
        int silent = 0;
        add("one", [&](Questions& questions) {
            ++asked;
            questions.a("a.example");
        });
        add("two", [&](Questions& questions) {
            ++silent;
            questions.silence(Duration(5));
        });
        ask();
        answer_and_ask(DnsStatus::no_data);
        CPPUNIT_ASSERT_EQUAL(2, asked);
        CPPUNIT_ASSERT_EQUAL(1, silent);
        CPPUNIT_ASSERT(wait_.silence == Duration(5));
    }

    void who_has_its_answers_does_not_wait_for_those_of_others() {
        int slow = 0;
        add("slow", [&](Questions& questions) {
            ++slow;
            questions.a("s.example");
            questions.a("t.example");
        });
        add("both", [](Questions& questions) {
            if (questions.a("s.example").is_absent() && questions.a("q.example").is_absent())
                questions.a("end.example");
        });
        add("quick", [](Questions& questions) {
            if (questions.a("q.example").is_absent()) {
                questions.a("r.example");
                questions.a("s.example");
            }
        });
        CPPUNIT_ASSERT_EQUAL(string("s.example A|t.example A|q.example A"), ask());
        CPPUNIT_ASSERT(wait_.batch_sizes == (std::vector<std::size_t>{2, 1}));
        CPPUNIT_ASSERT_EQUAL(string("r.example A"), deny_and_ask("q.example"));  // s.example is on its way
        CPPUNIT_ASSERT_EQUAL(1, slow);
        CPPUNIT_ASSERT_EQUAL(string("end.example A"), deny_and_ask("s.example"));
        CPPUNIT_ASSERT_EQUAL(1, slow);
        CPPUNIT_ASSERT_EQUAL(string(), deny_and_ask("t.example"));
        CPPUNIT_ASSERT_EQUAL(2, slow);
    }

    void rounds_have_an_end() {
        int asked = 0;
        add("one", [&](Questions& questions) {
            ++asked;
            for (int i = 0; i < asked; ++i) questions.a(std::to_string(i) + ".example");
        });
        ask();
        int rounds = 1;
        for (; !wait_.questions.empty(); ++rounds) answer_and_ask(DnsStatus::no_data);
        CPPUNIT_ASSERT_EQUAL(static_cast<int>(Dispatcher::max_rounds) + 1, rounds);
        CPPUNIT_ASSERT_EQUAL(std::size_t(Dispatcher::max_rounds), wait_.questions_in_all);
        CPPUNIT_ASSERT_EQUAL(
            string("(connect) plain:one: overrun: 1 questions not asked after 20 rounds and 20 questions\n"),
            world_.log.to_string());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().overrun.load());
    }

    void questions_have_an_end() {
        add("one", [](Questions& questions) {
            for (int i = 0; i < 1000; ++i) questions.a(std::to_string(i) + ".example");
        });
        ask();
        CPPUNIT_ASSERT_EQUAL(Dispatcher::max_questions, wait_.questions.size());
        CPPUNIT_ASSERT_EQUAL(
            string("(connect) plain:one: overrun: 600 questions not asked after 0 rounds and 400 questions\n"),
            world_.log.to_string());
        answer_and_ask(DnsStatus::no_data);
        CPPUNIT_ASSERT(wait_.questions.empty());
    }

    void a_fault_in_a_later_round_cuts_short() {
        add("one", [](Questions& questions) {
            if (questions.a("a.example").is_absent()) throw std::runtime_error("second thoughts");
        });
        ask();
        CPPUNIT_ASSERT(wait_.cut_short.empty());
        answer_and_ask(DnsStatus::no_data);
        CPPUNIT_ASSERT(wait_.cut_short == std::vector<std::uint16_t>({0}));
        CPPUNIT_ASSERT(world_.log.contains("plain:one: plugin fault: second thoughts"));
        CPPUNIT_ASSERT(world_.connect(wait_).verdict == Verdict::denysoft);
    }

    void times_of_a_later_round_count_too() {
        add("one", [](Questions& questions) {
            if (questions.a("a.example").found()) questions.delay(std::chrono::seconds(3));
        });
        ask();
        CPPUNIT_ASSERT(wait_.delay == Duration(0));
        answer_and_ask(DnsStatus::found);
        CPPUNIT_ASSERT(wait_.delay == std::chrono::seconds(3));
    }

    /// Plugins keep judging a client that will be refused; it does not concern the client that a plugin cannot wait as
    /// long as it wants to.
    void a_naughty_client_causes_questions_but_no_reply() {
        world_.add_policy("one", {}, [](Setup& setup) {
            setup.hooks.connect.ask([](const ConnectHook&, Questions& questions) { questions.a("a.example"); })
                .decide([](const ConnectHook&) { return fail("listed"); });
        });
        world_.add_policy("two", "deadline=1s onerror=tempfail", [](Setup& setup) {
            setup.hooks.connect
                .ask([](const ConnectHook&, Questions& questions) { questions.delay(std::chrono::seconds(2)); })
                .decide([](const ConnectHook&) { return pass(); });
        });
        world_.build();
        world_.connection->complain({.plugin = "dnsbl", .text = "listed"});
        is_built_ = true;
        CPPUNIT_ASSERT_EQUAL(string("a.example A"), ask());
        CPPUNIT_ASSERT(world_.connect(wait_).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), world_.connection->complaints().size());
        CPPUNIT_ASSERT_EQUAL(string("error: it could not wait for its answers"), world_.log.lines().back().text);
    }

    void an_immune_client_causes_no_questions() {
        world_.add_policy("one", {}, [](Setup& setup) {
            setup.hooks.connect.ask([](const ConnectHook&, Questions& questions) { questions.a("a.example"); })
                .decide([](const ConnectHook&) { return pass(); });
        });
        world_.build();
        world_.connection->set_relay_client(true);
        is_built_ = true;
        CPPUNIT_ASSERT_EQUAL(string(), ask());
    }

    void tasks_are_collected_with_lane_and_limit() {
        add_with_tasks("one", [](Questions& questions) {
            questions.timeout(Duration(300));
            questions.task("a", [](const TaskContext&) { return 1; });
            questions.task("a", [](const TaskContext&) { return 2; });
            questions.task("b", [](const TaskContext&) { return string("x"); });
        });
        add_with_tasks(
            "two", [](Questions& questions) { questions.task("a", [](const TaskContext&) {}); },
            "deadline=5s concurrency=3");
        ask();
        CPPUNIT_ASSERT(wait_.needed());
        CPPUNIT_ASSERT_EQUAL(string("tasks:one a 300|tasks:one b 300|tasks:two a 5000"), tasks());
    }

    void a_handler_is_asked_again_when_all_it_awaits_has_come() {
        add_with_tasks("one", [this](Questions& questions) {
            ++asked_;
            questions.a("a.example");
            const Result<int>* const first = questions.task("first", [](const TaskContext&) { return 1; });
            if (first && *first) questions.task("second", [value = **first](const TaskContext&) { return value + 1; });
        });
        ask();
        run_tasks();
        CPPUNIT_ASSERT_EQUAL(string(), ask());  // its question is open
        CPPUNIT_ASSERT_EQUAL(1, asked_);
        CPPUNIT_ASSERT_EQUAL(string(), deny_and_ask("a.example"));
        CPPUNIT_ASSERT_EQUAL(2, asked_);
        CPPUNIT_ASSERT_EQUAL(string("tasks:one second 60000"), tasks());
        run_tasks();
        ask();
        CPPUNIT_ASSERT_EQUAL(3, asked_);
        CPPUNIT_ASSERT(wait_.tasks.empty());
    }

    void a_handler_reads_the_results_of_its_own_instance() {
        for (const int number : {1, 2})
            world_.add_with_tasks("t" + std::to_string(number), [this, number](Setup& setup) {
                setup.hooks.connect
                    .ask([number](const ConnectHook&, Questions& questions) {
                        questions.task("key", [number](const TaskContext&) { return number; });
                    })
                    .add([this](const ConnectHook&, const Answers& answers) {
                        seen_ += std::to_string(*answers.task<int>("key"));
                        return declined();
                    });
            });
        ask();
        run_tasks();
        ConnectionContext hook(HookId::connect, *world_.connection);
        ServerAccess::set_answers(hook, Answers(false, Duration(0), answers_, results_));
        static_cast<void>(world_.set->run_through(hook));
        CPPUNIT_ASSERT_EQUAL(string("12"), seen_);
    }

    void a_task_that_throws_is_a_fault_of_the_plugin() {
        add_with_tasks("one", [](Questions& questions) {
            questions.task("key", [](const TaskContext&) { throw std::runtime_error("broken"); });
        });
        ask();
        run_tasks();
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().fault.load());
        CPPUNIT_ASSERT_EQUAL(string("(connect) tasks:one: plugin fault: its task key: broken\n"),
                             world_.log.to_string());
        CPPUNIT_ASSERT(world_.log.lines()[0].level == LogLevel::crit);
    }

    void a_plugin_that_has_tasks_says_so() {
        add("one", [](Questions& questions) { questions.task("key", [](const TaskContext&) {}); });
        ask();
        CPPUNIT_ASSERT(wait_.tasks.empty());
        CPPUNIT_ASSERT_EQUAL(std::uint64_t(1), world_.counters().fault.load());
        CPPUNIT_ASSERT(world_.log.to_string().find("does not declare runs_tasks") != string::npos);
    }

private:
    void add_with_tasks(const string& label, std::function<void(Questions&)> asker, std::string_view options = {}) {
        world_.add_with_tasks(
            label,
            [asker](Setup& setup) {
                setup.hooks.connect.ask([asker](const ConnectHook&, Questions& questions) { asker(questions); })
                    .add(nothing_to_say);
            },
            options);
    }

    /// "instance key milliseconds" of the tasks to begin.
    string tasks() const {
        std::vector<string> texts;
        for (const auto& task : wait_.tasks)
            texts.push_back(format_text("{} {} {}", task.lane->name(), task.name.key, task.limit.count()));
        return fakes::joined(texts);
    }

    void run_tasks() {
        for (auto& task : wait_.tasks) {
            engine::RunningTask running(std::move(task.work), world_.clock.now() + task.limit, world_.clock);
            running.run();
            results_->add(task.name.instance, task.name.key, running.result());
        }
        wait_.tasks.clear();
    }

    void add(const string& label, std::function<void(Questions&)> asker, std::string_view options = {}) {
        world_.add(
            label,
            [asker](Setup& setup) {
                setup.hooks.connect.ask([asker](const ConnectHook&, Questions& questions) { asker(questions); })
                    .add(nothing_to_say);
            },
            options);
    }

    /// One round; returns the questions.
    string ask() {
        if (!is_built_) world_.build();
        is_built_ = true;
        wait_.questions.clear();
        wait_.tasks.clear();
        ConnectionContext hook(HookId::connect, *world_.connection);
        ServerAccess::set_answers(hook, Answers(false, Duration(0), answers_, results_));
        world_.set->ask(hook, wait_);
        std::vector<string> texts;
        for (const auto& question : wait_.questions) texts.push_back(question.question.to_string());
        return fakes::joined(texts);
    }

    /// Gives all questions the same answer, and asks again.
    string answer_and_ask(DnsStatus status, const DnsRecords& records = {}) {
        for (const auto& question : wait_.questions)
            answers_->add(question.question, DnsAnswer(status, {}, std::make_shared<DnsRecords>(records)));
        return ask();
    }

    /// The same with an answer to only that question.
    string deny_and_ask(std::string_view name) {
        answers_->add(*DnsQuestion::make(DnsType::a, name), DnsAnswer(DnsStatus::no_data));
        return ask();
    }

    PluginWorld world_;
    bool is_built_ = false;
    engine::Wait wait_;
    std::shared_ptr<DnsAnswers> answers_ = std::make_shared<DnsAnswers>();
    std::shared_ptr<TaskResults> results_ = std::make_shared<TaskResults>();
    int asked_ = 0;
    string seen_;
};
CPPUNIT_TEST_SUITE_REGISTRATION(AskingTest);

}  // namespace
}  // namespace smtpd::host
