/// dkim_test.cc: the plugin dkim verifies foreign messages and signs the site's own.
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"
#include "fakes/signed_mail.h"

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
using fakes::signed_mail;
using fakes::Words;
using std::string;
using std::string_view;

const string mail =
    "From: Joe <joe@example.org>\r\nTo: suzie@example.net\r\nSubject: dinner\r\n\r\nWe lost the game.\r\n";

/// The keys of example.org in the DNS.
void fill(PluginUnderTest& plugin, const string& zone = key_zone()) {
    for (std::size_t at = 0; at < zone.size();) {
        const auto end = zone.find('\n', at);
        plugin.dns({std::string_view(zone).substr(at, end - at)});
        at = end + 1;
    }
}

/// A message arrives, and the hook that verifies runs.
Response arrives(PluginUnderTest& plugin, std::string_view message) {
    plugin.reset();
    plugin.begin_streams();
    for (std::size_t at = 0; at < message.size(); at += 100) plugin.data_chunk(message.substr(at, 100));
    plugin.end_streams();
    plugin.transaction().set_message(message);
    return plugin.data_post_headers();
}

string replaced(string text, std::string_view what, std::string_view by) {
    const auto at = text.find(what);
    CPPUNIT_ASSERT(at != text.npos);
    return text.replace(at, what.size(), by);
}

void write(const std::filesystem::path& path, const string& text, bool is_private = true) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms(is_private ? 0600 : 0644));
}

class DkimPluginTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DkimPluginTest);
    CPPUNIT_TEST(signed_messages_pass);
    CPPUNIT_TEST(changed_messages_fail);
    CPPUNIT_TEST(what_nobody_signed_is_no_concern);
    CPPUNIT_TEST(trouble_of_the_dns_is_an_error);
    CPPUNIT_TEST(test_mode_is_never_punished);
    CPPUNIT_TEST(partial_bodies_are_a_matter_of_an_option);
    CPPUNIT_TEST(results_and_notes_are_left);
    CPPUNIT_TEST(relay_clients_are_not_verified);
    CPPUNIT_TEST(messages_not_seen_to_the_end_are_an_error);
    CPPUNIT_TEST(own_messages_are_signed);
    CPPUNIT_TEST(only_own_messages_are_signed);
    CPPUNIT_TEST(what_plugins_change_is_signed_as_it_is);
    CPPUNIT_TEST(keys_of_parents_links_and_envelopes);
    CPPUNIT_TEST(tables_of_opendkim);
    CPPUNIT_TEST(mistakes_with_keys_are_told);
    CPPUNIT_TEST_SUITE_END();

    void signed_messages_pass() {
        PluginUnderTest plugin("dkim");
        fill(plugin);
        CPPUNIT_ASSERT(arrives(plugin, signed_mail(mail)).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("pass: signed by example.org (sel, rsa-sha256)"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(1, plugin.connection().karma());
        CPPUNIT_ASSERT_EQUAL(Words{"sel._domainkey.example.org TXT"}, Words(plugin.questions()));
    }

    void changed_messages_fail() {
        const string changed = replaced(signed_mail(mail), "lost", "won");
        PluginUnderTest tolerant("dkim");
        fill(tolerant);
        CPPUNIT_ASSERT(arrives(tolerant, changed).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: example.org: fail, body hash does not match"),
                             tolerant.log().last());
        CPPUNIT_ASSERT_EQUAL(-1, tolerant.connection().karma());
        PluginUnderTest strict("dkim", "reject=yes");
        fill(strict);
        CPPUNIT_ASSERT_EQUAL(string("deny 550 5.7.20 No passing DKIM signature found"),
                             shown(arrives(strict, changed)));
        // One good signature suffices.
        CPPUNIT_ASSERT(arrives(strict, "DKIM-Signature: v=1\r\n" + signed_mail(mail)).verdict == Verdict::declined);
        const string short_key = "DKIM-Signature: a=x; z=" + string(70000, 'x') + "\r\n" + mail;
        CPPUNIT_ASSERT_EQUAL(string("deny 550 5.7.21 No acceptable DKIM signature found"),
                             shown(arrives(strict, short_key)));
    }

    void what_nobody_signed_is_no_concern() {
        PluginUnderTest plugin("dkim", "reject=yes");
        fill(plugin);
        CPPUNIT_ASSERT(arrives(plugin, mail).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("skip: not signed"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
        CPPUNIT_ASSERT_EQUAL(string("dkim=none"), plugin.transaction().authentication_results().begin()->to_string());
        CPPUNIT_ASSERT(plugin.questions().empty());
    }

    void trouble_of_the_dns_is_an_error() {
        PluginUnderTest plugin("dkim", "reject=yes onerror=tempfail");
        fill(plugin, "sel._domainkey.example.org TIMEOUT\n");
        CPPUNIT_ASSERT(arrives(plugin, signed_mail(mail)).verdict == Verdict::denysoft);
        CPPUNIT_ASSERT(plugin.log().last().find("example.org: temperror, key: no answer in time") != string::npos);
    }

    void test_mode_is_never_punished() {
        PluginUnderTest plugin("dkim", "reject=yes");
        fill(plugin, "sel._domainkey.example.org TXT t=y; p=" + fakes::rsa_key().public_text() + "\n");
        CPPUNIT_ASSERT(arrives(plugin, replaced(signed_mail(mail), "lost", "won")).verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("skip: example.org (test mode): fail, body hash does not match"),
                             plugin.log().last());
    }

    void partial_bodies_are_a_matter_of_an_option() {
        const string part = signed_mail(mail, {}, fakes::rsa_key(),
                                        mailauth::BodyHasher(mailauth::Canonicalization::simple, 3));
        PluginUnderTest usual("dkim");
        fill(usual);
        (void)arrives(usual, part);
        CPPUNIT_ASSERT_EQUAL(string("fail, tolerated: example.org: policy, body not fully signed"), usual.log().last());
        PluginUnderTest lenient("dkim", "l_tag=partial");
        fill(lenient);
        (void)arrives(lenient, part);
        CPPUNIT_ASSERT_EQUAL(string("pass: signed by example.org (sel, rsa-sha256)"), lenient.log().last());
    }

    void results_and_notes_are_left() {
        PluginUnderTest plugin("dkim");
        fill(plugin);
        (void)arrives(plugin, "DKIM-Signature: v=1; d=other.example; b=abcdefghij\r\n" + signed_mail(mail));
        const auto& results = plugin.transaction().authentication_results();
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, results.size());
        CPPUNIT_ASSERT_EQUAL(string("permerror"), results.begin()->result);
        CPPUNIT_ASSERT_EQUAL(string("missing a="), results.begin()->reason);
        CPPUNIT_ASSERT_EQUAL(string("other.example"), *results.begin()->property("header", "d"));
        const auto& notes = plugin.transaction().notes();
        CPPUNIT_ASSERT_EQUAL(string("pass"), *notes.find(notes::dkim_result));
        CPPUNIT_ASSERT_EQUAL(Words{"example.org"}, Words(*notes.find(notes::dkim_pass_domains)));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, notes.find(notes::dkim)->size());
    }

    void relay_clients_are_not_verified() {
        PluginUnderTest plugin("dkim", "reject=yes");
        fill(plugin);
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT(arrives(plugin, replaced(signed_mail(mail), "lost", "won")).verdict == Verdict::declined);
        CPPUNIT_ASSERT(plugin.questions().empty() && plugin.transaction().authentication_results().empty());
    }

    void messages_not_seen_to_the_end_are_an_error() {
        PluginUnderTest plugin("dkim", "reject=yes");
        fill(plugin);
        plugin.begin_streams();
        plugin.data_chunk(mail);
        plugin.abort_streams();
        plugin.transaction().set_message(mail);
        CPPUNIT_ASSERT(plugin.data_post_headers().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(string("error: the message was not seen to its end"), plugin.log().last());
    }

    /// A plugin with keys of both kinds for example.org.
    struct Signer {
        explicit Signer(const string& options = {}) {
            write(keys.path("example.org/private"), fakes::rsa_key().pem());
            write(keys.path("example.org/selector"), "sel\n");
            write(keys.path("example.org/private-ed25519"), fakes::ed25519_key().pem());
            write(keys.path("example.org/selector-ed25519"), "ed\n");
            load(options);
        }
        void load(const string& options = {}) {
            plugin = std::make_unique<PluginUnderTest>("dkim", "keys=" + keys.path() + " " + options);
            CPPUNIT_ASSERT_EQUAL(string(), plugin->problems());
            plugin->connection().set_relay_client(true);
        }
        /// The message as it is queued.
        string sent(std::string_view message, std::string_view sender = "joe@example.org") {
            (void)arrives(*plugin, message);
            plugin->transaction().set_sender(fakes::FakeTransaction::address(sender));
            return queued();
        }
        string queued() {
            CPPUNIT_ASSERT(plugin->queue_pre().verdict == Verdict::declined);
            string out;
            CPPUNIT_ASSERT(plugin->transaction().message().write_to([&](std::string_view octets) -> Result<void> {
                out += octets;
                return {};
            }));
            return out;
        }
        /// "pass example.org/sel …" of what was sent.
        static Words signers(const string& message) {
            Words out;
            for (const auto& one : fakes::verified(message))
                out.push_back(string(mailauth::dkim_result_word(one.result)) + " " + one.domain + "/" + one.selector);
            return out;
        }

        fakes::TempDirectory keys;
        std::unique_ptr<PluginUnderTest> plugin;
    };

    void own_messages_are_signed() {
        Signer site;
        const string sent = site.sent(mail);
        CPPUNIT_ASSERT_EQUAL((Words{"pass example.org/sel", "pass example.org/ed"}), Signer::signers(sent));
        CPPUNIT_ASSERT(sent.find("t=1795199220") != string::npos && sent.find("x=") == string::npos);
        CPPUNIT_ASSERT_EQUAL(string("signed as example.org (sel, rsa-sha256)"), site.plugin->log().last());
        CPPUNIT_ASSERT(sent.ends_with(mail));
        CPPUNIT_ASSERT_EQUAL(sent, site.queued());  // never twice
        Signer brief("lifetime=7d");
        CPPUNIT_ASSERT(brief.sent(mail).find("x=1795804020") != string::npos);
    }

    void only_own_messages_are_signed() {
        Signer site;
        site.plugin->connection().set_relay_client(false);
        CPPUNIT_ASSERT_EQUAL(mail, site.sent(mail));
        CPPUNIT_ASSERT_EQUAL(mail, site.sent(mail, ""));
        site.plugin->connection().set_authenticated("joe", "PLAIN");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, Signer::signers(site.sent(mail)).size());
        // Reports of this machine itself.
        site.plugin->reconnect();
        site.plugin->connection().set_client("127.0.0.1");
        CPPUNIT_ASSERT_EQUAL(mail, site.sent(mail));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, Signer::signers(site.sent(mail, "")).size());
        // Other domains, and messages that cannot be signed.
        site.plugin->connection().set_relay_client(true);
        const string other = replaced(mail, "example.org", "example.net");
        CPPUNIT_ASSERT_EQUAL(other, site.sent(other));
        const string twice = "From: x@example.org\r\n" + mail;
        CPPUNIT_ASSERT_EQUAL(twice, site.sent(twice));
        CPPUNIT_ASSERT_EQUAL(string("not signed as example.org: the message has 2 From fields"),
                             site.plugin->log().last());
        PluginUnderTest off("dkim", "sign=off keys=" + site.keys.path());
        off.connection().set_relay_client(true);
        (void)arrives(off, mail);
        (void)off.queue_pre();
        CPPUNIT_ASSERT(!off.transaction().message().headers().edited());
    }

    void what_plugins_change_is_signed_as_it_is() {
        Signer site;
        (void)arrives(*site.plugin, mail);
        auto& message = site.plugin->transaction().message();
        message.headers().replace("Subject", "supper");
        const auto body = message.begin_body();
        CPPUNIT_ASSERT(body->append("Another  text\r\n\r\n") && body->commit());
        const string sent = site.queued();
        CPPUNIT_ASSERT_EQUAL((Words{"pass example.org/sel", "pass example.org/ed"}), Signer::signers(sent));
        CPPUNIT_ASSERT(sent.find("supper") != string::npos && sent.find("Another") != string::npos);
    }

    void keys_of_parents_links_and_envelopes() {
        Signer site;
        std::filesystem::create_directory_symlink("example.org", site.keys.path("example.net"));
        std::filesystem::create_directory_symlink(site.keys.path("example.org") + "/",
                                                  site.keys.path("absolute.example"));
        site.load("envelope_domain");
        const auto signers = [&](const string& domain, std::string_view sender = "") {
            return Signer::signers(site.sent(replaced(mail, "example.org", domain), sender));
        };
        const Words both{"pass example.org/sel", "pass example.org/ed"};
        CPPUNIT_ASSERT_EQUAL(both, signers("EXAMPLE.org"));
        CPPUNIT_ASSERT_EQUAL(both, signers("a.b.example.org"));
        CPPUNIT_ASSERT_EQUAL(both, signers("example.net"));
        CPPUNIT_ASSERT_EQUAL(both, signers("sub.absolute.example"));
        CPPUNIT_ASSERT_EQUAL(Words{}, signers("badexample.org"));
        CPPUNIT_ASSERT_EQUAL(both, signers("other.example", "bounce@example.org"));
        site.load();
        CPPUNIT_ASSERT_EQUAL(Words{}, signers("other.example", "bounce@example.org"));
    }

    void tables_of_opendkim() {
        Signer site;
        const string rsa = site.keys.path("example.org/private"), ed = site.keys.path("example.org/private-ed25519");
        const auto with = [&](const string& patterns, const string& prefix, const string& author) {
            write(site.keys.path("KeyTable"), "# keys\na example.org:sel:" + rsa + "\nb %:ed:" + ed + "\n");
            write(site.keys.path("SigningTable"), patterns);
            site.plugin = std::make_unique<PluginUnderTest>(
                "dkim",
                "keytable=" + site.keys.path("KeyTable") + " signingtable=" + prefix + site.keys.path("SigningTable"));
            CPPUNIT_ASSERT_EQUAL(string(), site.plugin->problems());
            site.plugin->connection().set_relay_client(true);
            return Signer::signers(site.sent(replaced(mail, "joe@example.org", author)));
        };
        const Words rsa_only{"pass example.org/sel"}, ed_only{"pass example.org/ed"};
        CPPUNIT_ASSERT_EQUAL(rsa_only, with("*@example.org a\n", "refile:", "joe@Example.org"));
        CPPUNIT_ASSERT_EQUAL((Words{"pass example.org/ed", "pass example.org/sel"}),
                             with("*@*.org a\n*@*.org b\n", "refile:", "joe@example.org"));
        CPPUNIT_ASSERT_EQUAL(rsa_only, with("joe@* a\n* b\n", "refile:", "joe@example.org"));
        CPPUNIT_ASSERT_EQUAL(Words{}, with("*@example.org a\n", "refile:", "joe@sub.example.org"));
        CPPUNIT_ASSERT_EQUAL(ed_only, with("* a\njoe@example.org b\n", "", "joe@example.org"));
        CPPUNIT_ASSERT_EQUAL(ed_only, with("* a\nexample.org b\njoe@.org a\n", "", "joe@example.org"));
        CPPUNIT_ASSERT_EQUAL(rsa_only, with(".example.org a\n* b\n", "", "joe@x.y.example.org"));
        CPPUNIT_ASSERT_EQUAL(rsa_only, with("joe@.example.org a\n.y.example.org b\n", "", "joe@x.y.example.org"));
        CPPUNIT_ASSERT_EQUAL(Words{}, with(".example.org a\n", "", "joe@example.org"));
    }

    void mistakes_with_keys_are_told() {
        Signer site;
        const auto told = [](const string& options) {
            const string problems = PluginUnderTest("dkim", options).problems();
            CPPUNIT_ASSERT(problems.empty() || problems.starts_with("SmtpPlugin dkim: "));
            return problems.empty() ? problems : problems.substr(string_view("SmtpPlugin dkim: ").size());
        };
        const auto problems = [&](const string& options = {}) {
            return told("keys=" + site.keys.path() + " " + options);
        };
        const string rsa = site.keys.path("example.org/private"), selector = site.keys.path("example.org/selector");
        write(rsa, fakes::rsa_key().pem(), false);
        const string open = rsa + " is a private key, and every user of this machine can read it; say: chmod o-rwx " +
                            rsa;
        CPPUNIT_ASSERT_EQUAL(open, problems());
        CPPUNIT_ASSERT(PluginUnderTest("dkim", "keys=" + site.keys.path()).is_usable());
        CPPUNIT_ASSERT(!PluginUnderTest("dkim", "strict keys=" + site.keys.path()).is_usable());
        std::filesystem::permissions(rsa, std::filesystem::perms(0600));
        std::filesystem::create_directory(site.keys.path("without.example"));
        PluginUnderTest strict("dkim", "strict keys=" + site.keys.path());
        CPPUNIT_ASSERT(strict.is_usable() && !strict.problems().empty());
        std::filesystem::remove(site.keys.path("without.example"));
        write(rsa, "no key");
        CPPUNIT_ASSERT_EQUAL(rsa + ": it is no private key in PEM without a pass phrase", problems());
        write(rsa, fakes::ed25519_key().pem());
        CPPUNIT_ASSERT_EQUAL(rsa +
                                 " has a key of ed25519-sha256; keys for ed25519-sha256 belong in private-ed25519, "
                                 "keys for rsa-sha256 in private",
                             problems());
        write(rsa, fakes::rsa_key().pem());
        write(selector, "two words\n");
        CPPUNIT_ASSERT_EQUAL(selector + ": \"two words\" is no selector", problems());
        std::filesystem::remove(selector);
        CPPUNIT_ASSERT(problems().find(selector) != string::npos &&
                       problems().find("it must have the selector of " + rsa) != string::npos);
        CPPUNIT_ASSERT_EQUAL(string(), problems("sign=off"));
        std::filesystem::remove_all(site.keys.path("example.org"));
        std::filesystem::create_directory(site.keys.path("empty.example"));
        CPPUNIT_ASSERT(problems().find("has neither a file private nor private-ed25519") != string::npos);
        CPPUNIT_ASSERT_EQUAL(string("verify and sign are both off, so that the plugin does nothing"),
                             told("sign=off verify=off"));
        CPPUNIT_ASSERT_EQUAL(string("keytable and signingtable belong together: give both, or none"),
                             told("keytable=/x"));
        write(site.keys.path("KeyTable"), "a example.org:sel\nb example.org:sel:/nowhere\n");
        write(site.keys.path("SigningTable"), "one\nx c\n");
        const string table = PluginUnderTest("dkim", "keytable=" + site.keys.path("KeyTable") +
                                                         " signingtable=" + site.keys.path("SigningTable"))
                                 .problems();
        CPPUNIT_ASSERT(table.find("KeyTable:1: a line must be: name domain:selector:/path/of/the/key") != string::npos);
        CPPUNIT_ASSERT(table.find("KeyTable:2: ") != string::npos &&
                       table.find("SigningTable:1: a line must be: pattern name") != string::npos);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DkimPluginTest);

}  // namespace
}  // namespace smtpd
