/// session_model_test.cc: sessions with commands in any order, compared with a model of what a server must know about
/// its client. The model is a few flags. If a session keeps a state too long, or forgets it too early, on an unforeseen
/// path, its replies or messages differ from the model's.
#include "fakes/session_under_test.h"
#include "support/base64.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;
using namespace std::string_literals;

/// The state that the server must know, according to the RFCs.
struct Model {
    enum class Greeted { no, helo, ehlo } greeted = Greeted::no;
    bool in_tls = false, is_known = false, in_mail = false, in_chunks = false;
    std::string message;                ///< the chunks so far
    std::vector<std::string> accepted;  ///< recipients
    std::vector<std::string> queued;    ///< "user recipients|message" each

    void end_of_mail() {
        in_mail = in_chunks = false;
        message.clear();
        accepted.clear();
    }
    void forget_all() {
        end_of_mail();
        greeted = Greeted::no;
        is_known = false;
    }
    void queue(const std::string& text) {
        std::string entry = is_known ? "joe" : "nobody";
        for (const auto& recipient : accepted) entry += " " + recipient;
        queued.push_back(entry + "|" + text);
        end_of_mail();
    }
    bool has_recipients() const { return in_mail && !accepted.empty(); }
};

/// One action of a client, and the codes of the replies to it, from the model that it changes.
struct Move {
    const char* name;
    std::string octets;
    std::string (*expect)(Model&);
};

const std::string text = "Subject: x\r\n\r\ntext\r\n";

std::string hello(Model& model, Model::Greeted how) {
    model.end_of_mail();
    model.greeted = how;
    return "250";
}

std::string mail(Model& model, const char* code) {
    if (model.greeted == Model::Greeted::no || model.in_mail) return "503";
    model.in_mail = code == "250"s;
    return code;
}

std::string rcpt(Model& model, const char* code, const char* recipient) {
    if (!model.in_mail || model.in_chunks) return "503";
    if (code == "250"s) model.accepted.push_back(recipient);
    return code;
}

std::string bdat(Model& model, bool is_last, std::string_view octets) {
    if (model.greeted != Model::Greeted::ehlo || !model.has_recipients()) return "503";
    model.in_chunks = true;
    model.message += octets;
    if (is_last) model.queue(model.message);
    return "250";
}

std::string auth(Model& model, bool is_right) {
    if (model.greeted != Model::Greeted::ehlo || model.is_known || model.in_mail) return "503";
    model.is_known = is_right;
    return is_right ? "235" : "535";
}

std::string login(const char* password) { return "AUTH PLAIN " + support::base64("\0joe\0"s + password) + "\r\n"; }

const std::vector<Move>& moves() {
    using Greeted = Model::Greeted;
    static const std::vector<Move> all = {
        {"HELO", "HELO x\r\n", [](Model& model) { return hello(model, Greeted::helo); }},
        {"EHLO", "EHLO x\r\n", [](Model& model) { return hello(model, Greeted::ehlo); }},
        {"EHLO without a name", "EHLO\r\n", [](Model&) { return "501"s; }},
        {"MAIL", "MAIL FROM:<a@b>\r\n", [](Model& model) { return mail(model, "250"); }},
        {"MAIL in lower case", "mail from:<>\r\n", [](Model& model) { return mail(model, "250"); }},
        {"MAIL of somebody unwanted", "MAIL FROM:<bad@b>\r\n", [](Model& model) { return mail(model, "550"); }},
        {"MAIL that is wrong", "MAIL FROM:<a@b\r\n", [](Model& model) { return mail(model, "501"); }},
        {"MAIL with something unknown", "MAIL FROM:<a@b> X=1\r\n", [](Model& model) { return mail(model, "555"); }},
        {"RCPT", "RCPT TO:<c@d>\r\n", [](Model& model) { return rcpt(model, "250", "c@d"); }},
        {"RCPT of another", "RCPT TO:<e@d>\r\n", [](Model& model) { return rcpt(model, "250", "e@d"); }},
        {"RCPT of nobody", "RCPT TO:<bad@d>\r\n", [](Model& model) { return rcpt(model, "550", ""); }},
        {"RCPT that is wrong", "RCPT TO:<>\r\n", [](Model& model) { return rcpt(model, "501", ""); }},
        {"DATA without a message", "DATA x\r\n", [](Model&) { return "501"s; }},
        {"BDAT", "BDAT 10\r\nSubject: x", [](Model& model) { return bdat(model, false, "Subject: x"); }},
        {"BDAT of nothing", "BDAT 0\r\n", [](Model& model) { return bdat(model, false, ""); }},
        {"BDAT with commands", "BDAT 8\r\n\r\nRSET\r\n",
         [](Model& model) { return bdat(model, false, "\r\nRSET\r\n"); }},
        {"BDAT LAST", "BDAT 8 LAST\r\n\r\ntext\r\n", [](Model& model) { return bdat(model, true, "\r\ntext\r\n"); }},
        {"RSET", "RSET\r\n",
         [](Model& model) {
             model.end_of_mail();
             return "250"s;
         }},
        {"NOOP", "NOOP\r\n", [](Model&) { return "250"s; }},
        {"VRFY", "VRFY x\r\n", [](Model&) { return "252"s; }},
        {"HELP", "HELP\r\n", [](Model&) { return "214"s; }},
        {"something unknown", "WHAT\r\n", [](Model&) { return "500"s; }},
        {"a line that is too long", "NOOP " + std::string(3000, 'x') + "\r\n", [](Model&) { return "500"s; }},
        {"AUTH", login("secret"), [](Model& model) { return auth(model, true); }},
        {"AUTH with a wrong password", login("wrong"), [](Model& model) { return auth(model, false); }},
    };
    return all;
}

