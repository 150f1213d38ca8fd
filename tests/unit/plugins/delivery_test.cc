/// delivery_test.cc: queue plugins cannot tell where a message comes from. A message from a session, and the same
/// message from a file and an envelope, give the same octets and the same results.
#include "fakes/fake_disk.h"
#include "fakes/parcel.h"
#include "fakes/response_text.h"
#include "fakes/session_under_test.h"
#include "unit/plugins/maildir_fixture.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <map>

namespace smtpd {
namespace {

using fakes::Parcel;
using fakes::SessionUnderTest;

const std::string message = "From: sender@example.net\r\nSubject: both ways\r\n\r\n.dot\r\nJos\xc3\xa9\r\n";

/// A server with the queue plugin and a plugin that accepts every recipient; it keeps the queue plugin's arguments.
class Server : public SessionUnderTest {
public:
    explicit Server(PluginUnderTest& queue) {
        settings.protocol = engine::Protocol::lmtp;
        settings.extensions.set(engine::Extension::dsn, true);
        hooks.respond(HookId::rcpt, ok());
        hooks.on(HookId::queue, [this, &queue](HookContext& context) {
            const auto& delivery = static_cast<const Delivery&>(context);
            kept = std::make_unique<Parcel>(text_of(delivery.message()));
            kept->id = delivery.id();
            kept->envelope = delivery.envelope();
            for (const auto& recipient : delivery.recipients())
                kept->recipients.push_back(recipient.with_address(recipient.address()));
            kept->origin = delivery.origin();
            return queue.plugins().run_through(context);
        });
    }

    static std::string text_of(const Message& message) {
        std::string out;
        CPPUNIT_ASSERT(message.write_to([&](std::string_view octets) {
            out += octets;
            return Result<void>();
        }));
        return out;
    }

    /// Returns the replies to the message.
    std::string send(const std::string& parameters, std::initializer_list<const char*> recipients) {
        start();
        say("LHLO client.example");
        say("MAIL FROM:<sender@example.net>" + parameters);
        for (const char* recipient : recipients) say(std::string("RCPT TO:<") + recipient + ">");
        say("DATA");
        return feed("From: sender@example.net\r\nSubject: both ways\r\n\r\n..dot\r\nJos\xc3\xa9\r\n.\r\n");
    }

    std::unique_ptr<Parcel> kept;  ///< what a queue would store of the last message
};

class DeliveryTest : public MaildirFixture {
    CPPUNIT_TEST_SUITE(DeliveryTest);
    CPPUNIT_TEST(maildir_delivers_the_same_both_ways);
    CPPUNIT_TEST(maildir_fails_the_same_both_ways);
    CPPUNIT_TEST(a_message_from_a_file_needs_no_session);
    CPPUNIT_TEST(discard_takes_either);
    CPPUNIT_TEST(a_plugin_logs_the_same_both_ways);
    CPPUNIT_TEST_SUITE_END();

    /// Each file's content, by its folder.
    static std::map<std::string, std::string> contents(const std::string& top) {
        std::map<std::string, std::string> out;
        for (const auto& file : files(top)) out[file.substr(0, file.rfind('/'))] += content(top + "/" + file);
        return out;
    }

public:
    void maildir_delivers_the_same_both_ways() {
        for (const char* options : {"in", "in %l", "in %l newline=lf"}) {
            auto maildir = plugin(options, {});
            const std::string top = maildir->directory().path("in");
            Server server(*maildir);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(
                options, std::string("250 250"),
                fakes::codes(server.send(" BODY=8BITMIME", {"a@example.com", "b@example.com"})));
            const auto live = contents(top);
            CPPUNIT_ASSERT_EQUAL(std::size_t(std::string(options) == "in" ? 1 : 2), live.size());
            CPPUNIT_ASSERT(live.begin()->second.find("Received: from client.example") != std::string::npos);
            fs::remove_all(top);

            const auto result = maildir->deliver(*server.kept);
            CPPUNIT_ASSERT_EQUAL(std::string("a@example.com: delivered, b@example.com: delivered"),
                                 server.kept->fates(result));
            CPPUNIT_ASSERT_MESSAGE(options, live == contents(top));
        }
    }

