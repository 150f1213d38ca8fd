/// maildir_fates_test.cc: queue/maildir can deliver to some recipients but not to others.
#include "fakes/fake_disk.h"
#include "fakes/response_text.h"
#include "unit/plugins/maildir_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

namespace smtpd {
namespace {

using fakes::shown;

class MaildirFatesTest : public MaildirFixture {
    CPPUNIT_TEST_SUITE(MaildirFatesTest);
    CPPUNIT_TEST(all_recipients_have_it_or_none);
    CPPUNIT_TEST(where_each_has_a_reply_each_has_a_fate);
    CPPUNIT_TEST(those_of_one_rcpt_share_its_fate);
    CPPUNIT_TEST(whom_a_plugin_has_added_nobody_would_try_again);
    CPPUNIT_TEST(a_full_quota_is_told_as_a_full_mailbox);
    CPPUNIT_TEST(prdr_is_offered_where_recipients_have_maildirs_of_their_own);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* mailbox_full = "denysoft 452 4.2.2 Mailbox full";

    /// The plugin with a Maildir for each recipient, and a client that gets a reply for each: recipients with the
    /// number of their RCPT in front ("1 a@example.com").
    static std::unique_ptr<PluginUnderTest> plugin_for_each(std::initializer_list<const char*> recipients,
                                                            bool is_lmtp = true) {
        auto made = plugin("in %l", {});
        for (const char* recipient : recipients)
            made->transaction().add_recipient(recipient + 2, static_cast<std::uint32_t>(*recipient - '0'));
        if (is_lmtp) made->connection().set_lmtp();
        else made->transaction().set_prdr();
        return made;
    }

    /// "b: 451 4.3.0, c: 452 4.2.2": the replies for the refused recipients.
    static std::string refused(PluginUnderTest& plugin) {
        std::string out;
        for (const auto& recipient : plugin.transaction().refused_recipients()) {
            const Fate& fate = recipient.fate();
            CPPUNIT_ASSERT(fate.is_deferred() && fate.plugin == "queue/maildir" && !fate.why().empty());
            out += format_text("{}{}: {} {}", out.empty() ? "" : ", ", recipient.address().local_part(),
                               fate.reply.code, fate.reply.enhanced);
        }
        return out;
    }

public:
    void all_recipients_have_it_or_none() {
        // b's Maildir, or only its folder new, is a file: the first stops the writing, the second the moving.
        for (const char* blocked : {"in/b", "in/b/new"}) {
            auto maildir = plugin("in %l", {"a@example.com", "b@example.com", "c@example.com"});
            maildir->directory().write(blocked, "in the way");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(blocked, std::string(try_again), shown(maildir->queue("\r\n")));
            CPPUNIT_ASSERT_MESSAGE(blocked, std::vector<std::string>{blocked} == files(maildir->directory().path()));
        }
        auto maildir = plugin("in %l", {"a@example.com", "b@example.com"});
        const fakes::WatchedDisk watch("in/b/new");
        CPPUNIT_ASSERT_EQUAL(std::string(try_again), shown(maildir->queue("\r\n")));
        CPPUNIT_ASSERT(files(maildir->directory().path()).empty());
    }

    void where_each_has_a_reply_each_has_a_fate() {
        for (const bool is_lmtp : {true, false})
            for (const char* blocked : {"in/b", "in/b/new"}) {
                auto maildir = plugin_for_each({"1 a@example.com", "2 b@example.com", "3 c@example.com"}, is_lmtp);
                maildir->directory().write(blocked, "in the way");
                const fakes::WatchedDisk watch("in/c/new");
                CPPUNIT_ASSERT_EQUAL_MESSAGE(blocked, std::string("ok"), shown(maildir->queue("Subject: x\r\n\r\n")));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(blocked, std::string("b: 451 4.3.0, c: 451 4.3.0"), refused(*maildir));
                CPPUNIT_ASSERT_EQUAL(
                    std::string(
                        "Return-Path: <sender@example.net>\r\nDelivered-To: a@example.com\r\nSubject: x\r\n\r\n"),
                    delivered(maildir->directory().path("in/a")));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(blocked, std::size_t(2), files(maildir->directory().path()).size());
                CPPUNIT_ASSERT_EQUAL(std::size_t(2), maildir->log().texts(LogLevel::error).size());
                const std::string top = maildir->directory().path("in/a");  // safe before anybody says so
                CPPUNIT_ASSERT_EQUAL(std::ptrdiff_t(1),
                                     std::count(fakes::disk.synced.begin(), fakes::disk.synced.end(), top + "/new"));
            }
        auto nobody = plugin_for_each({"1 a@example.com", "2 b@example.com"});
        const fakes::WatchedDisk watch("/new");
        CPPUNIT_ASSERT_EQUAL(std::string("denysoft"), shown(nobody->queue("\r\n")));  // each has a fate of its own
        CPPUNIT_ASSERT_EQUAL(std::string("a: 451 4.3.0, b: 451 4.3.0"), refused(*nobody));
        CPPUNIT_ASSERT(files(nobody->directory().path()).empty());
    }

