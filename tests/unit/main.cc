/// main.cc: runs the registered CppUnit tests.
///
/// unit_tests [-v] [-l] [TEXT]...   runs the tests whose full name ("FixtureClass::method") contains one of the texts,
/// or all of them
///   -v   names each test as it begins
///   -l   lists the tests and runs none
///
/// A test that takes longer than ten minutes ends the program with the test's name, so that a hanging test does not
/// block all others.
///
/// The last line of output is "N passed, N failed". Exit status: 0 all passed; 1 a test failed; 2 nothing was selected
/// or the call was wrong.
#include <cppunit/Test.h>
#include <cppunit/TestFailure.h>
#include <cppunit/TestListener.h>
#include <cppunit/TestResult.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

#include <cppunit/Exception.h>
#include <cppunit/SourceLine.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
    bool verbose = false;
    bool list = false;
    std::vector<std::string_view> wanted;

    bool selects(std::string_view name) const {
        return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](std::string_view text) {
                   return name.find(text) != std::string_view::npos;
               });
    }
};

void collect(CppUnit::Test& test, const Arguments& arguments, std::vector<CppUnit::Test*>& selected) {
    if (test.getChildTestCount() > 0) {
        for (int i = 0; i < test.getChildTestCount(); ++i) collect(*test.getChildTestAt(i), arguments, selected);
    } else if (test.countTestCases() > 0 && arguments.selects(test.getName())) {
        selected.push_back(&test);
    }
}

/// The line about the current test, for the signal handler if the test hangs.
std::string hung;

extern "C" void tell_of_a_hang(int) { ::_exit(::write(STDOUT_FILENO, hung.data(), hung.size()) > 0 ? 1 : 3); }

/// Prints failures as they happen, and names slow tests.
class Reporter final : public CppUnit::TestListener {
public:
    explicit Reporter(bool verbose) : verbose_(verbose) {}

    void startTest(CppUnit::Test* test) override {
        if (verbose_) std::cout << test->getName() << std::endl;
        failed_ = false;
        began_ = Clock::now();
        hung = "HUNG " + test->getName() + "\n";
        ::alarm(600);  // a process that the test forks does not have it
    }

    void addFailure(const CppUnit::TestFailure& failure) override {
        failed_ = true;
        const auto line = failure.sourceLine();
        std::cout << "FAILED " << failure.failedTestName();
        if (line.isValid()) std::cout << " (" << line.fileName() << ':' << line.lineNumber() << ')';
        std::cout << '\n'
                  << failure.thrownException()->message().shortDescription() << '\n'
                  << failure.thrownException()->message().details() << std::endl;
    }

    void endTest(CppUnit::Test* test) override {
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
        if (took > std::chrono::seconds{5})
            std::cout << "slow: " << test->getName() << " took " << took.count() << " ms" << std::endl;
        failed_ ? ++failures_ : ++passes_;
    }

    int passes() const { return passes_; }
    int failures() const { return failures_; }

private:
    const bool verbose_;
    bool failed_ = false;
    Clock::time_point began_;
    int passes_ = 0;
    int failures_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    ::signal(SIGALRM, tell_of_a_hang);
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument{argv[i]};
        if (argument == "-v") {
            arguments.verbose = true;
        } else if (argument == "-l") {
            arguments.list = true;
        } else if (argument.starts_with('-')) {
            std::cerr << "usage: " << argv[0] << " [-v] [-l] [TEXT]...\n";
            return 2;
        } else {
            arguments.wanted.push_back(argument);
        }
    }

    const std::unique_ptr<CppUnit::Test> all{CppUnit::TestFactoryRegistry::getRegistry().makeTest()};
    std::vector<CppUnit::Test*> selected;
    collect(*all, arguments, selected);
    if (arguments.list) {
        for (const auto* test : selected) std::cout << test->getName() << '\n';
        return selected.empty() ? 2 : 0;
    }
    if (selected.empty()) {
        std::cerr << argv[0] << ": no such test\n";
        return 2;
    }

    CppUnit::TestResult result;
    Reporter reporter{arguments.verbose};
    result.addListener(&reporter);
    for (auto* test : selected) test->run(&result);
    std::cout << reporter.passes() << " passed, " << reporter.failures() << " failed" << std::endl;
    return reporter.failures() == 0 ? 0 : 1;
}
