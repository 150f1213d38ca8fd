/// arc_test.cc: the plugin arc validates chains, and seals messages that go on.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"
#include "fakes/signed_mail.h"

#include <smtpd/mailauth/arc.h>
#include <smtpd/mailauth/message_stream.h>

#include <cppunit/extensions/HelperMacros.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace smtpd {
namespace {

using fakes::key_zone;
using fakes::PluginUnderTest;
using fakes::shown;
using std::string;
using std::string_view;

const string mail =
    "Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=joe@example.org\r\n"
    "From: Joe <joe@example.org>\r\nTo: list@example.org\r\nSubject: dinner\r\n\r\nWe lost the game.\r\n";

/// Validates with the keys of example.org, and seals as example.org.
struct Site {
    explicit Site(const string& options = "domain=example.org seal=always") {
        std::filesystem::create_directory(keys.path("example.org"));
        std::ofstream(keys.path("example.org/private")) << fakes::rsa_key().pem();
        std::ofstream(keys.path("example.org/selector")) << "sel\n";
        std::ofstream(keys.path("example.org/private-ed25519")) << fakes::ed25519_key().pem();
        std::ofstream(keys.path("example.org/selector-ed25519")) << "ed\n";
        for (const char* name : {"private", "private-ed25519"})
            std::filesystem::permissions(keys.path(string("example.org/") + name), std::filesystem::perms(0600));
        plugin = std::make_unique<PluginUnderTest>(
            "arc", "keys=" + keys.path() + " " + options,
            PluginUnderTest::Files{{"arc_trusted_sealers", ".trusted.example\n"}});
        CPPUNIT_ASSERT_EQUAL(string(), plugin->problems());
        use(key_zone());
    }
    void use(const string& zone) {
        for (std::size_t at = 0; at < zone.size();) {
            const auto end = zone.find('\n', at);
            plugin->dns({string_view(zone).substr(at, end - at)});
            at = end + 1;
        }
    }
    Response arrives(string_view message) {
        plugin->reset();
        plugin->begin_streams();
        plugin->data_chunk(message);
        plugin->end_streams();
        plugin->transaction().set_message(message);
        return plugin->data_post_headers();
    }
    /// What is handed on; the plugin has seen it arrive.
    string handed_on() {
        CPPUNIT_ASSERT(plugin->queue_pre().verdict == Verdict::declined);
        string out;
        CPPUNIT_ASSERT(plugin->transaction().message().write_to([&](string_view octets) -> Result<void> {
            out += octets;
            return {};
        }));
        return out;
    }
    string forwarded(string_view message) {
        (void)arrives(message);
        return handed_on();
    }
    string results() const {
        const auto& all = plugin->transaction().authentication_results();
        return all.empty() ? "" : all.begin()->to_string();
    }

