/// dkim_test.cc: signatures are made and verified. (The tables of foreign test data are played by
/// tests/integration/test_mailauth_suites.py.)
#include "fakes/signed_mail.h"
#include "mailauth/public_key.h"
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace smtpd::mailauth {
namespace {

using fakes::key_zone;
using fakes::signature_for;
using fakes::signed_mail;
using fakes::signing_time;
using fakes::verdicts;
using fakes::verified;
using fakes::Words;
using std::string;

const string mail =
    "From: Joe <joe@example.org>\r\nTo: suzie@example.net\r\nSubject: dinner\r\n\ttonight\r\nDate: Thu, 9 Oct 2025 "
    "08:53:20 "
    "+0000\r\n\r\nHi.\r\n\r\nWe lost  the game.\r\n";

string replaced(string text, std::string_view what, std::string_view by) {
    const auto at = text.find(what);
    CPPUNIT_ASSERT(at != text.npos);
    return text.replace(at, what.size(), by);
}

/// One verdict, for messages with one signature.
string verdict(std::string_view message, const string& zone = key_zone(), const DkimPolicy& policy = {},
               std::chrono::sys_seconds now = signing_time) {
    const auto all = verdicts(verified(message, zone, policy, now));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    return all.front();
}

class DkimTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DkimTest);
    CPPUNIT_TEST(what_is_signed_verifies);
    CPPUNIT_TEST(what_is_changed_fails);
    CPPUNIT_TEST(fields_that_are_oversigned_cannot_be_added);
    CPPUNIT_TEST(signing_has_conditions);
    CPPUNIT_TEST(authors_are_found);
    CPPUNIT_TEST(signatures_are_folded);
    CPPUNIT_TEST(the_value_may_begin_in_any_column);
    CPPUNIT_TEST(both_kinds_of_keys_together);
    CPPUNIT_TEST(partial_bodies);
    CPPUNIT_TEST(times);
    CPPUNIT_TEST(key_records);
    CPPUNIT_TEST(sizes_and_exponents_of_rsa_keys);
    CPPUNIT_TEST(damaged_keys_are_refused);
    CPPUNIT_TEST(the_dns_decides_between_no_key_and_trouble);
    CPPUNIT_TEST(all_keys_are_asked_for_in_one_round);
    CPPUNIT_TEST(signatures_that_fit_the_author_come_first);
    CPPUNIT_TEST(limits_have_a_word);
    CPPUNIT_TEST(hostile_messages_take_bounded_time);
    CPPUNIT_TEST(messages_without_signature);
    CPPUNIT_TEST(results_for_the_field);
    CPPUNIT_TEST(the_cache_keeps_records);
    CPPUNIT_TEST(threads_share_keys);
    CPPUNIT_TEST(the_message_may_come_in_any_pieces);
    CPPUNIT_TEST_SUITE_END();

    void what_is_signed_verifies() {
        for (const auto header : {Canonicalization::simple, Canonicalization::relaxed})
            for (const auto body : {Canonicalization::simple, Canonicalization::relaxed})
                for (const PrivateKey* key : {&fakes::rsa_key(), &fakes::ed25519_key()}) {
                    DkimSigning signing;
                    signing.header_form = header;
                    const auto all = verified(signed_mail(mail, signing, *key, BodyHasher(body)));
                    CPPUNIT_ASSERT_EQUAL(Words{"pass"}, verdicts(all));
                    CPPUNIT_ASSERT_EQUAL(string("example.org"), all[0].domain);
                    CPPUNIT_ASSERT_EQUAL(string("@example.org"), all[0].identity);
                    CPPUNIT_ASSERT_EQUAL(string(key->algorithm()), all[0].algorithm);
                    CPPUNIT_ASSERT_EQUAL(key->is_rsa() ? 2048U : 256U, all[0].key_bits);
                }
    }

    void what_is_changed_fails() {
        const string whole = signed_mail(mail);
        CPPUNIT_ASSERT_EQUAL(string("fail: body hash does not match"), verdict(replaced(whole, "lost", "won")));
        CPPUNIT_ASSERT_EQUAL(string("fail: signature does not verify"), verdict(replaced(whole, "dinner", "lunch")));
        CPPUNIT_ASSERT_EQUAL(string("fail: signature does not verify"),
                             verdict(replaced(whole, "s=sel;", "s=sel; q=dns/txt;")));
        CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(replaced(whole, "lost  the", "lost the")));
        CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(replaced(whole, "Subject: dinner\r\n\t", "SUBJECT:  dinner ")));
    }

    void fields_that_are_oversigned_cannot_be_added() {
        const string whole = signed_mail(mail);
        for (const char* name : {"From", "Reply-To", "Subject", "Date", "To", "Cc", "MIME-Version", "Content-Type",
                                 "Content-Transfer-Encoding"})
            CPPUNIT_ASSERT_EQUAL(string("fail: signature does not verify"), verdict(string(name) + ": x\r\n" + whole));
        for (const char* name : {"Received", "List-Id", "X-Anything", "Authentication-Results"})
            CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(string(name) + ": x\r\n" + whole));
    }

    void signing_has_conditions() {
        const auto refusal = [](std::string_view message, DkimSigning signing = {}) -> string {
            try {
                signature_for(message, std::move(signing));
            } catch (const std::runtime_error& problem) { return problem.what(); }
            return "";
        };
        CPPUNIT_ASSERT_EQUAL(string("the message has 0 From fields"), refusal("To: x\r\n\r\n"));
        CPPUNIT_ASSERT_EQUAL(string("the message has 2 From fields"), refusal("From: a@x.example\r\n" + mail));
        CPPUNIT_ASSERT_EQUAL(string("a header line is no field"), refusal("junk\r\n" + mail));
        CPPUNIT_ASSERT_EQUAL(string("From not signed"),
                             refusal(mail, {.domain = {}, .selector = {}, .fields = {"to"}}));
        CPPUNIT_ASSERT_EQUAL(string("d= and s= are no domain name"), refusal(mail, {.domain = "a b", .selector = {}}));
    }

    void authors_are_found() {
        const auto author = [](std::string_view from) {
            const auto found = first_author(from);
            return found ? found->local_part() + " at " + found->domain() : "nobody";
        };
        CPPUNIT_ASSERT_EQUAL(string("joe at example.org"), author("joe@example.org"));
        CPPUNIT_ASSERT_EQUAL(string("joe at example.org"),
                             author("\"a@b.example <x@y.example>\" <joe@example.org> (me@c.example)"));
        CPPUNIT_ASSERT_EQUAL(string("joe at example.org"), author("Joe (a\\)(b)@x) <joe @\r\n example.org>"));
        CPPUNIT_ASSERT_EQUAL(string("joe at example.org"), author("joe@example.org, sue@example.net"));
        CPPUNIT_ASSERT_EQUAL(string("joe at example.org"), author("team: , joe@example.org, sue@example.net;"));
        CPPUNIT_ASSERT_EQUAL(string("a@b c at example.org"), author("<\"a@b c\"@example.org>"));
        CPPUNIT_ASSERT_EQUAL(string("joe at example.org"), author("<@relay.example:joe@example.org>"));
        for (const char* const none :
             {"", "joe", "joe@", "<>", "\"a@b.example\"", "(joe@example.org)", "team:;", "\"open"})
            CPPUNIT_ASSERT_EQUAL(string("nobody"), author(none));
    }

    void signatures_are_folded() {
        string many = mail;
        for (int i = 0; i < 60; ++i) many = "References: <" + std::to_string(i) + "@x.example>\r\n" + many;
        for (const PrivateKey* key : {&fakes::rsa_key(), &fakes::ed25519_key()}) {
            string value = "DKIM-Signature: " + signature_for(many, {}, *key);
            CPPUNIT_ASSERT_EQUAL(Words{"pass"}, verdicts(verified(value + "\r\n" + many)));
            for (;;) {
                const auto end = value.find("\r\n");
                const string line = value.substr(0, end);
                CPPUNIT_ASSERT(line.size() <= 76 && line.find_first_not_of("\t ") != line.npos);
                if (end == value.npos) break;
                value.erase(0, end + 2);
            }
        }
    }

    void the_value_may_begin_in_any_column() {
        for (std::size_t size = 1; size < 63; ++size) {
            DkimSigning signing;
            signing.header_form = Canonicalization::simple;
            signing.selector = string(size, 's');
            const string zone = signing.selector +
                                "._domainkey.example.org TXT k=ed25519; p=" + fakes::ed25519_key().public_text() + "\n";
            CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(signed_mail(mail, signing, fakes::ed25519_key()), zone));
        }
    }

    void both_kinds_of_keys_together() {
        const string twice = "DKIM-Signature: " + signature_for(mail, {}, fakes::ed25519_key()) + "\r\n" +
                             signed_mail(mail);
        CPPUNIT_ASSERT_EQUAL((Words{"pass", "pass"}), verdicts(verified(twice)));
        // One wrong signature does not spoil the other one.
        CPPUNIT_ASSERT_EQUAL((Words{"fail: signature does not verify", "pass"}),
                             verdicts(verified(replaced(twice, "s=ed; ", "s=ed; n=1; "))));
    }

    void partial_bodies() {
        const string whole = signed_mail(mail, {}, fakes::rsa_key(), BodyHasher(Canonicalization::simple, 5));
        const auto all = verified(whole);
        CPPUNIT_ASSERT_EQUAL(Words{"pass"}, verdicts(all));
        CPPUNIT_ASSERT_EQUAL(std::uint64_t{22}, all[0].unsigned_octets);
        const DkimPolicy strict{.accepts_partial_body = false};
        CPPUNIT_ASSERT_EQUAL(string("policy: body not fully signed"), verdict(whole, key_zone(), strict));
        CPPUNIT_ASSERT_EQUAL(string("permerror: l= over body length"), verdict(whole.substr(0, whole.find("Hi.") + 1)));
        const string exact = signed_mail(mail, {}, fakes::rsa_key(), BodyHasher(Canonicalization::simple, 27));
        CPPUNIT_ASSERT_EQUAL(string("pass"), verdict(exact, key_zone(), strict));
        CPPUNIT_ASSERT_EQUAL(string("policy: body not fully signed"), verdict(exact + "more\r\n", key_zone(), strict));
    }

    void times() {
        using std::chrono::seconds;
        DkimSigning signing;
        signing.expiry = signing_time + seconds(1000);
        const string whole = signed_mail(mail, signing);
        const auto at = [&](int second) { return verdict(whole, key_zone(), {}, signing_time + seconds(second)); };
        CPPUNIT_ASSERT_EQUAL(string("pass"), at(0));
        CPPUNIT_ASSERT_EQUAL(string("pass"), at(1300));
        CPPUNIT_ASSERT_EQUAL(string("permerror: signature has expired (x=)"), at(1301));
        CPPUNIT_ASSERT_EQUAL(string("pass"), at(-300));
        CPPUNIT_ASSERT_EQUAL(string("permerror: signature is of the future (t=)"), at(-301));
        CPPUNIT_ASSERT_EQUAL(string("pass"),
                             verdict(signed_mail(mail), key_zone(), {}, signing_time + seconds(1 << 30)));
    }

    void key_records() {
        const auto with = [whole = signed_mail(mail)](const string& record) {
            return verdict(whole, "sel._domainkey.example.org TXT " + record + "\n");
        };
        const string p = "p=" + fakes::rsa_key().public_text();
        CPPUNIT_ASSERT_EQUAL(string("pass"), with(p));
        CPPUNIT_ASSERT_EQUAL(string("pass"), with("v=DKIM1; h=sha1:sha256; s=email; t=y:x; n=a note; x=y; " + p + ";"));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key v= is not the first tag"), with(p + "; v=DKIM1"));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key v= is not DKIM1"), with("v=spf1 -all"));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key k= is not known"), with("k=dsa; " + p));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key h= does not have sha256"), with("h=sha1; " + p));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key s= does not have email"), with("s=tlsrpt; " + p));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key revoked"), with("v=DKIM1; p="));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key without p="), with("v=DKIM1"));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key p= is not base64"), with("p=?"));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key record: tag syntax"), with("p=AAAA; \\; k=rsa"));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key record: duplicate tag p"), with(p + "; " + p));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key type does not match a="),
                             with("k=ed25519; p=" + fakes::ed25519_key().public_text()));
        // t=y tells that the domain is testing, whatever the result.
        CPPUNIT_ASSERT(
            verified(replaced(signed_mail(mail), "lost", "won"), "sel._domainkey.example.org TXT t=y; " + p)[0]
                .is_testing);
        // t=s: i= must be in d= itself.
        const string sub = replaced(signed_mail(mail), "d=example.org;", "d=example.org; i=joe@sub.example.org;");
        CPPUNIT_ASSERT_EQUAL(string("permerror: key t=s: i= is below d="),
                             verdict(sub, "sel._domainkey.example.org TXT t=s; " + p));
        // Of several records the one that fits counts, but only the first four are tried.
        const string name = "\nsel._domainkey.example.org TXT ";
        CPPUNIT_ASSERT_EQUAL(string("pass"), with("v=spf1 -all" + name + "p=" + name + p));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key without p="),
                             with("a=1" + name + "a=2" + name + "a=3" + name + "a=4" + name + p));
    }

    static string der(unsigned char type, const string& content) {
        string out(1, static_cast<char>(type));
        if (content.size() < 128) return out + static_cast<char>(content.size()) + content;
        return out + "\x82" + static_cast<char>(content.size() >> 8) + static_cast<char>(content.size()) + content;
    }
    static string rsa_record(std::size_t octets, const string& exponent) {
        const string modulus = string(1, '\0') + string(1, '\x80') + string(octets - 2, '\x5a') + "\x5b";
        return support::base64(der(0x30, der(2, modulus) + der(2, exponent)));
    }

    void sizes_and_exponents_of_rsa_keys() {
        const auto with = [whole = signed_mail(mail)](const string& p) {
            return verdict(whole, "sel._domainkey.example.org TXT p=" + p + "\n");
        };
        const string usual("\x01\x00\x01", 3);
        CPPUNIT_ASSERT_EQUAL(string("policy: key of 512 bits"), with(rsa_record(64, usual)));
        CPPUNIT_ASSERT_EQUAL(string("policy: key of 1016 bits"), with(rsa_record(127, usual)));
        CPPUNIT_ASSERT_EQUAL(string("fail: signature does not verify"), with(rsa_record(128, usual)));
        CPPUNIT_ASSERT_EQUAL(string("fail: signature does not verify"), with(rsa_record(1024, usual)));
        CPPUNIT_ASSERT_EQUAL(string("policy: key of 8200 bits"), with(rsa_record(1025, usual)));
        CPPUNIT_ASSERT_EQUAL(string("policy: key of 16384 bits"), with(rsa_record(2048, usual)));
        for (const string& exponent :
             {string("\x01"), string("\x02"), string("\x01\x00\x00\x00\x01", 5), string(200, '\x03')})
            CPPUNIT_ASSERT_EQUAL(string("permerror: key exponent is not allowed"), with(rsa_record(256, exponent)));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key syntax: no RSA key"), with(rsa_record(256, string("\x00", 1))));
        CPPUNIT_ASSERT_EQUAL(string("permerror: key syntax: no RSA key"), with(rsa_record(256, "\xff")));
    }

    void damaged_keys_are_refused() {
        const string whole = *support::from_base64(fakes::rsa_key().public_text());
        CPPUNIT_ASSERT(PublicKey::parse(KeyType::rsa, whole));
        for (std::size_t size = 0; size < whole.size(); ++size)
            CPPUNIT_ASSERT(!PublicKey::parse(KeyType::rsa, std::string_view(whole).substr(0, size)));
        CPPUNIT_ASSERT(!PublicKey::parse(KeyType::rsa, whole + "x"));
        for (std::size_t at = 0; at < 40; ++at)  // lengths and types: whatever comes out, it must not read beyond the
                                                 // end
            for (const char c : {'\0', '\x7f', '\x80', '\x84', '\xff'}) {
                string changed = whole;
                changed[at] = c;
                const auto key = PublicKey::parse(KeyType::rsa, changed);
                CPPUNIT_ASSERT(!key || key->type() == KeyType::rsa);
            }
        CPPUNIT_ASSERT(!PublicKey::parse(KeyType::ed25519, whole));
        CPPUNIT_ASSERT(!PublicKey::parse(KeyType::ed25519, string(31, 'x')));
    }

    void the_dns_decides_between_no_key_and_trouble() {
        const string whole = signed_mail(mail);
        CPPUNIT_ASSERT_EQUAL(string("permerror: no key"), verdict(whole, ""));
        CPPUNIT_ASSERT_EQUAL(string("permerror: no key"), verdict(whole, "sel._domainkey.example.org A 192.0.2.1\n"));
        CPPUNIT_ASSERT_EQUAL(string("temperror: key: no answer in time"),
                             verdict(whole, "sel._domainkey.example.org TIMEOUT\n"));
        CPPUNIT_ASSERT(verdict(whole, "sel._domainkey.example.org SERVFAIL\n").starts_with("temperror: key: "));
        // A changed body does not need a key to be wrong, but the key decides first.
        CPPUNIT_ASSERT_EQUAL(string("permerror: no key"), verdict(replaced(whole, "lost", "won"), ""));
    }

    void all_keys_are_asked_for_in_one_round() {
        const string twice = "DKIM-Signature: " + signature_for(mail, {}, fakes::ed25519_key()) + "\r\n" +
                             signed_mail(mail);
        MessageReader reader;
        reader.chunk("DKIM-Signature: v=1; a=rsa-sha1; d=old.example; s=x; h=from; bh=AA==; b=AA==\r\n" + twice);
        reader.end();
        fakes::ZoneLookups lookups(key_zone());
        KeyCache keys;
        lookups.run([&](Lookups& known) { return verify_dkim(reader, known, keys, signing_time); });
        CPPUNIT_ASSERT_EQUAL(1, lookups.rounds());
        CPPUNIT_ASSERT_EQUAL((Words{"ed._domainkey.example.org TXT", "sel._domainkey.example.org TXT"}),
                             Words(lookups.asked()));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, keys.size());
    }

    void signatures_that_fit_the_author_come_first() {
        string many = signed_mail(mail);
        for (int i = 0; i < 30; ++i)
            many = "DKIM-Signature: v=1; a=rsa-sha256; d=d" + std::to_string(i) +
                   ".example; s=s; h=from; bh=AA==; b=AA==\r\n" + many;
        const auto all = verdicts(verified(many));
        CPPUNIT_ASSERT_EQUAL(std::size_t{31}, all.size());
        CPPUNIT_ASSERT_EQUAL(string("pass"), all.back());
        CPPUNIT_ASSERT_EQUAL(string("permerror: no key"), all[0]);
        CPPUNIT_ASSERT_EQUAL(string("permerror: no key"), all[8]);
        for (std::size_t i = 9; i < 30; ++i)
            CPPUNIT_ASSERT_EQUAL(string("policy: too many signatures: more than 10"), all[i]);
    }

    void limits_have_a_word() {
        const string whole = signed_mail(mail);
        CPPUNIT_ASSERT_EQUAL(string("policy: field of more than 65536 octets"),
                             verdict(replaced(whole, "s=sel;", "s=sel; z=" + string(65536, 'x') + ";")));
        CPPUNIT_ASSERT_EQUAL(
            string("policy: header block of more than 1048576 octets"),
            verdict(whole.substr(0, whole.find("\r\nHi")) + "X: " + string(1048576, 'x') + "\r\n\r\nHi"));
        string names;
        for (int i = 0; i < 1000; ++i) names += "x:";
        CPPUNIT_ASSERT_EQUAL(string("policy: more than 1000 names in h="),
                             verdict(replaced(whole, "h=From", "h=" + names + "From")));
        CPPUNIT_ASSERT_EQUAL(string("permerror: a header line is no field"), verdict("junk\r\n" + whole));
    }

    void hostile_messages_take_bounded_time() {
        string fields;
        while (fields.size() < 900000) fields += "a:\r\n";
        string names = "from";
        for (int i = 0; i < 900; ++i) names += ":a";
        string hostile;
        for (int i = 0; i < 1000; ++i)
            hostile += "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=sel; h=from; l=" + std::to_string(i) +
                       "; bh=AA==; b=AA==\r\n";
        const auto began = std::chrono::steady_clock::now();
        const string whole = signed_mail(mail);
        CPPUNIT_ASSERT_EQUAL(std::size_t{1001}, verified(hostile + whole).size());
        CPPUNIT_ASSERT_EQUAL(string("fail: signature does not verify"),
                             verdict(replaced(whole, "h=From", "h=" + names + ":From").insert(0, fields)));
        CPPUNIT_ASSERT(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
    }

    void messages_without_signature() {
        CPPUNIT_ASSERT(verified(mail).empty());
        CPPUNIT_ASSERT(verified("").empty());
        CPPUNIT_ASSERT(verified("\r\nDKIM-Signature: v=1").empty());
        CPPUNIT_ASSERT_EQUAL(Words{"permerror: missing v="}, verdicts(verified("DKIM-Signature: a=1")));
    }

    void results_for_the_field() {
        const auto lines = [](const std::vector<DkimSignature>& signatures) {
            Words out;
            for (const auto& result : dkim_results(signatures)) out.push_back(result.to_string());
            return out;
        };
        CPPUNIT_ASSERT_EQUAL(Words{"dkim=none"}, lines({}));
        const auto all = verified(signed_mail(mail));
        const AuthenticationResult passed{.method = "dkim",
                                          .result = "pass",
                                          .properties = {{"header", "d", "example.org"},
                                                         {"header", "i", "@example.org"},
                                                         {"header", "s", "sel"},
                                                         {"header", "a", "rsa-sha256"},
                                                         {"header", "b", all[0].value.substr(0, 8)}},
                                          .comment = "2048-bit key"};
        CPPUNIT_ASSERT_EQUAL(passed.to_string(), lines(all)[0]);
        DkimSignature one, other;
        one.value = "abcdefghijkl";
        other.value = "abcdefghijxy";
        other.result = DkimResult::fail;
        other.reason = "body hash does not match";
        other.is_testing = true;
        const Words two = lines({one, other, one});
        CPPUNIT_ASSERT_EQUAL(string("dkim=permerror header.b=abcdefgh"), two[0]);
        CPPUNIT_ASSERT_EQUAL(string("dkim=fail (test mode) reason=\"body hash does not match\" header.b=abcdefghijx"),
                             lines({one, other})[1]);
        DkimSignature surplus;
        surplus.result = DkimResult::policy;
        surplus.reason = "too many signatures: more than 10";
        CPPUNIT_ASSERT_EQUAL(
            (Words{"dkim=permerror header.b=abcdefgh", "dkim=policy (2 more) reason=\"too many signatures\""}),
            lines({one, surplus, surplus}));
    }

    void the_cache_keeps_records() {
        using std::chrono::seconds;
        KeyCache keys(2);
        const auto first = keys.get("p=1", seconds(300), signing_time);
        CPPUNIT_ASSERT(keys.get("p=1", seconds(300), signing_time + seconds(299)) == first);
        CPPUNIT_ASSERT(keys.get("p=1", seconds(300), signing_time + seconds(300)) != first);
        // The least recently used one goes.
        const auto b = keys.get("p=2", seconds(300), signing_time + seconds(300));
        const auto a = keys.get("p=1", seconds(300), signing_time + seconds(301));
        keys.get("p=3", seconds(300), signing_time + seconds(301));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, keys.size());
        CPPUNIT_ASSERT(keys.get("p=1", seconds(0), signing_time + seconds(302)) == a);
        CPPUNIT_ASSERT(keys.get("p=2", seconds(0), signing_time + seconds(302)) != b);
        CPPUNIT_ASSERT(keys.get(string(5000, 'x'), seconds(0), signing_time) && keys.size() == 2);
        // Life has bounds.
        KeyCache other;
        const auto brief = other.get("p=1", seconds(0), signing_time);
        CPPUNIT_ASSERT(other.get("p=1", seconds(0), signing_time + seconds(59)) == brief);
        const auto lasting = other.get("p=2", seconds(1 << 30), signing_time);
        CPPUNIT_ASSERT(other.get("p=2", seconds(0), signing_time + seconds(3600)) != lasting);
    }

    void threads_share_keys() {
        const string whole = "DKIM-Signature: " + signature_for(mail, {}, fakes::ed25519_key()) + "\r\n" +
                             signed_mail(mail);
        KeyCache keys;
        std::vector<std::thread> threads;
        std::atomic<int> passed{0};
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int round = 0; round < 50; ++round) {
                    MessageReader reader;
                    reader.chunk(whole);
                    reader.end();
                    fakes::ZoneLookups lookups(key_zone());
                    const auto all = lookups.run(
                        [&](Lookups& known) { return verify_dkim(reader, known, keys, signing_time); });
                    if (all.size() == 2 && all[0].passes() && all[1].passes()) ++passed;
                }
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(200, passed.load());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, keys.size());
    }

    void the_message_may_come_in_any_pieces() {
        const string whole = signed_mail(mail);
        for (const std::size_t piece : {1, 2, 3, 5, 1000}) {
            MessageReader reader;
            for (std::size_t at = 0; at < whole.size(); at += piece)
                reader.chunk(std::string_view(whole).substr(at, piece));
            CPPUNIT_ASSERT(!reader.is_complete() && !reader.body_hash(Canonicalization::relaxed));
            reader.end();
            CPPUNIT_ASSERT_EQUAL(whole.substr(0, whole.find("\r\n\r\n") + 2), reader.header_block());
            CPPUNIT_ASSERT(reader.body_hash(Canonicalization::relaxed) && !reader.body_hash(Canonicalization::simple));
            KeyCache keys;
            fakes::ZoneLookups lookups(key_zone());
            CPPUNIT_ASSERT_EQUAL(
                Words{"pass"},
                verdicts(lookups.run([&](Lookups& known) { return verify_dkim(reader, known, keys, signing_time); })));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DkimTest);

}  // namespace
}  // namespace smtpd::mailauth