/// A random action or, every other time, the one that leads to a message, which would rarely happen otherwise.
const Move& choose(const Model& model, std::mt19937& random) {
    const auto named = [](std::string_view name) -> const Move& {
        return *std::find_if(moves().begin(), moves().end(), [&](const Move& move) { return move.name == name; });
    };
    if (random() % 2 == 0) return moves()[random() % moves().size()];
    if (model.greeted == Model::Greeted::no) return named("EHLO");
    if (!model.in_mail) return named("MAIL");
    return model.accepted.empty() ? named("RCPT") : named("BDAT LAST");
}

class SessionModelTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(SessionModelTest);
    CPPUNIT_TEST(commands_in_any_order_are_answered_as_the_model_says);
    CPPUNIT_TEST(pipelined_ones_are_too);
    CPPUNIT_TEST_SUITE_END();

    struct Client : SessionUnderTest {
        explicit Client(Model& seen) {
            settings.max_errors = 0;
            settings.auth_without_tls = true;
            settings.start_tls = StartTls::on;
            hooks.on(HookId::auth_plain, [](HookContext& context) {
                return static_cast<AuthHook&>(context).proves("secret") ? ok() : deny();
            });
            hooks.on(HookId::mail, [](HookContext& context) {
                return static_cast<MailHook&>(context).sender().local_part() == "bad" ? deny() : declined();
            });
            hooks.on(HookId::rcpt, [](HookContext& context) {
                return static_cast<RcptHook&>(context).recipient.address().local_part() == "bad" ? deny() : ok();
            });
            hooks.on(HookId::queue, [&seen](HookContext& context) {
                const auto& delivery = static_cast<const Delivery&>(context);
                std::string entry = delivery.origin().is_authenticated() ? delivery.origin().auth_user : "nobody";
                for (const auto& recipient : delivery.recipients()) entry += " " + recipient.address().to_string();
                std::string stored;
                CPPUNIT_ASSERT(delivery.message().write_to([&](std::string_view octets) {
                    stored += octets;
                    return Result<void>();
                }));
                seen.queued.push_back(entry + "|" + behind_ours(stored));
                return ok();
            });
            start();
        }
        /// The message as its client sent it, after the fields that the server puts on top, the last of which is
        /// Received.
        static std::string behind_ours(const std::string& stored) {
            auto end = stored.find("\r\n", stored.find("Received: "));
            while (end != stored.npos && stored.compare(end + 2, 1, "\t") == 0) end = stored.find("\r\n", end + 2);
            return end == stored.npos ? stored : stored.substr(end + 2);
        }
    };

    /// DATA and STARTTLS need a reply in between.
    static std::string data(Model& model, Client& client) {
        const bool is_legal = model.has_recipients() && !model.in_chunks;
        CPPUNIT_ASSERT_EQUAL(is_legal ? "354"s : "503"s, fakes::codes(client.say("DATA")));
        if (!is_legal) return {};
        model.queue(text);
        return fakes::codes(client.feed(text + ".\r\n"));
    }
    static void start_tls(Model& model, Client& client) {
        CPPUNIT_ASSERT_EQUAL(model.in_tls ? "503"s : "220"s, fakes::codes(client.say("STARTTLS")));
        if (std::exchange(model.in_tls, true)) return;
        model.forget_all();
        client.shake_hands();
    }

    static std::string joined(const std::vector<std::string>& entries) {
        std::string out;
        for (const auto& entry : entries) out += entry + "\n";
        return out;
    }

public:
    void commands_in_any_order_are_answered_as_the_model_says() {
        std::size_t queued = 0;
        for (unsigned seed = 0; seed < 300; ++seed) {
            std::mt19937 random(seed);
            Model model, seen;
            Client client(seen);
            std::string so_far = "seed " + std::to_string(seed) + ":";
            for (int step = 0; step < 80; ++step) {
                const auto choice = random() % 100;
                if (choice == 0) {
                    so_far += " STARTTLS,";
                    start_tls(model, client);
                } else if (choice < 10) {
                    so_far += " DATA,";
                    const auto answer = data(model, client);
                    CPPUNIT_ASSERT_MESSAGE(so_far, answer.empty() || answer == "250");
                } else {
                    const auto& move = choose(model, random);
                    so_far += " "s + move.name + ",";
                    CPPUNIT_ASSERT_EQUAL_MESSAGE(so_far, move.expect(model), fakes::codes(client.feed(move.octets)));
                }
                CPPUNIT_ASSERT_EQUAL_MESSAGE(so_far, joined(model.queued), joined(seen.queued));
                CPPUNIT_ASSERT_EQUAL_MESSAGE(so_far, model.is_known, client.session().is_authenticated());
            }
            queued += model.queued.size();
        }
        CPPUNIT_ASSERT(queued > 1000);  // else nothing much was tried
    }

    /// Any number of commands in one packet, or cut anywhere.
    void pipelined_ones_are_too() {
        for (unsigned seed = 1000; seed < 1300; ++seed) {
            std::mt19937 random(seed);
            Model model, seen;
            Client client(seen);
            std::string octets, expected, so_far = "seed " + std::to_string(seed) + ":", said;
            for (int step = 0; step < 40; ++step) {
                const auto& move = choose(model, random);
                so_far += " "s + move.name + ",";
                octets += move.octets;
                expected += (expected.empty() ? "" : " ") + move.expect(model);
            }
            const std::size_t piece = seed % 3 == 0 ? octets.size() : 1 + random() % 50;
            for (std::size_t at = 0; at < octets.size(); at += piece)
                said += client.feed(std::string(octets, at, piece));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(so_far, expected, fakes::codes(said));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(so_far, joined(model.queued), joined(seen.queued));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(SessionModelTest);

}  // namespace
}  // namespace smtpd::engine