    /// Otherwise one of them would have the message twice when the client sends it again for that RCPT.
    void those_of_one_rcpt_share_its_fate() {
        auto maildir = plugin_for_each({"1 a@example.com", "2 b@example.com", "1 c@example.com"});
        maildir->directory().write("in/c", "in the way");
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(maildir->queue("\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("a: 451 4.3.0, c: 451 4.3.0"), refused(*maildir));
        CPPUNIT_ASSERT(
            (folders_with_mail(maildir->directory().path()) == std::set<std::string>{"in", "in/b/new"}));  // what is in
                                                                                                           // the way,
                                                                                                           // and b's
    }

    void whom_a_plugin_has_added_nobody_would_try_again() {
        const struct {
            const char* blocked;
            const char* answer;
            const char* refused;
            std::set<std::string> delivered_to;
        } rows[] = {
            {"in/b", "ok", "b: 451 4.3.0", {"in/a/new", "in/archive/new"}},
            {"in/archive", try_again, "", {}},
        };
        for (const auto& row : rows) {
            auto maildir = plugin_for_each({"0 archive@example.com", "1 a@example.com", "2 b@example.com"});
            maildir->directory().write(std::string(row.blocked) + "/new", "in the way");
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.blocked, std::string(row.answer), shown(maildir->queue("\r\n")));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(row.blocked, std::string(row.refused), refused(*maildir));
            auto folders = folders_with_mail(maildir->directory().path());
            folders.erase(row.blocked);
            CPPUNIT_ASSERT_MESSAGE(row.blocked, row.delivered_to == folders);
        }
        auto alone = plugin_for_each({"0 archive@example.com", "1 b@example.com"});
        alone->directory().write("in/b/new", "in the way");
        CPPUNIT_ASSERT_EQUAL(std::string(try_again), shown(alone->queue("\r\n")));  // the client will come again: then
                                                                                    // the archive has it, once
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), files(alone->directory().path()).size());
        auto full = plugin_for_each({"0 stuffed@example.com", "1 a@example.com"});
        const fakes::WatchedDisk watch;
        fakes::disk.quota_is_full_below = "/stuffed/";
        CPPUNIT_ASSERT_EQUAL(std::string(try_again), shown(full->queue("\r\n")));  // it is not a's mailbox that is full
        CPPUNIT_ASSERT(refused(*full).empty() && files(full->directory().path()).empty());
    }

    void a_full_quota_is_told_as_a_full_mailbox() {
        auto each = plugin_for_each({"1 a@example.com", "2 stuffed@example.com"});
        auto all = plugin("in %l", {"a@example.com", "stuffed@example.com"});
        auto shared = plugin("stuffed");
        const fakes::WatchedDisk watch;
        fakes::disk.quota_is_full_below = "/stuffed/";
        CPPUNIT_ASSERT_EQUAL(std::string("ok"), shown(each->queue("\r\n")));
        CPPUNIT_ASSERT_EQUAL(std::string("stuffed: 452 4.2.2"), refused(*each));
        CPPUNIT_ASSERT(folders_with_mail(each->directory().path("in")) == std::set<std::string>{"a/new"});
        CPPUNIT_ASSERT_EQUAL(std::string(mailbox_full), shown(all->queue("\r\n")));
        CPPUNIT_ASSERT(refused(*all).empty() && files(all->directory().path("in")).empty());
        CPPUNIT_ASSERT_EQUAL(std::string(disk_full), shown(shared->queue("\r\n")));
    }

    void prdr_is_offered_where_recipients_have_maildirs_of_their_own() {
        CPPUNIT_ASSERT(plugin("in %l")->plugins().judges_recipients());
        CPPUNIT_ASSERT(!plugin("in")->plugins().judges_recipients());
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MaildirFatesTest);

}  // namespace
}  // namespace smtpd
