/// logging_test.cc: the logging plugins: file, syslog, warn, apache.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"
#include "fakes/standard_error.h"
#include "support/log_queues.h"
#include "support/reaper.h"

#include <smtpd/base/files.h>

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
namespace fs = std::filesystem;

LogLine line(LogLevel level, std::string_view text, std::string_view session = "k3f9a2") {
    LogLine made;
    made.level = level;
    made.session = session;
    made.hook = "rcpt";
    made.plugin = "badrcptto";
    made.text = text;
    return made;
}

std::string content(const std::string& path) {
    const auto read = read_file(path, 1 << 20);
    return read ? *read : "(" + read.error().what + ")";
}

std::string process() { return std::to_string(getpid()); }

std::string host() {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    return name;
}

/// A plugin whose lines go through a queue, in a serving process; when write_log() returns, its lines have been
/// written.
class QueueingPlugin : public PluginUnderTest {
public:
    explicit QueueingPlugin(std::string_view name, std::string_view options = {}) : PluginUnderTest(name, options) {
        CPPUNIT_ASSERT(child_start());
    }
    void write_log(const LogLine& line) {
        PluginUnderTest::write_log(line);
        CPPUNIT_ASSERT(support::settle_log_queues(std::chrono::seconds(20)));
    }
};

class LogToFileTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogToFileTest);
    CPPUNIT_TEST(lines_have_time_host_and_process);
    CPPUNIT_TEST(lines_above_the_level_are_left_out);
    CPPUNIT_TEST(the_name_follows_the_time);
    CPPUNIT_TEST(nosplit_keeps_a_session_together);
    CPPUNIT_TEST(each_session_may_have_a_file);
    CPPUNIT_TEST(reopen_notices_that_the_file_was_moved);
    CPPUNIT_TEST(lines_of_a_file_that_cannot_be_opened_go_to_the_server);
    CPPUNIT_TEST(a_command_gets_the_lines);
    CPPUNIT_TEST(a_command_that_ended_is_started_again);
    CPPUNIT_TEST(a_command_that_does_not_read_is_not_waited_for);
    CPPUNIT_TEST(a_command_that_closes_its_input_leaves_no_zombie);
    CPPUNIT_TEST(a_named_pipe_may_be_read_late_and_again);
    CPPUNIT_TEST(threads_do_not_mix_their_lines);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;

    /// Waits until the file has that many lines, since a command takes its time.
    static std::string content_with_lines(const std::string& path, int lines) {
        for (int i = 0; i < 500; ++i) {
            const auto text = content(path);
            if (std::count(text.begin(), text.end(), '\n') >= lines) return text;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return content(path);
    }

public:
    void setUp() override { signal(SIGPIPE, SIG_IGN); }  // as httpd does
    void tearDown() override { signal(SIGPIPE, SIG_DFL); }

    void lines_have_time_host_and_process() {
        QueueingPlugin plugin("logging/file", "log");
        plugin.write_log(line(LogLevel::warning, "fail: x"));
        const std::string rest = " " + host() + "[" + process() + "]: [k3f9a2] (rcpt) badrcptto: fail: x\n";
        CPPUNIT_ASSERT_EQUAL(local_time("%a %b %e %H:%M:%S %Y", plugin.clock().wall()) + rest,
                             content(plugin.directory().path("log")));

        QueueingPlugin stamped("logging/file", "tsformat=\"%Y-%m-%d at %H\" log");
        stamped.write_log(line(LogLevel::warning, "fail: x"));
        CPPUNIT_ASSERT_EQUAL(local_time("%Y-%m-%d at %H", stamped.clock().wall()) + rest,
                             content(stamped.directory().path("log")));
    }

    void lines_above_the_level_are_left_out() {
        const struct {
            const char* options;
            int lines;
        } rows[] = {{"log", 5},
                    {"loglevel=notice log", 6},
                    {"loglevel LOGDEBUG log", 8},
                    {"loglevel 0 log", 1},
                    {"loglevel=trace log", 9}};
        for (const auto& row : rows) {
            QueueingPlugin plugin("logging/file", row.options);
            for (int level = 0; level <= 8; ++level) plugin.write_log(line(static_cast<LogLevel>(level), "x"));
            const auto text = content(plugin.directory().path("log"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, std::ptrdiff_t(row.lines),
                                         std::count(text.begin(), text.end(), '\n'));
        }
    }

    void the_name_follows_the_time() {
        QueueingPlugin plugin("logging/file", "logs/%Y-%m/%d-%H%M");
        const auto path = [&] {
            return plugin.directory().path(local_time("logs/%Y-%m/%d-%H%M", plugin.clock().wall()));
        };
        plugin.write_log(line(LogLevel::error, "one"));
        const std::string first = path();
        plugin.clock().advance(std::chrono::hours(24 * 40));
        plugin.write_log(line(LogLevel::error, "two"));
        CPPUNIT_ASSERT(first != path());
        CPPUNIT_ASSERT(content(first).ends_with("one\n"));
        CPPUNIT_ASSERT(content(path()).ends_with("two\n"));
        struct stat about {};
        CPPUNIT_ASSERT_EQUAL(0, stat(first.c_str(), &about));
        CPPUNIT_ASSERT_EQUAL(0U, about.st_mode & 0137U);
    }

    void nosplit_keeps_a_session_together() {
        QueueingPlugin plugin("logging/file", "nosplit %H%M");
        const auto path = [&] { return plugin.directory().path(local_time("%H%M", plugin.clock().wall())); };
        (void)plugin.pre_connection();  // of the session "session"
        plugin.write_log(line(LogLevel::error, "begins", "session"));
        const std::string first = path();
        plugin.clock().advance(std::chrono::minutes(1));
        plugin.write_log(line(LogLevel::error, "goes on", "session"));
        plugin.write_log(line(LogLevel::error, "other", "other"));
        (void)plugin.post_connection();
        plugin.write_log(line(LogLevel::error, "is over", "session"));
        CPPUNIT_ASSERT(content(first).find("begins") != std::string::npos && content(first).ends_with("goes on\n"));
        CPPUNIT_ASSERT(content(path()).find("other") != std::string::npos && content(path()).ends_with("is over\n"));

        QueueingPlugin split("logging/file", "%H%M");
        (void)split.pre_connection();
        split.clock().advance(std::chrono::minutes(1));
        split.write_log(line(LogLevel::error, "goes on", "session"));
        CPPUNIT_ASSERT(
            content(split.directory().path(local_time("%H%M", split.clock().wall()))).ends_with("goes on\n"));
    }

    void each_session_may_have_a_file() {
        QueueingPlugin plugin("logging/file", "sessions/%i-%%i-%Y");
        for (int i = 0; i < 150; ++i) plugin.write_log(line(LogLevel::error, "x", "s" + std::to_string(i)));
        plugin.write_log(line(LogLevel::error, "again", "s0"));
        plugin.write_log(line(LogLevel::error, "no session", ""));
        CPPUNIT_ASSERT(content(plugin.directory().path("sessions/s149-%i-2026")).ends_with("x\n"));
        CPPUNIT_ASSERT(content(plugin.directory().path("sessions/s0-%i-2026")).ends_with("again\n"));
        CPPUNIT_ASSERT(content(plugin.directory().path("sessions/server-%i-2026")).ends_with("no session\n"));
        const auto open_files = std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
        CPPUNIT_ASSERT(open_files < 150);
    }

    void reopen_notices_that_the_file_was_moved() {
        for (const bool reopens : {false, true}) {
            QueueingPlugin plugin("logging/file", reopens ? "reopen log" : "log");
            const std::string path = plugin.directory().path("log"), moved = plugin.directory().path("log.1");
            plugin.write_log(line(LogLevel::error, "one"));
            fs::rename(path, moved);
            plugin.write_log(line(LogLevel::error, "two"));
            (void)plugin.pre_connection();
            plugin.write_log(line(LogLevel::error, "three"));
            CPPUNIT_ASSERT(content(moved).ends_with(reopens ? "two\n" : "three\n"));
            CPPUNIT_ASSERT_EQUAL(reopens, fs::exists(path));
        }
    }

    void lines_of_a_file_that_cannot_be_opened_go_to_the_server() {
        QueueingPlugin plugin("logging/file", "loglevel=info blocked/log");
        plugin.directory().write("blocked", "a file");
        plugin.write_log(line(LogLevel::info, "kept"));
        CPPUNIT_ASSERT(plugin.log().contains("badrcptto: kept"));

        QueueingPlugin full("logging/file", "loglevel=info /dev/full");
        full.write_log(line(LogLevel::info, "kept"));
        CPPUNIT_ASSERT(full.log().contains("badrcptto: kept"));

        QueueingPlugin good("logging/file", "loglevel=info log");
        good.write_log(line(LogLevel::info, "kept"));
        CPPUNIT_ASSERT(!good.log().contains("kept"));
    }

    void a_command_gets_the_lines() {
        fakes::TempDirectory directory;
        const std::string path = directory.path("out");
        {
            QueueingPlugin plugin("logging/file", "loglevel info | sed s/^/got./ \">" + path + "\"");
            plugin.write_log(line(LogLevel::info, "one"));
            plugin.write_log(line(LogLevel::info, "two; $(echo no)"));
        }
        const auto text = content_with_lines(path, 2);
        CPPUNIT_ASSERT_MESSAGE(text,
                               text.starts_with("got.") && text.find("badrcptto: one\ngot.") != std::string::npos);
        CPPUNIT_ASSERT_MESSAGE(text, text.ends_with("badrcptto: two; $(echo no)\n"));
    }

    void a_command_that_ended_is_started_again() {
        fakes::TempDirectory directory;
        const std::string path = directory.path("out");
        QueueingPlugin plugin("logging/file", "loglevel=info \"|head -n 1 >>" + path + "\"");
        plugin.write_log(line(LogLevel::error, "one"));
        CPPUNIT_ASSERT(content_with_lines(path, 1).ends_with("one\n"));
        // Whether the end is seen at this line or the next depends on when the pipe is closed. It is started anew a
        // second after it was.
        for (int i = 0; i < 500 && content_with_lines(path, 0).find("two") == std::string::npos; ++i) {
            plugin.write_log(line(LogLevel::info, "two"));
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        CPPUNIT_ASSERT(content_with_lines(path, 2).ends_with("two\n"));
        CPPUNIT_ASSERT(plugin.log().contains("two"));  // those of the time between
    }

    /// The reader begins late; lines without room are counted.
    void a_command_that_does_not_read_is_not_waited_for() {
        const std::string path = directory_.path("out");
        PluginUnderTest plugin("logging/file", "loglevel=info queue=64k \"|sleep 0.7; exec cat >" + path + "\"");
        CPPUNIT_ASSERT(plugin.child_start());
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < 300; ++i) plugin.write_log(line(LogLevel::info, std::string(1000, 'x')));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::milliseconds(600));
        const auto stalls = plugin.log().count("SMTPD0070");  // more than one where the pipe fills slowly
        CPPUNIT_ASSERT(stalls >= 1);
        CPPUNIT_ASSERT(support::settle_log_queues(std::chrono::seconds(20)));
        CPPUNIT_ASSERT_EQUAL(stalls, plugin.log().count("SMTPD0071"));
        const auto text = content_with_lines(path, 50);
        CPPUNIT_ASSERT(text.find("logging/file: ") != std::string::npos &&
                       text.find(" dropped\n") != std::string::npos);
        CPPUNIT_ASSERT(!plugin.log().contains("xxx"));
    }

    void a_command_that_closes_its_input_leaves_no_zombie() {
        {
            QueueingPlugin plugin("logging/file", "loglevel=info \"|exec 0<&-; sleep 0.3\"");
            for (int i = 0; i < 500 && support::reaper().size() == 0; ++i) {
                plugin.write_log(line(LogLevel::info, "x"));
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
            CPPUNIT_ASSERT(support::reaper().size() > 0);  // it has let go of the command
        }
        for (int i = 0; i < 500 && support::reaper().size() > 0; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        siginfo_t about{};
        CPPUNIT_ASSERT(::waitid(P_ALL, 0, &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid == 0);
    }

    void a_named_pipe_may_be_read_late_and_again() {
        const std::string path = directory_.path("pipe");
        CPPUNIT_ASSERT_EQUAL(0, mkfifo(path.c_str(), 0600));
        PluginUnderTest plugin("logging/file", "loglevel=info " + path);
        CPPUNIT_ASSERT(plugin.child_start());
        for (const std::string text : {"one", "two"}) {
            plugin.write_log(line(LogLevel::info, text));
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            const FileDescriptor reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
            char buffer[256];
            const auto size = ::read(reader.get(), buffer, sizeof buffer);
            CPPUNIT_ASSERT(size > 0);
            CPPUNIT_ASSERT(std::string_view(buffer, static_cast<std::size_t>(size)).ends_with(": " + text + "\n"));
        }
        CPPUNIT_ASSERT(support::settle_log_queues(std::chrono::seconds(20)));
        CPPUNIT_ASSERT(plugin.log().lines().empty());
    }

    void threads_do_not_mix_their_lines() {
        QueueingPlugin plugin("logging/file", "log");
        std::vector<std::thread> threads;
        for (char c = 'a'; c < 'e'; ++c)
            threads.emplace_back([&plugin, c] {
                for (int i = 0; i < 200; ++i)
                    plugin.PluginUnderTest::write_log(line(LogLevel::error, std::string(200, c)));
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT(support::settle_log_queues(std::chrono::seconds(20)));
        std::istringstream text(content(plugin.directory().path("log")));
        std::map<std::string, int> lines;
        for (std::string one; std::getline(text, one);) ++lines[one.substr(one.find("badrcptto"))];
        CPPUNIT_ASSERT_EQUAL(std::size_t(4), lines.size());
        for (const auto& [one, count] : lines) CPPUNIT_ASSERT_EQUAL_MESSAGE(one, 200, count);
    }

    void mistakes_are_found_at_configtest() {
        for (const char* options : {"", "loglevel=loud log", "nosplit \"|cat\"", "reopen=1 \"|cat\"", "queue=15k log",
                                    "queue=2g log", "queue=none log"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("logging/file", options).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LogToFileTest);

/// A log daemon: a datagram socket in a directory.
class Daemon {
public:
    explicit Daemon(const std::string& path)
        : path_(path), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
        if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("cannot bind " + path);
    }
    ~Daemon() { unlink(path_.c_str()); }

    /// The next datagram, "" if there is none.
    std::string next() {
        char buffer[4096];
        const auto size = recv(socket_.get(), buffer, sizeof buffer, 0);
        return size < 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(size));
    }

private:
    std::string path_;
    FileDescriptor socket_;
};

class LogToSyslogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogToSyslogTest);
    CPPUNIT_TEST(lines_have_the_form_of_syslog);
    CPPUNIT_TEST(levels_become_priorities);
    CPPUNIT_TEST(facility_and_ident_are_options);
    CPPUNIT_TEST(a_daemon_that_was_restarted_is_found_again);
    CPPUNIT_TEST(the_ways_are_tried_in_order);
    CPPUNIT_TEST(without_a_daemon_lines_go_to_the_server);
    CPPUNIT_TEST(long_lines_are_cut);
    CPPUNIT_TEST(a_daemon_that_does_not_read_is_not_waited_for);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;
    std::string path_ = directory_.path("log");

public:
    void lines_have_the_form_of_syslog() {
        Daemon daemon(path_);
        QueueingPlugin plugin("logging/syslog", "logsock=" + path_);
        plugin.write_log(line(LogLevel::warning, "fail: x"));
        const std::string time = local_time("Nov %e %H:%M:%S", plugin.clock().wall());
        CPPUNIT_ASSERT_EQUAL("<20>" + time + " smtpd[" + process() + "]: [k3f9a2] (rcpt) badrcptto: fail: x",
                             daemon.next());
        plugin.write_log(line(LogLevel::notice, "less important"));
        CPPUNIT_ASSERT_EQUAL(std::string(), daemon.next());
    }

    void levels_become_priorities() {
        Daemon daemon(path_);
        QueueingPlugin plugin("logging/syslog", "loglevel=trace facility=user logsock=" + path_);
        for (int level = 0; level <= 8; ++level) {
            plugin.write_log(line(static_cast<LogLevel>(level), "x"));
            const std::string priority = "<" + std::to_string(8 + std::min(level, 7)) + ">";
            CPPUNIT_ASSERT_EQUAL(priority, daemon.next().substr(0, priority.size()));
        }
        QueueingPlugin fixed("logging/syslog",
                             "loglevel LOGDEBUG priority LOG_NOTICE facility LOG_USER logsock " + path_);
        for (const auto level : {LogLevel::emerg, LogLevel::debug}) {
            fixed.write_log(line(level, "x"));
            CPPUNIT_ASSERT_EQUAL(std::string("<13>"), daemon.next().substr(0, 4));
        }
    }

    void facility_and_ident_are_options() {
        const struct {
            const char* facility;
            const char* start;
        } rows[] = {{"kern", "<4>"},      {"mail", "<20>"},    {"LOG_DAEMON", "<28>"},
                    {"authpriv", "<84>"}, {"local0", "<132>"}, {"LOG_LOCAL7", "<188>"}};
        Daemon daemon(path_);
        for (const auto& row : rows) {
            QueueingPlugin plugin("logging/syslog",
                                  "ident=mx1 facility=" + std::string(row.facility) + " logsock=" + path_);
            plugin.write_log(line(LogLevel::warning, "x"));
            const auto datagram = daemon.next();
            CPPUNIT_ASSERT_MESSAGE(datagram,
                                   datagram.starts_with(row.start) && datagram.find(" mx1[") != std::string::npos);
        }
    }

    void a_daemon_that_was_restarted_is_found_again() {
        QueueingPlugin plugin("logging/syslog", "logsock=" + path_);
        for (const char* text : {"before", "after"}) {
            Daemon daemon(path_);
            plugin.write_log(line(LogLevel::warning, text));
            CPPUNIT_ASSERT(daemon.next().ends_with(text));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("after"), plugin.log().last());  // a warning goes to the server's log anyway
    }

    void the_ways_are_tried_in_order() {
        const std::string second = directory_.path("second");
        Daemon daemon(second);
        for (const auto& ways : {"logsock=" + path_ + "," + second, "logsock=" + path_ + " logsock=" + second}) {
            QueueingPlugin plugin("logging/syslog", ways);
            plugin.write_log(line(LogLevel::warning, "x"));
            CPPUNIT_ASSERT(daemon.next().ends_with("x"));
        }
    }

    void without_a_daemon_lines_go_to_the_server() {
        QueueingPlugin plugin("logging/syslog", "loglevel=info logsock=" + path_);
        plugin.write_log(line(LogLevel::info, "kept"));
        CPPUNIT_ASSERT(plugin.log().contains("kept"));
        Daemon daemon(path_);
        plugin.write_log(line(LogLevel::info, "sent"));
        CPPUNIT_ASSERT(daemon.next().ends_with("sent"));
        CPPUNIT_ASSERT(!plugin.log().contains("sent"));
    }

    void a_daemon_that_does_not_read_is_not_waited_for() {
        Daemon daemon(path_);
        PluginUnderTest plugin("logging/syslog", "loglevel=info queue=16k logsock=" + path_);
        CPPUNIT_ASSERT(plugin.child_start());
        const auto began = std::chrono::steady_clock::now();
        for (int i = 0; i < 3000; ++i) plugin.write_log(line(LogLevel::info, "x"));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::seconds(3));
        CPPUNIT_ASSERT(plugin.log().count("SMTPD0070") >= 1);
        std::string last;
        for (int i = 0; i < 2000 && plugin.log().count("SMTPD0071") == 0; ++i) {
            for (std::string text = daemon.next(); !text.empty(); text = daemon.next()) last = text;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        for (std::string text = daemon.next(); !text.empty(); text = daemon.next()) last = text;
        CPPUNIT_ASSERT_MESSAGE(last, last.ends_with(" lines were dropped"));
    }

    void long_lines_are_cut() {
        Daemon daemon(path_);
        QueueingPlugin plugin("logging/syslog", "logsock=" + path_);
        plugin.write_log(line(LogLevel::warning, std::string(3000, 'x')));
        const auto datagram = daemon.next();
        CPPUNIT_ASSERT_EQUAL(std::size_t(1000), datagram.size() - datagram.find(": ") - 2);
    }

    void mistakes_are_found_at_configtest() {
        for (const char* options : {"loglevel=loud", "priority=loud", "priority=trace", "facility=post", "logsock=tcp",
                                    "logsock=relative/path", "queue=15k"})
            CPPUNIT_ASSERT_MESSAGE(options, !PluginUnderTest("logging/syslog", options).is_usable());
        for (const char* options : {"logsock=native,unix,udp,/x", "loglevel=9 priority=9"})
            CPPUNIT_ASSERT_MESSAGE(options, PluginUnderTest("logging/syslog", options).is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LogToSyslogTest);

class LogToStandardErrorTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogToStandardErrorTest);
    CPPUNIT_TEST(lines_up_to_the_level_are_written);
    CPPUNIT_TEST_SUITE_END();

public:
    void lines_up_to_the_level_are_written() {
        const struct {
            const char* options;
            int lines;
        } rows[] = {{"", 5}, {"info", 7}, {"LOGERROR", 4}, {"7", 8}, {"8", 9}, {"9", 9}, {"loglevel=emerg", 1}};
        for (const auto& row : rows) {
            PluginUnderTest plugin("logging/warn", row.options);
            const auto text = fakes::standard_error_of([&] {
                for (int level = 0; level <= 8; ++level) plugin.write_log(line(static_cast<LogLevel>(level), "x"));
            });
            std::string expected;
            for (int i = 0; i < row.lines; ++i) expected += process() + " [k3f9a2] (rcpt) badrcptto: x\n";
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.options, expected, text);
        }
        CPPUNIT_ASSERT(!PluginUnderTest("logging/warn", "loud").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LogToStandardErrorTest);

class LogToServerTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogToServerTest);
    CPPUNIT_TEST(lines_reach_the_server_once_and_at_their_level);
    CPPUNIT_TEST(the_level_holds_lines_back);
    CPPUNIT_TEST_SUITE_END();

public:
    void lines_reach_the_server_once_and_at_their_level() {
        PluginUnderTest plugin("logging/apache");
        plugin.log().clear();
        for (int level = 0; level <= 8; ++level) plugin.write_log(line(static_cast<LogLevel>(level), "x"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(9), plugin.log().lines().size());
        for (int level = 0; level <= 8; ++level)
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), plugin.log().texts(static_cast<LogLevel>(level)).size());
    }

    void the_level_holds_lines_back() {
        PluginUnderTest plugin("logging/apache", "loglevel=notice");
        plugin.log().clear();
        for (int level = 0; level <= 8; ++level) plugin.write_log(line(static_cast<LogLevel>(level), "x"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(6), plugin.log().lines().size());

        PluginUnderTest quiet("logging/apache");
        quiet.log().set_level(LogLevel::error);  // LogLevel of httpd
        quiet.log().clear();
        for (int level = 0; level <= 8; ++level) quiet.write_log(line(static_cast<LogLevel>(level), "x"));
        CPPUNIT_ASSERT_EQUAL(std::size_t(4),
                             quiet.log().texts(LogLevel::emerg).size() + quiet.log().texts(LogLevel::alert).size() +
                                 quiet.log().texts(LogLevel::crit).size() + quiet.log().texts(LogLevel::error).size());
        CPPUNIT_ASSERT(quiet.log().texts(LogLevel::warning).empty());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(LogToServerTest);

}  // namespace
}  // namespace smtpd
