/// maildir_test.cc: queue/maildir and queue/discard. maildir_fates_test.cc tests failures for only some recipients.
#include "fakes/fake_disk.h"
#include "fakes/response_text.h"
#include "unit/plugins/maildir_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace smtpd {
namespace {

using fakes::PluginUnderTest;
using fakes::shown;
namespace fs = std::filesystem;

using std::string_literals::operator""s;

const std::string message = "Subject: x\r\n\r\nline\r\n.dot\r\nbare \r cr and \n lf\r\n\0 nul \xff\r\nno end"s;

/// Returns its text octet by octet, and can fail after a number of octets.
class Trickle final : public Message {
public:
    explicit Trickle(std::string text, std::size_t fails_after = std::string::npos, ErrorCode code = ErrorCode::io)
        : text_(std::move(text)), fails_after_(fails_after), code_(code) {}
    Headers& headers() override { return headers_; }
    const Headers& headers() const override { return headers_; }
    bool is_complete() const noexcept override { return true; }
    std::uint64_t size() const noexcept override { return text_.size(); }
    std::uint64_t body_size() const noexcept override { return text_.size(); }
    Result<std::size_t> read_body(std::uint64_t, char*, std::size_t) const override { return std::size_t(0); }
    Result<void> for_each_body_chunk(const ByteSink&) const override { return {}; }
    Result<void> write_to(const ByteSink& sink) const override {
        for (std::size_t i = 0; i < text_.size(); ++i) {
            if (i == fails_after_) return Error{code_, "the spool file cannot be read", 0};
            if (auto taken = sink(std::string_view(text_).substr(i, 1)); !taken) return taken;
        }
        return {};
    }
    std::shared_ptr<const Message> snapshot() const override { return std::make_shared<const Trickle>(*this); }
    std::unique_ptr<NewBody> begin_body() override {
        throw std::logic_error("the body of this message stays as it is");
    }
    bool body_was_replaced() const noexcept override { return false; }

private:
    const std::string text_;
    const std::size_t fails_after_;
    const ErrorCode code_;
    Headers headers_;
};

class MaildirTest : public MaildirFixture {
    CPPUNIT_TEST_SUITE(MaildirTest);
    CPPUNIT_TEST(a_message_is_stored_as_received);
    CPPUNIT_TEST(names_are_as_maildir_has_them);
    CPPUNIT_TEST(several_recipients_share_a_file);
    CPPUNIT_TEST(a_pattern_gives_each_recipient_a_maildir);
    CPPUNIT_TEST(one_address_has_one_maildir_however_it_is_spelled);
    CPPUNIT_TEST(case_is_kept_where_the_server_says_so);
    CPPUNIT_TEST(no_address_leads_out_of_the_tree);
    CPPUNIT_TEST(long_addresses_are_cut_and_kept_apart);
    CPPUNIT_TEST(permissions_hold_whatever_the_umask_is);
    CPPUNIT_TEST(line_ends_can_be_lf);
    CPPUNIT_TEST(binary_messages_keep_their_octets);
    CPPUNIT_TEST(addresses_in_utf8_are_stored_as_they_are);
    CPPUNIT_TEST(large_messages_are_stored_too);
    CPPUNIT_TEST(file_and_folder_are_forced_to_the_disk);
    CPPUNIT_TEST(folders_that_were_made_are_forced_to_the_disk);
    CPPUNIT_TEST(forcing_can_be_switched_off);
    CPPUNIT_TEST(a_full_disk_is_told_and_leaves_nothing);
    CPPUNIT_TEST(a_message_that_cannot_be_read_leaves_nothing);
    CPPUNIT_TEST(a_disk_that_fails_leaves_nothing);
    CPPUNIT_TEST(a_removed_maildir_is_made_again);
    CPPUNIT_TEST(names_are_unique_among_threads_and_instances);
    CPPUNIT_TEST(many_recipients_need_few_open_files);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST(quarantine_has_a_folder_of_its_own);
    CPPUNIT_TEST_SUITE_END();

public:
    void a_message_is_stored_as_received() {
        auto maildir = plugin("in");
        maildir->transaction().set_message(message);
        maildir->transaction().message().headers().prepend("Received", "from somewhere");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue()));
        const std::string top = maildir->directory().path("in");
        CPPUNIT_ASSERT_EQUAL(
            "Return-Path: <sender@example.net>\r\nDelivered-To: user@example.com\r\nReceived: from somewhere\r\n" +
                message,
            delivered(top));
        CPPUNIT_ASSERT(fs::is_empty(top + "/tmp"));
        CPPUNIT_ASSERT(fs::is_empty(top + "/cur"));
        CPPUNIT_ASSERT(maildir->log().contains("(queue) queue/maildir: queued as " + top + "/" + files(top).at(0)));
        CPPUNIT_ASSERT_EQUAL(top + "/" + files(top).at(0),
                             maildir->transaction().recipients().at(0).fate().destination);
        CPPUNIT_ASSERT_EQUAL(std::string("queue/maildir"), maildir->transaction().recipients().at(0).fate().plugin);

