/// arc_test.cc: chains are sealed and validated. (The public test suite is played by
/// tests/integration/test_mailauth_suites.py.)
#include "fakes/signed_mail.h"
#include "mailauth/own_results.h"

#include <smtpd/mailauth/arc.h>

#include <cppunit/extensions/HelperMacros.h>

#include <chrono>
#include <string>
#include <string_view>

namespace smtpd::mailauth {
namespace {

using fakes::key_zone;
using fakes::signing_time;
using fakes::Words;
using std::string;
using std::string_view;

const string mail =
    "Authentication-Results: lists.example.org; spf=pass smtp.mailfrom=joe@example.org;\r\n\tdkim=none\r\n"
    "From: Joe <joe@example.org>\r\nTo: list@example.org\r\nSubject: dinner\r\n\r\nWe lost  the game.\r\n";

ArcChain validated(string_view message, const string& zone = key_zone()) {
    MessageReader reader;
    reader.chunk(message);
    reader.end();
    KeyCache keys;
    fakes::ZoneLookups lookups(zone);
    return lookups.run([&](Lookups& known) { return validate_arc(reader, known, keys, signing_time); });
}

/// "pass", "fail: set 1 is not complete".
string verdict(string_view message, const string& zone = key_zone()) {
    const ArcChain chain = validated(message, zone);
    return string(arc_result_word(chain.result)) + (chain.reason.empty() ? "" : ": " + chain.reason);
}

const ArcSealing by_example_org{
    .domain = "example.org", .selector = "sel", .authserv_id = "lists.example.org", .fields = {}, .time = signing_time};

Result<std::optional<ArcFields>> seal_fields(string_view message, const ArcChain& chain,
                                             const ArcSealing& sealing = by_example_org,
                                             const PrivateKey& key = fakes::rsa_key()) {
    const auto end = message.find("\r\n\r\n");
    BodyHasher body(Canonicalization::relaxed);
    body.update(message.substr(end + 4));
    body.finish();
    return seal_arc(message.substr(0, end + 2), body, chain, sealing, key);
}

/// The message with another set on top, as the next server gets it.
string sealed(const string& message, const ArcSealing& sealing = by_example_org,
              const PrivateKey& key = fakes::rsa_key()) {
    const auto fields = seal_fields(message, validated(message), sealing, key);
    CPPUNIT_ASSERT(fields && *fields);
    return "ARC-Seal: " + (*fields)->seal + "\r\nARC-Message-Signature: " + (*fields)->message_signature +
           "\r\nARC-Authentication-Results: " + (*fields)->results + "\r\n" + message;
}

string replaced(string text, string_view what, string_view by, bool the_last = false) {
    const auto at = the_last ? text.rfind(what) : text.find(what);
    CPPUNIT_ASSERT(at != text.npos);
    return text.replace(at, what.size(), by);
}

class ArcTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(ArcTest);
    CPPUNIT_TEST(chains_of_several_sealers_pass);
    CPPUNIT_TEST(what_is_changed_fails);
    CPPUNIT_TEST(the_history_of_changes_is_told);
    CPPUNIT_TEST(wrong_structures_fail);
    CPPUNIT_TEST(a_failure_is_sealed_once);
    CPPUNIT_TEST(chains_have_at_most_fifty_sets);
    CPPUNIT_TEST(trouble_of_the_dns_is_not_sealed);
    CPPUNIT_TEST(only_trusted_sealers_count);
    CPPUNIT_TEST(seals_have_the_layout_that_is_wanted);
    CPPUNIT_TEST(own_results_are_taken_over);
    CPPUNIT_TEST(results_for_the_field);
    CPPUNIT_TEST(hostile_chains_take_bounded_time);
    CPPUNIT_TEST_SUITE_END();

    void chains_of_several_sealers_pass() {
        CPPUNIT_ASSERT_EQUAL(string("none"), verdict(mail));
        string message = mail;
        for (std::size_t i = 1; i <= 4; ++i) {
            ArcSealing sealing = by_example_org;
            if (i % 2 == 0) sealing.selector = "ed";
            message = sealed(message, sealing, i % 2 == 0 ? fakes::ed25519_key() : fakes::rsa_key());
            const ArcChain chain = validated(message);
            CPPUNIT_ASSERT_EQUAL(string(), chain.reason);
            CPPUNIT_ASSERT(chain.passes() && chain.instances == i && chain.sets.size() == i && chain.oldest_pass == 0);
            CPPUNIT_ASSERT_EQUAL(sealing.selector, chain.sets.back().selector);
        }
        CPPUNIT_ASSERT(validated(message).sets.front().results.starts_with("lists.example.org;"));
        CPPUNIT_ASSERT_EQUAL(string("pass"), verdict("Received: later\r\n" + message));
    }