    void maildir_fails_the_same_both_ways() {
        auto maildir = plugin("in %l", {});
        maildir->directory().write("in/b/new", "in the way");
        Server server(*maildir);
        CPPUNIT_ASSERT_EQUAL(std::string("250 451"), fakes::codes(server.send("", {"a@example.com", "b@example.com"})));
        CPPUNIT_ASSERT_EQUAL(std::string("a@example.com: delivered, b@example.com: deferred 451 4.3.0 Cannot store the "
                                         "message now, try again later"),
                             server.kept->fates(maildir->deliver(*server.kept)));
        server.kept->replies_to_each = false;  // all or nobody
        CPPUNIT_ASSERT_EQUAL(
            std::string("a@example.com: deferred 451 4.3.0 Cannot store the message now, try again later, "
                        "b@example.com: deferred 451 4.3.0 Cannot store the message now, try again later"),
            server.kept->fates(maildir->deliver(*server.kept)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(2), contents(maildir->directory().path("in")).at("a/new").size() /
                                                 server.kept->message().size());
    }

    void a_message_from_a_file_needs_no_session() {
        auto maildir = plugin("in %d/%l", {});
        Parcel parcel(Parcel::file(maildir->directory().write("mail.eml", message)));
        parcel.envelope.sender = Parcel::address("sender@example.net");
        parcel.to("user@Example.com").to("postmaster");
        CPPUNIT_ASSERT_EQUAL(std::string("user@Example.com: delivered, postmaster: delivered"),
                             parcel.fates(maildir->deliver(parcel)));
        CPPUNIT_ASSERT_EQUAL("Return-Path: <sender@example.net>\r\nDelivered-To: user@Example.com\r\n" + message,
                             delivered(maildir->directory().path("in/example.com/user")));
        CPPUNIT_ASSERT_EQUAL("Return-Path: <sender@example.net>\r\nDelivered-To: postmaster\r\n" + message,
                             delivered(maildir->directory().path("in/mx.example.com/postmaster")));
        parcel.message().headers().prepend("X-Attempt", "2");  // edits are applied, too
        (void)maildir->deliver(parcel);
        const fakes::WatchedDisk watch("in/example.com/user/new");
        CPPUNIT_ASSERT_EQUAL(
            std::size_t(1),
            std::size_t(parcel.fates(maildir->deliver(parcel)).starts_with("user@Example.com: deferred 451 4.3.0 ")));
    }

    void discard_takes_either() {
        PluginUnderTest discard("queue/discard");
        Server server(discard);
        CPPUNIT_ASSERT_EQUAL(std::string("250"), fakes::codes(server.send("", {"a@example.com"})));
        CPPUNIT_ASSERT_EQUAL(std::string("a@example.com: delivered"),
                             server.kept->fates(discard.deliver(*server.kept)));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), discard.log().count("discarded, "));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), server.log.count("discarded, "));
    }

    void a_plugin_logs_the_same_both_ways() {
        PluginUnderTest discard("queue/discard");
        Server server(discard);
        server.send("", {"a@example.com"});
        (void)discard.deliver(*server.kept);
        const auto of_plugin = [](const auto& lines) {
            std::vector<std::string> out;
            for (const auto& line : lines)
                if (line.plugin == "queue/discard")
                    out.push_back(format_text("{} {} {} {}", line.transaction, line.hook, line.client,
                                              line.text.substr(0, line.text.find(','))));  // its size has the Received
                                                                                           // field the second time
            return out;
        };
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), of_plugin(server.log.lines()).size());
        CPPUNIT_ASSERT(of_plugin(server.log.lines()) == of_plugin(discard.log().lines()));
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DeliveryTest);

}  // namespace
}  // namespace smtpd