    fakes::TempDirectory keys;
    std::unique_ptr<PluginUnderTest> plugin;
};

string replaced(string text, string_view what, string_view by) {
    const auto at = text.find(what);
    CPPUNIT_ASSERT(at != text.npos);
    return text.replace(at, what.size(), by);
}

class ArcPluginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ArcPluginTest);
    CPPUNIT_TEST(chains_are_validated);
    CPPUNIT_TEST(refusals_are_a_matter_of_options);
    CPPUNIT_TEST(trust_is_told_to_other_plugins);
    CPPUNIT_TEST(what_goes_on_is_sealed);
    CPPUNIT_TEST(failures_are_sealed_once);
    CPPUNIT_TEST(what_was_not_validated_is_not_sealed);
    CPPUNIT_TEST(mistakes_are_told);
    CPPUNIT_TEST_SUITE_END();

    void chains_are_validated() {
        Site site;
        CPPUNIT_ASSERT(site.arrives(mail).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("skip: no chain"), site.plugin->log().last());
        CPPUNIT_ASSERT_EQUAL(string("arc=none"), site.results());
        const string sealed = site.forwarded(mail);
        CPPUNIT_ASSERT(site.arrives(sealed).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("pass: 1 sets, the newest sealed by example.org, which is not trusted"),
                             site.plugin->log().last());
        CPPUNIT_ASSERT_EQUAL(string("arc=pass (i=1 d=example.org) header.oldest-pass=0"), site.results());
        CPPUNIT_ASSERT(site.arrives(replaced(sealed, "dinner", "supper")).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: ARC-Message-Signature 1: signature does not verify"),
                             site.plugin->log().last());
        site.plugin->connection().set_relay_client(true);
        const auto asked = site.plugin->questions().size();
        (void)site.arrives(sealed);
        CPPUNIT_ASSERT_EQUAL(asked, site.plugin->questions().size());
    }

    void refusals_are_a_matter_of_options() {
        Site site("domain=example.org seal=always reject=yes onerror=tempfail");
        const string broken = replaced(site.forwarded(mail), "dinner", "supper");
        CPPUNIT_ASSERT_EQUAL(string("deny 550 5.7.29 The ARC chain of the message is not valid"),
                             shown(site.arrives(broken)));
        CPPUNIT_ASSERT(site.arrives(mail).verdict == Verdict::declined);
        Site slow("domain=example.org seal=always reject=yes onerror=tempfail");
        slow.plugin = std::make_unique<PluginUnderTest>("arc", "reject=yes onerror=tempfail");
        slow.use("sel._domainkey.example.org TIMEOUT\n");
        CPPUNIT_ASSERT(slow.arrives(site.forwarded(mail)).verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_EQUAL(string("arc=fail reason=\"ARC-Message-Signature 1: key: no answer in time\""),
                             slow.results());
    }

    void trust_is_told_to_other_plugins() {
        Site site("domain=example.org seal=always trusted=Example.ORG");
        (void)site.arrives(site.forwarded(mail));
        CPPUNIT_ASSERT_EQUAL(string("arc=pass (i=1 d=example.org, trusted since i=1) header.oldest-pass=0"),
                             site.results());
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, *site.plugin->transaction().notes().find(notes::arc_trusted));
        const auto* const chain = site.plugin->transaction().notes().find(notes::arc);
        CPPUNIT_ASSERT(chain && chain->sets[0].results.find("spf=pass") != string::npos);
        site.plugin->write_control("arc_trusted_sealers", "example.org\n");
        Site other;
        other.plugin->write_control("arc_trusted_sealers", "example.org\n");
        (void)other.arrives(site.forwarded(mail));
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, *other.plugin->transaction().notes().find(notes::arc_trusted));
    }

    void what_goes_on_is_sealed() {
        Site site;
        const string once = site.forwarded(mail);
        CPPUNIT_ASSERT(once.starts_with("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=example.org; s=sel;"));
        CPPUNIT_ASSERT(
            once.find(
                "ARC-Authentication-Results: i=1; mx.example.com;\r\n\tspf=pass smtp.mailfrom=joe@example.org\r\n") !=
            string::npos);
        CPPUNIT_ASSERT_EQUAL(string("sealed by example.org (sel, rsa-sha256)"), site.plugin->log().last());
        const string twice = site.forwarded(once);
        CPPUNIT_ASSERT(twice.starts_with("ARC-Seal: i=2; a=rsa-sha256; cv=pass;"));
        (void)site.arrives(twice);
        CPPUNIT_ASSERT_EQUAL(string("arc=pass (i=2 d=example.org) header.oldest-pass=0"), site.results());
        PluginUnderTest usual("arc");
        usual.transaction().set_message(mail);
        CPPUNIT_ASSERT(usual.queue_pre().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, usual.transaction().message().headers().count("ARC-Seal"));
    }

    void failures_are_sealed_once() {
        Site site;
        const string failed = site.forwarded(replaced(site.forwarded(mail), "dinner", "supper"));
        CPPUNIT_ASSERT(failed.starts_with("ARC-Seal: i=2; a=rsa-sha256; cv=fail;"));
        CPPUNIT_ASSERT_EQUAL(failed, site.forwarded(failed));
        CPPUNIT_ASSERT_EQUAL(string("not sealed: the chain has ended"), site.plugin->log().last());
    }

    void what_was_not_validated_is_not_sealed() {
        Site site("domain=example.org seal=always");
        (void)site.arrives(mail);
        const string once = site.handed_on();
        site.plugin->connection().set_relay_client(true);
        (void)site.arrives(once);
        CPPUNIT_ASSERT_EQUAL(once, site.handed_on());
        CPPUNIT_ASSERT_EQUAL(string("not sealed: the chain of the message was not validated"),
                             site.plugin->log().last());
        (void)site.arrives(mail);
        CPPUNIT_ASSERT(site.handed_on().starts_with("ARC-Seal: i=1;"));
    }

    void mistakes_are_told() {
        const auto told = [](const string& options) { return PluginUnderTest("arc", options).problems(); };
        CPPUNIT_ASSERT_EQUAL(string(), told(""));
        CPPUNIT_ASSERT_EQUAL(string("SmtpPlugin arc: validate is off and seal=no, so that the plugin does nothing"),
                             told("validate=off seal=no"));
        CPPUNIT_ASSERT_EQUAL(string("SmtpPlugin arc: there is no key to seal with for mx.example.com; make one with "
                                    "smtpd-dkim-keygen in the folder dkim among the control files"),
                             told("seal=always"));
        CPPUNIT_ASSERT_EQUAL(
            string("SmtpPlugin arc: keys and domain are of no use without seal=always: write that, or remove them"),
            told("domain=example.org"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ArcPluginTest);

}  // namespace
}  // namespace smtpd