        auto bounce = plugin("in");
        bounce->transaction().set_sender(Address());
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(bounce->queue("\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("Return-Path: <>\r\nDelivered-To: user@example.com\r\n\r\n"),
                             delivered(bounce->directory().path("in")));
    }

    void names_are_as_maildir_has_them() {
        auto maildir = plugin("in");
        maildir->clock().advance(std::chrono::milliseconds(42));
        (void)maildir->queue("\r\n");
        const auto name = files(maildir->directory().path("in")).at(0);
        const std::string prefix = "new/1795199220.P" + std::to_string(getpid()) + "M42000Q1R";
        CPPUNIT_ASSERT_EQUAL(prefix, name.substr(0, prefix.size()));
        char host[256];
        gethostname(host, sizeof host);
        CPPUNIT_ASSERT(name.ends_with("." + std::string(host)));
    }

    void several_recipients_share_a_file() {
        auto maildir = plugin("in", {"a@example.com", "\"b c\"@Example.com", "postmaster"});
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("Subject: x\r\n\r\n")));
        CPPUNIT_ASSERT_EQUAL(
            "Return-Path: <sender@example.net>\r\nDelivered-To: a@example.com\r\nDelivered-To: \"b c\"@Example.com\r\n"
            "Delivered-To: postmaster\r\nSubject: x\r\n\r\n"s,
            delivered(maildir->directory().path("in")));
    }

    void quarantine_has_a_folder_of_its_own() {
        const auto folders = [](const char* options, const char* text) {
            auto maildir = plugin(options, {"a@example.com", "b@example.com"});
            CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue(text)));
            std::string out;
            for (const auto& folder : folders_with_mail(maildir->directory().path("in"))) out += folder + " ";
            return out;
        };
        const char* const marked = "X-Quarantine: dmarc (policy of example.net)\r\n\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string(".Junk/new "), folders("in junk=.Junk", marked));
        CPPUNIT_ASSERT_EQUAL(std::string("new "), folders("in junk=.Junk", "Subject: x\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(std::string("new "), folders("in", marked));
        CPPUNIT_ASSERT_EQUAL(std::string("a/.Junk/new b/.Junk/new "), folders("in %l junk=.Junk", marked));
        for (const char* junk : {"..", ".", "cur", "a/b", "/x"})
            CPPUNIT_ASSERT_MESSAGE(junk, !PluginUnderTest("queue/maildir", std::string("in junk=") + junk).is_usable());
    }

    void a_pattern_gives_each_recipient_a_maildir() {
        const struct {
            const char* pattern;
            std::set<std::string> folders;
        } rows[] = {
            {"%d/%l", {"example.com/joe/new", "example.com/a+b/new", "mx.example.com/postmaster/new"}},
            {"%u", {"joe@example.com/new", "a+b@example.com/new", "postmaster@mx.example.com/new"}},
            {"%l/.mail%%", {"joe/.mail%/new", "a+b/.mail%/new", "postmaster/.mail%/new"}},
            {"%d", {"example.com/new", "mx.example.com/new"}},
        };
        for (const auto& row : rows) {
            auto maildir = plugin(std::string("in ") + row.pattern,
                                  {"Joe@EXAMPLE.com", "a+b@example.com", "postmaster"});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.pattern, std::string("ok"), shown(maildir->queue("Subject: x\r\n\r\n")));
            const std::string top = maildir->directory().path("in");
            CPPUNIT_ASSERT_MESSAGE(row.pattern, row.folders == folders_with_mail(top));
            CPPUNIT_ASSERT_EQUAL(std::size_t(3), files(top).size());
        }
        auto maildir = plugin("in %l", {"a@example.com", "b@example.com"});
        (void)maildir->queue("Subject: x\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(
            std::string("Return-Path: <sender@example.net>\r\nDelivered-To: b@example.com\r\nSubject: x\r\n\r\n"),
            delivered(maildir->directory().path("in/b")));
    }

    void one_address_has_one_maildir_however_it_is_spelled() {
        const std::initializer_list<const char*> spellings = {"Bob@bücher.example",
                                                              "bob@BÜCHER.example",
                                                              "BOB@bu\xcc\x88"
                                                              "cher.example",
                                                              "bob@xn--bcher-kva.example",
                                                              "bob@bücher.example.",
                                                              "\"bob\"@XN--BCHER-KVA.example"};
        for (const char* pattern : {"%d/%l", "%u"}) {
            auto maildir = plugin(std::string("in ") + pattern, spellings);
            CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("\r\n")));
            const std::set<std::string> expected = {*pattern == '%' && pattern[1] == 'd'
                                                        ? "xn--bcher-kva.example/bob/new"
                                                        : "bob@xn--bcher-kva.example/new"};
            CPPUNIT_ASSERT(folders_with_mail(maildir->directory().path("in")) == expected);
        }
        // What the client sent is shown.
        auto shared = plugin("in", {"Bob@BÜCHER.example"});
        (void)shared->queue("\r\n");
        CPPUNIT_ASSERT(delivered(shared->directory().path("in")).find("Delivered-To: Bob@BÜCHER.example\r\n") !=
                       std::string::npos);
    }

    void case_is_kept_where_the_server_says_so() {
        PluginUnderTest maildir("queue/maildir", "in %l", {}, LocalPartCase::sensitive);
        (void)bool(maildir.child_start());
        for (const char* recipient : {"Bob@example.com", "bob@example.com", "PostMaster@example.com"})
            maildir.transaction().recipients().emplace_back(
                fakes::FakeTransaction::address(recipient, LocalPartCase::sensitive), Parameters());
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir.queue("\r\n")));
        const std::set<std::string> expected = {"Bob/new", "bob/new", "postmaster/new"};
        CPPUNIT_ASSERT(folders_with_mail(maildir.directory().path("in")) == expected);
    }

    void no_address_leads_out_of_the_tree() {
        const struct {
            const char* recipient;
            const char* folder;
        } rows[] = {
            {"\"..\"@example.com", "_./new"},       {"\".\"@example.com", "_/new"},
            {"\"../..\"@example.com", "_._../new"}, {"\"/etc\"@example.com", "_etc/new"},
            {"a/b@example.com", "a_b/new"},         {"\".hidden\"@example.com", "_hidden/new"},
            {"\"\"@example.com", "_/new"},          {"\"a b\\\\c\"@example.com", "a_b_c/new"},
            {"user%l@example.com", "user_l/new"},   {"-A-Za-z0-9+_.=@example.com", "-a-za-z0-9+_.=/new"},
        };
        for (const auto& row : rows) {
            auto maildir = plugin("in %l", {});
            auto parsed = Address::parse_path("<" + std::string(row.recipient) + ">", {.smtputf8 = true});
            maildir->transaction().recipients().emplace_back(parsed ? *parsed : Address::from_parts("", "example.com"),
                                                             Parameters());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.recipient, std::string("ok"), shown(maildir->queue("\r\n")));
            const auto folders = folders_with_mail(maildir->directory().path());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.recipient, "in/" + std::string(row.folder),
                                         folders.empty() ? std::string() : *folders.begin());
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), folders.size());
        }
        auto literal = plugin("in %d", {"a@[192.0.2.1]", "a@[IPv6:2001:db8::1]"});
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(literal->queue("\r\n")));
        const std::set<std::string> expected = {"_192.0.2.1_/new", "_ipv6_2001_db8__1_/new"};
        CPPUNIT_ASSERT(folders_with_mail(literal->directory().path("in")) == expected);
    }

    void long_addresses_are_cut_and_kept_apart() {
        const std::string label(60, 'd');
        const std::string domain = label + "." + label + "." + label + "." + label;
        auto maildir = plugin("in %d/%u", {});
        for (const char* local : {"a", "b"})
            maildir->transaction().recipients().emplace_back(Address::from_parts(std::string(63, 'x') + local, domain),
                                                             Parameters());
        const std::string other_domain = domain.substr(0, domain.size() - 1) + "e";
        maildir->transaction().recipients().emplace_back(Address::from_parts(std::string(63, 'x') + "a", other_domain),
                                                         Parameters());
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(3), folders_with_mail(maildir->directory().path("in")).size());
    }

    void permissions_hold_whatever_the_umask_is() {
        const struct {
            const char* perms;
            unsigned folder, file;
        } rows[] = {{"", 0700, 0600},
                    {"750", 0750, 0640},
                    {"0770", 0770, 0660},
                    {"2775", 02775, 0664},
                    {"perms=0711", 0711, 0600}};
        for (const auto& row : rows) {
            const auto before = umask(027);
            auto maildir = plugin(std::string("in %l ") + row.perms);
            const auto answer = shown(maildir->queue("\r\n"));
            umask(before);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.perms, std::string("ok"), answer);
            const std::string top = maildir->directory().path("in");
            struct stat about {};
            for (const char* folder : {"", "/user", "/user/new", "/user/tmp", "/user/cur"}) {
                CPPUNIT_ASSERT_EQUAL(0, stat((top + folder).c_str(), &about));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(row.perms + std::string(folder), row.folder, about.st_mode & 07777U);
            }
            CPPUNIT_ASSERT_EQUAL(0, stat((top + "/" + files(top).at(0)).c_str(), &about));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.perms, row.file, about.st_mode & 07777U);
        }
    }

    void line_ends_can_be_lf() {
        const struct {
            const char* received;
            const char* stored;
        } rows[] = {
            {"Subject: x\r\n\r\ntext\r\n", "Subject: x\n\ntext\n"},
            {"a\rb\r\rc\r\r\nd\ne\n\r\nf\r", "a\rb\r\rc\r\nd\ne\n\nf\r"},
            {"\r", "\r"},
            {"", ""},
        };
        for (const auto& row : rows)
            for (const bool trickles : {false, true}) {
                auto maildir = plugin("in newline=lf");
                if (trickles) maildir->transaction().set_message(std::make_unique<Trickle>(row.received));
                else maildir->transaction().set_message(row.received);
                CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue()));
                CPPUNIT_ASSERT_EQUAL(
                    "Return-Path: <sender@example.net>\nDelivered-To: user@example.com\n" + std::string(row.stored),
                    delivered(maildir->directory().path("in")));
            }
    }

    void binary_messages_keep_their_octets() {
        const auto binary = "MIME-Version: 1.0\r\n\r\na\r\nb\nc\rd\0\r"s;
        for (const auto* options : {"in newline=lf", "in newline=crlf"}) {
            auto maildir = plugin(options);
            maildir->transaction().envelope().body_type = BodyType::binary_mime;
            maildir->transaction().set_message(binary);
            CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue()));
            CPPUNIT_ASSERT("Return-Path: <sender@example.net>\r\nDelivered-To: user@example.com\r\n" + binary ==
                           delivered(maildir->directory().path("in")));
        }
    }

    void addresses_in_utf8_are_stored_as_they_are() {
        auto maildir = plugin("in %d/%l", {"jos\xc3\xa9@b\xc3\xbc.example", "jos\xc3\xa8@b\xc3\xbc.example"});
        maildir->transaction().envelope().is_smtputf8 = true;
        maildir->transaction().set_message("Subject: \xc3\xa9\r\n\r\n");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue()));
        for (const std::string who : {"jos\xc3\xa9", "jos\xc3\xa8"})  // two persons, two Maildirs
            CPPUNIT_ASSERT_EQUAL("Return-Path: <sender@example.net>\r\nDelivered-To: " + who +
                                     "@b\xc3\xbc.example\r\nSubject: \xc3\xa9\r\n\r\n",
                                 delivered(maildir->directory().path("in/xn--b-eha.example/" + who)));
        std::string long_name;
        for (int i = 0; i < 150; ++i) long_name += "\xe2\x82\xac";
        auto cut = plugin("in %l", {});
        cut->transaction().recipients().clear();
        cut->transaction().recipients().emplace_back(Address::from_parts(long_name, "example.com"), Parameters());
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(cut->queue("A: b\r\n\r\n")));
        const auto folder = fs::directory_iterator(cut->directory().path("in"))->path().filename().string();
        CPPUNIT_ASSERT_EQUAL(long_name.substr(0, 198) + "=", folder.substr(0, 199));
    }

    void large_messages_are_stored_too() {
        std::string large = "Subject: large\r\n\r\n";
        for (int i = 0; large.size() < (1 << 20); ++i) large += "line " + std::to_string(i) + "\r\n";
        auto maildir = plugin("in %l", {"a@example.com", "b@example.com"});
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue(large)));
        for (const std::string who : {"a", "b"})
            CPPUNIT_ASSERT("Return-Path: <sender@example.net>\r\nDelivered-To: " + who + "@example.com\r\n" + large ==
                           delivered(maildir->directory().path("in/" + who)));

        auto lf = plugin("in newline=lf");
        lf->transaction().set_message(std::make_unique<Trickle>(large));
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(lf->queue()));
        std::string expected = "Return-Path: <sender@example.net>\nDelivered-To: user@example.com\n" + large;
        std::erase(expected, '\r');
        CPPUNIT_ASSERT(expected == delivered(lf->directory().path("in")));
    }

    void file_and_folder_are_forced_to_the_disk() {
        auto maildir = plugin("in");
        (void)maildir->queue("first\r\n");
        const fakes::WatchedDisk watch;
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("second\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), fakes::disk.synced.size());
        const std::string top = maildir->directory().path("in");
        CPPUNIT_ASSERT(fakes::disk.synced.at(0).starts_with(top + "/tmp/"));
        CPPUNIT_ASSERT_EQUAL(top + "/new", fakes::disk.synced.at(1));
    }

    void folders_that_were_made_are_forced_to_the_disk() {
        auto maildir = plugin("in %d/%l");
        const std::string top = maildir->directory().path("in");
        const auto count = [&](const std::string& path) {
            return std::count(fakes::disk.synced.begin(), fakes::disk.synced.end(), path);
        };
        {
            const fakes::WatchedDisk watch;
            (void)maildir->queue("\r\n");
            for (const auto& folder : {maildir->directory().path(), top, top + "/example.com"})
                CPPUNIT_ASSERT_EQUAL_MESSAGE(folder, std::ptrdiff_t(1), count(folder));
            CPPUNIT_ASSERT(count(top + "/example.com/user") >= 1);
        }
        // Another process that finds them made cannot know whether they are on the disk already.
        auto other = std::make_unique<PluginUnderTest>("queue/maildir", top + " %d/%l");
        other->transaction().add_recipient("user@example.com");
        const fakes::WatchedDisk watch;
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(other->queue("\r\n")));
        CPPUNIT_ASSERT(count(top) == 1 && count(top + "/example.com") == 1 && count(maildir->directory().path()) == 0);
    }

    void forcing_can_be_switched_off() {
        auto maildir = plugin("in %l fsync=off");
        const fakes::WatchedDisk watch;
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("\r\n")));
        CPPUNIT_ASSERT(fakes::disk.synced.empty());
        CPPUNIT_ASSERT(maildir->problems().find("fsync is off") != std::string::npos);
        CPPUNIT_ASSERT(plugin("in")->problems().empty());
    }

    void a_full_disk_is_told_and_leaves_nothing() {
        auto maildir = plugin("in");
        const fakes::WatchedDisk watch;
        fakes::disk.is_full = true;
        CPPUNIT_ASSERT_EQUAL(std::string(disk_full), shown(maildir->queue("\r\n")));
        CPPUNIT_ASSERT(files(maildir->directory().path("in")).empty());
        CPPUNIT_ASSERT(maildir->log().contains("No space left on device"));
        fakes::disk.is_full = false;
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("\r\n")));
        CPPUNIT_ASSERT(os_error("x", EDQUOT).code == ErrorCode::no_space);
    }

    void a_message_that_cannot_be_read_leaves_nothing() {
        const struct {
            std::size_t size;
            ErrorCode code;
            const char* answer;
        } rows[] = {
            {100, ErrorCode::io, try_again}, {100, ErrorCode::no_space, disk_full}, {300000, ErrorCode::io, try_again}};
        for (const auto& row : rows) {
            auto maildir = plugin("in");
            maildir->transaction().set_message(
                std::make_unique<Trickle>(std::string(row.size, 'x'), row.size - 1, row.code));
            CPPUNIT_ASSERT_EQUAL(std::string(row.answer), shown(maildir->queue()));
            CPPUNIT_ASSERT(files(maildir->directory().path()).empty());
            CPPUNIT_ASSERT_EQUAL(std::size_t(1), maildir->log().texts(LogLevel::error).size());
        }
    }

    void a_disk_that_fails_leaves_nothing() {
        for (const char* pattern : {"", "%l"}) {
            auto maildir = plugin(std::string("in ") + pattern);
            (void)maildir->queue("\r\n");
            const auto before = files(maildir->directory().path("in"));
            for (const auto& fails : {std::string("/new"), before.at(0).substr(before.at(0).rfind('.'))}) {  // the
                                                                                                             // folder;
                                                                                                             // the
                                                                                                             // file, by
                                                                                                             // its host
                const fakes::WatchedDisk watch(fails);
                CPPUNIT_ASSERT_EQUAL_MESSAGE(fails, std::string(try_again), shown(maildir->queue("\r\n")));
                CPPUNIT_ASSERT_MESSAGE(fails, before == files(maildir->directory().path("in")));
            }
        }
    }

    void a_removed_maildir_is_made_again() {
        auto maildir = plugin("in %l");
        for (const char* removed : {"in/user", "in/user/new", "in/user/tmp", "in"}) {
            CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("\r\n")));
            fs::remove_all(maildir->directory().path(removed));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(removed, std::string("ok"), shown(maildir->queue("\r\n")));
            CPPUNIT_ASSERT_MESSAGE(removed, fs::is_empty(maildir->directory().path("in/user/tmp")));
        }
    }

    void names_are_unique_among_threads_and_instances() {
        auto first = plugin("in");
        PluginUnderTest second("queue/maildir:other", first->directory().path("in"));
        (void)bool(second.child_start());
        constexpr int threads = 4, messages = 50;
        std::atomic<int> refused{0};
        std::vector<std::thread> running;
        for (int i = 0; i < threads; ++i)
            running.emplace_back([&, i] {
                PluginUnderTest& used = i % 2 == 0 ? *first : second;
                fakes::FakeConnection connection(used.clock(), used.log());
                fakes::FakeTransaction transaction;
                transaction.add_recipient("user@example.com");
                for (int n = 0; n < messages; ++n) {
                    transaction.set_message("Subject: " + std::to_string(i) + "." + std::to_string(n) + "\r\n\r\n");
                    engine::TransactionDelivery delivery(connection, transaction);
                    if (used.plugins().run_through(delivery).verdict != Verdict::ok) ++refused;
                }
            });
        for (auto& thread : running) thread.join();
        CPPUNIT_ASSERT_EQUAL(0, refused.load());
        std::set<std::string> contents;
        for (const auto& file : files(first->directory().path("in")))
            contents.insert(content(first->directory().path("in/" + file)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(threads * messages), contents.size());
    }

    void many_recipients_need_few_open_files() {
        auto maildir = plugin("in %l fsync=off", {});
        constexpr std::size_t count = 120;
        for (std::size_t i = 0; i < count; ++i)
            maildir->transaction().add_recipient("u" + std::to_string(i) + "@example.com");
        rlimit before{};
        getrlimit(RLIMIT_NOFILE, &before);
        const rlimit few{100, before.rlim_max};
        CPPUNIT_ASSERT_EQUAL(0, setrlimit(RLIMIT_NOFILE, &few));
        const auto answer = shown(maildir->queue("\r\n"));
        setrlimit(RLIMIT_NOFILE, &before);
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), answer);
        CPPUNIT_ASSERT_EQUAL(count, files(maildir->directory().path("in")).size());
    }

    void mistakes_are_found_at_configtest() {
        fakes::TempDirectory directory;
        const std::string file = directory.write("file", "");
        const struct {
            std::string options;
            const char* problem;
        } rows[] = {
            {"", "option \"directory\" is missing"},
            {file, "is not a directory"},
            {"in ../%l", "must not contain . or .."},
            {"in %l/..", "must not contain . or .."},
            {"in %d/./%l", "must not contain . or .."},
            {"in %x", "may contain %l, %d, %u and %% only"},
            {"in %l%", "may contain %l, %d, %u and %% only"},
            {"in %l 799", "perms \"799\" must be an octal number"},
            {"in %l 0077", "perms \"0077\" must be an octal number"},
            {"in %l 10700", "perms \"10700\" must be an octal number"},
            {"in newline=cr", "one of crlf, lf"},
        };
        for (const auto& row : rows) {
            const PluginUnderTest plugin("queue/maildir", row.options);
            CPPUNIT_ASSERT_MESSAGE(row.options, !plugin.is_usable());
            CPPUNIT_ASSERT_MESSAGE(plugin.problems(), plugin.problems().find(row.problem) != std::string::npos);
        }
        CPPUNIT_ASSERT(PluginUnderTest("queue/maildir", "in/ %d/%l...").is_usable());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MaildirTest);

class DiscardTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DiscardTest);
    CPPUNIT_TEST(messages_are_accepted_and_the_log_says_that_they_are_gone);
    CPPUNIT_TEST_SUITE_END();

public:
    void messages_are_accepted_and_the_log_says_that_they_are_gone() {
        PluginUnderTest plugin("queue/discard");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(plugin.queue("Subject: x\r\n\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("discarded, 14 bytes"), plugin.log().last());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DiscardTest);

}  // namespace
}  // namespace smtpd