    void what_is_changed_fails() {
        const string message = sealed(mail);
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Message-Signature 1: body hash does not match"),
                             verdict(replaced(message, "lost", "won")));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Message-Signature 1: signature does not verify"),
                             verdict(replaced(message, "dinner", "supper")));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Seal 1: signature does not verify"),
                             verdict(replaced(message, "dkim=none", "dkim=pass")));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Message-Signature 1: no key"), verdict(message, ""));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Message-Signature 1: signature does not verify"),
                             verdict("Subject: x\r\n" + message));
        CPPUNIT_ASSERT_EQUAL(string("fail: a header line is no field"), verdict("junk\r\n" + message));
    }

    void the_history_of_changes_is_told() {
        string message = sealed(mail);
        message = sealed(replaced(message, "Subject: dinner", "Subject: [list] dinner"));
        // The list broke the signature of set 1, so its own set fails to validate it: cv=fail.
        CPPUNIT_ASSERT_EQUAL(string("fail: the newest seal says cv=fail"), verdict(message));
        // Validated on arrival and changed before it is sealed, the chain is whole, and set 2 is the oldest that fits.
        message = sealed(mail);
        const auto fields = seal_fields(replaced(message, "Subject: dinner", "Subject: [list] dinner"),
                                        validated(message));
        CPPUNIT_ASSERT(fields && *fields);
        const string changed = "ARC-Seal: " + (*fields)->seal +
                               "\r\nARC-Message-Signature: " + (*fields)->message_signature +
                               "\r\nARC-Authentication-Results: " + (*fields)->results + "\r\n" +
                               replaced(message, "Subject: dinner", "Subject: [list] dinner");
        CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(changed));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, validated(changed).oldest_pass);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, validated(sealed(changed)).oldest_pass);
    }

    void wrong_structures_fail() {
        const string one = sealed(mail), two = sealed(one);
        const auto without = [](const string& message, string_view name) {
            const auto at = message.find(name);
            auto end = message.find("\r\n", at);
            while (message[end + 2] == '\t') end = message.find("\r\n", end + 2);
            return message.substr(0, at) + message.substr(end + 2);
        };
        for (const char* name : {"ARC-Seal:", "ARC-Message-Signature:", "ARC-Authentication-Results:"}) {
            CPPUNIT_ASSERT_EQUAL(string("fail: set 1 is not complete"), verdict(without(one, name)));
            CPPUNIT_ASSERT(verdict(without(two, name)).ends_with("is not complete"));
        }
        CPPUNIT_ASSERT_EQUAL(string("fail: two ARC-Authentication-Results with i=1"),
                             verdict("ARC-Authentication-Results: i=1; x; none\r\n" + one));
        CPPUNIT_ASSERT_EQUAL(string("fail: two ARC-Seal with i=1"),
                             verdict(one.substr(0, one.find("ARC-Message")) + one));
        CPPUNIT_ASSERT_EQUAL(string("fail: i= is no number of a set"), verdict("ARC-Seal: i=0\r\n" + one));
        CPPUNIT_ASSERT_EQUAL(string("fail: i= is no number of a set"),
                             verdict("ARC-Authentication-Results: x; i=2\r\n" + one));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Seal 1: cv=pass"), verdict(replaced(one, "cv=none", "cv=pass")));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Seal 2: cv=none"), verdict(replaced(two, "cv=pass", "cv=none")));
        CPPUNIT_ASSERT_EQUAL(string("fail: ARC-Seal 1: h= in a seal"),
                             verdict(replaced(one, "cv=none;", "cv=none; h=from;")));
        CPPUNIT_ASSERT_EQUAL(string("fail: set 1 is not complete"), verdict("ARC-Seal: i=3; cv=none\r\n" + mail));
    }

    void a_failure_is_sealed_once() {
        const string broken = replaced(sealed(sealed(mail)), "lost", "won");
        const string failed = sealed(broken);
        const ArcChain chain = validated(failed);
        CPPUNIT_ASSERT(chain.result == ArcResult::fail && chain.has_ended && chain.instances == 3);
        const auto more = seal_fields(failed, chain);
        CPPUNIT_ASSERT(more && !*more);
        // Fields beyond repair, too: the number is above all that are there.
        const auto odd = seal_fields("ARC-Seal: i=7\r\n" + broken, validated("ARC-Seal: i=7\r\n" + broken));
        CPPUNIT_ASSERT(odd && (*odd)->seal.starts_with("i=8; a=rsa-sha256; cv=fail;"));
    }

    void chains_have_at_most_fifty_sets() {
        string message = mail;
        for (int i = 0; i < 50; ++i) message = sealed(message, by_example_org, fakes::rsa_key());
        CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(message));
        const auto more = seal_fields(message, validated(message));
        CPPUNIT_ASSERT(more && !*more);
        const string beyond = "ARC-Authentication-Results: i=51; x; none\r\n" + message;
        CPPUNIT_ASSERT_EQUAL(string("fail: more than 50 sets"), verdict(beyond));
        CPPUNIT_ASSERT(!*seal_fields(beyond, validated(beyond)));
    }

    void trouble_of_the_dns_is_not_sealed() {
        const string message = sealed(mail);
        const ArcChain chain = validated(message, "sel._domainkey.example.org TIMEOUT\n");
        CPPUNIT_ASSERT(chain.result == ArcResult::fail && chain.is_temporary);
        CPPUNIT_ASSERT(!seal_fields(message, chain));
    }

    void only_trusted_sealers_count() {
        ArcChain chain{.result = ArcResult::pass,
                       .instances = 3,
                       .sets = {{"first.example", "", ""}, {"second.example", "", ""}, {"third.example", "", ""}}};
        const auto trusting = [&](Words domains) {
            return oldest_trusted(chain, [&](const string& domain) {
                return std::find(domains.begin(), domains.end(), domain) != domains.end();
            });
        };
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, trusting({"first.example", "second.example", "third.example"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, trusting({"second.example", "third.example"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{3}, trusting({"first.example", "third.example"}));
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, trusting({"first.example", "second.example"}));
        chain.result = ArcResult::fail;
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, trusting({"third.example"}));
    }

    void seals_have_the_layout_that_is_wanted() {
        ArcSealing sealing = by_example_org;
        sealing.fields = {"from", "to", "subject"};
        const auto usual = seal_fields(mail, {}, sealing);
        CPPUNIT_ASSERT((*usual)->message_signature.starts_with("i=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;"));
        sealing.layout = ArcLayout::standard;
        const auto standard = seal_fields(mail, {}, sealing);
        CPPUNIT_ASSERT(
            (*standard)->message_signature.starts_with("a=rsa-sha256; b=") &&
            (*standard)->message_signature.ends_with("; d=example.org; h=from:to:subject; i=1; s=sel; t=1795199220"));
        CPPUNIT_ASSERT((*standard)->seal.starts_with("a=rsa-sha256; b=") &&
                       (*standard)->seal.ends_with("; cv=none; d=example.org; i=1; s=sel; t=1795199220"));
        sealing.fields = {"from", "ARC-Seal"};
        CPPUNIT_ASSERT_EQUAL(string("h= has ARC-Seal"), seal_fields(mail, {}, sealing).error().what);
    }

    void own_results_are_taken_over() {
        const auto entries = [](const string& block) { return Words(own_results(HeaderBlock(block), "mx.example")); };
        CPPUNIT_ASSERT_EQUAL(
            (Words{"spf=pass (a;b) reason=\"c;d\"", "dkim=none", "dmarc=pass"}),
            entries("Authentication-Results: MX.example 1; spf=pass (a;b)\r\n reason=\"c;d\"; dkim=none\r\n"
                    "Authentication-Results: other.example; spf=fail\r\n"
                    "authentication-results: (x;) \"mx.example\" ; dmarc=pass ;\r\n"));
        CPPUNIT_ASSERT_EQUAL(Words{}, entries("Authentication-Results: mx.example; none\r\n"));
        CPPUNIT_ASSERT_EQUAL(
            Words{},
            entries(
                "Authentication-Results: mx.example.org; "
                "spf=pass\r\nAuthentication-Results:\r\nAuthentication-Results: (\r\nAuthentication-Results: \"\r\n"));
        const auto none = seal_fields("From: a@b.example\r\n\r\n", {});
        CPPUNIT_ASSERT_EQUAL(string("i=1; lists.example.org; none"), (*none)->results);
    }

    void results_for_the_field() {
        CPPUNIT_ASSERT_EQUAL(string("arc=none"), arc_result({}).to_string());
        CPPUNIT_ASSERT_EQUAL(string("arc=pass (i=1 d=example.org) header.oldest-pass=0"),
                             arc_result(validated(sealed(mail))).to_string());
        CPPUNIT_ASSERT_EQUAL(string("arc=fail reason=\"two ARC-Seal with i=1\""),
                             arc_result({.result = ArcResult::fail, .reason = "two ARC-Seal with i=1"}).to_string());
    }

    void hostile_chains_take_bounded_time() {
        const auto began = std::chrono::steady_clock::now();
        string fields;
        while (fields.size() < 900000)
            fields += "ARC-Seal: i=1\r\nARC-Message-Signature: i=2; l=" + std::to_string(fields.size()) + "\r\n";
        CPPUNIT_ASSERT(verdict(fields + mail).starts_with("fail: two ARC-"));
        CPPUNIT_ASSERT(verdict("ARC-Seal: i=1; z=" + string(70000, 'x') + "\r\n" + mail).starts_with("fail: "));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(ArcTest);

}  // namespace
}  // namespace smtpd::mailauth
