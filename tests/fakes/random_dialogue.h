/// random_dialogue.h: a session with a random client, random settings, plugins and waits, all chosen by one number. It
/// records everything that is visible from outside: octets, steps, phases, the calls of plugins and what they saw, and
/// the log. The same number gives the same text, so a test can compare two versions of the engine.
#pragma once

#include "engine/server_access.h"
#include "fakes/scram_client.h"
#include "fakes/session_under_test.h"
#include "support/base64.h"

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::fakes {

class RandomDialogue {
public:
    explicit RandomDialogue(unsigned seed) : random_(seed) {
        choose_settings();
        choose_plugins();
    }

    /// Once.
    std::string play(bool with_log = true) {
        begin();
        for (unsigned move = 0; move < 60 && !client_.is_closed(); ++move) {
            if (client_.step == engine::Step::start_tls) handshake();
            else if (client_.is_parked() && !chance(5)) pass_time();
            else say_something();
        }
        for (unsigned i = 0; i < 20 && client_.is_parked(); ++i) pass_time();
        if (!client_.is_closed()) seen("end", client_.end_of_input());
        for (unsigned i = 0; i < 20 && client_.is_parked(); ++i) pass_time();
        for (const auto& message : client_.hooks.queued)
            record_ += "queued " + quoted(message, message.size() * 4 + 3) + "\n";
        client_.destroy();
        if (!with_log) return std::move(record_);
        for (const auto& line : client_.log.lines())
            record_ += format_text("log {} [{}] {}\n", static_cast<int>(line.level), line.transaction,
                                   line.to_string());
        return std::move(record_);
    }

private:
    unsigned any(unsigned below) { return static_cast<unsigned>(random_() % below); }
    /// One time in `times`.
    bool chance(unsigned times) { return any(times) == 0; }
    template <class T>
    const T& one_of(const std::vector<T>& all) {
        return all[any(static_cast<unsigned>(all.size()))];
    }

    // ---- settings and plugins

    void choose_settings() {
        using engine::Extension;
        auto& settings = client_.settings;
        client_.peer.nonce = "nonce";
        settings.bare_newline = static_cast<smtp::BareNewline>(any(3));
        if (chance(6)) settings.protocol = engine::Protocol::lmtp;
        settings.mixed_results = static_cast<engine::MixedResults>(any(4));
        settings.start_tls = chance(8) ? engine::StartTls::required : static_cast<engine::StartTls>(any(2));
        settings.auth_without_tls = !chance(4);
        settings.max_errors = chance(3) ? 6 : 0;
        settings.max_junk_commands = chance(4) ? 4 : 100;
        settings.max_recipients = chance(4) ? 2 : 100;
        settings.max_transactions = chance(6) ? 2 : 0;
        settings.max_recipient_domains = chance(6) ? 1 : 0;
        settings.max_message_size = chance(5) ? 60 : 0;
        settings.max_text_line = chance(6) ? 20 : 0;
        settings.submission = chance(10);
        settings.ignore_unknown_parameters = chance(3);
        if (chance(8)) settings.spool.max_header_size = 40;
        if (chance(3)) settings.trusted_proxies.push_back(*IpNetwork::parse("192.0.2.0/24"));
        if (chance(4)) settings.bare_newline_exempt.push_back(*IpNetwork::parse("203.0.113.0/24"));
        for (const auto extension : {Extension::dsn, Extension::require_tls, Extension::mt_priority, Extension::xclient,
                                     Extension::xforward, Extension::vrfy})
            if (!chance(3)) settings.extensions.set(extension);
        for (const auto extension : {Extension::chunking, Extension::smtputf8, Extension::enhanced_status_codes,
                                     Extension::help, Extension::prdr})
            if (chance(6)) settings.extensions.set(extension, false);
        settings.extensions = engine::workable(settings.extensions);
        for (const auto& mechanism : engine::auth_mechanisms) settings.auth_mechanisms.add(mechanism);
        client_.names.add({"a.example A 192.0.2.1"});
        client_.names.at_once = chance(2);
        if (chance(6)) client_.clients.sessions.reset();
    }

    void choose_plugins() {
        unruly_ = any(3) * 8;
        for (unsigned i = 0; i < static_cast<unsigned>(HookId::deny); ++i) {
            const auto hook = static_cast<HookId>(i);
            const bool is_needed = hook == HookId::rcpt || hook == HookId::queue;
            if (!is_needed && chance(2)) continue;
            client_.hooks.on(hook, [this](HookContext& context) { return response(context); });
            if (!chance(8)) continue;
            if (chance(3))
                client_.hooks.look_up(hook, {{"a.example", "nobody.example"}, {"later.example"}}, Duration(2000));
            else wait_at(hook);
        }
    }

    // In the functions below each choice is a statement of its own, for the order of arguments is the compiler's.

    void wait_at(HookId hook) {
        const Duration delay(any(2) * 1000);
        client_.hooks.wait(hook, delay, Duration(any(3) * 700));
    }

    /// A plugin's view and its answer.
    Response response(HookContext& context) {
        Connection& connection = connection_of(context);
        record_ += format_text(
            "  hook {}: {} {} host={} by={} greeted={} hello={} user={} relay={} karma={} white={} naughty={} "
            "commands={} errors={} messages={} "
            "line={} tls={} unread={}\n",
            hook_name(context.hook), connection.address(), connection.port(), connection.host(),
            connection.introduced_by(), static_cast<int>(connection.greeted()), quoted(connection.hello_host()),
            connection.auth_user(), connection.is_relay_client(), connection.karma(), connection.whitelisted(),
            connection.is_naughty(), connection.commands(), connection.errors(), connection.messages(),
            quoted(connection.last_line()), connection.tls_protocol(), connection.unread());
        meddle(connection);
        if (context.hook == HookId::auth_result) {
            const auto& result = static_cast<AuthResultHook&>(context);
            record_ += format_text("    {} {} {} {}\n", result.mechanism, quoted(result.user), result.is_authenticated,
                                   result.reply.code);
        }
        note_transaction(context);
        if (context.hook == HookId::ehlo && chance(3)) connection.add_capability("XCAPABILITY");
        if (context.hook >= HookId::auth_plain && context.hook <= HookId::auth)
            return judge_login(static_cast<AuthHook&>(context));
        const bool is_unruly = unruly_ != 0 && chance(unruly_);
        if (context.hook == HookId::queue && !is_unruly) return queue(context);
        if (context.hook == HookId::rcpt && !is_unruly) return chance(6) ? deny() : ok();
        if (context.hook == HookId::data_post_rcpt && chance(3))
            return chance(2) ? deny("not for you") : denysoft("not now");
        if (!is_unruly) return declined();
        const auto verdict = static_cast<Verdict>(any(6));
        Response any_answer(verdict, chance(2) ? "" : "a plugin's\nwords");
        if (any_answer.verdict == Verdict::declined && chance(2)) {
            connection.send({250, {2, 0, 0}, "a plugin's own reply"});
            any_answer.verdict = Verdict::done;
        }
        return any_answer;
    }

    void meddle(Connection& connection) {
        switch (any(60)) {
            case 0: connection.set_relay_client(true); break;
            case 1: connection.set_whitelisted("by the plugin"); break;
            case 2:
                connection.complain(
                    {.plugin = "plugin", .verdict = Verdict::deny, .enhanced = {5, 7, 1}, .text = "naughty"});
                break;
            case 3: connection.adjust_karma(-1); break;
            case 4: ServerAccess::results(connection).add({.method = "x", .result = "pass"}); break;
            case 5: connection.set_host("found.example"); break;
            default: break;
        }
    }

    Response judge_login(AuthHook& hook) {
        if (chance(6)) return Response(static_cast<Verdict>(any(6)));
        if (hook.mechanism() == "OAUTHBEARER" || hook.mechanism() == "XOAUTH2" || hook.mechanism() == "EXTERNAL")
            return chance(2) ? ok() : deny();
        return hook.proves("secret") ? ok() : deny();
    }

    void note_transaction(HookContext& context) {
        if (context.hook == HookId::queue) {
            const auto& delivery = static_cast<const Delivery&>(context);
            record_ += format_text("    {} to={}\n", delivery.id(), delivery.recipients().size());
        } else if (const auto* const transaction = static_cast<SessionContext&>(context).transaction_or_null()) {
            record_ += format_text("    {} to={}\n", transaction->id(), transaction->recipients().size());
        }
    }

    Response queue(HookContext& context) {
        const auto& delivery = static_cast<const Delivery&>(context);
        std::string text;
        const auto written = delivery.message().write_to([&](std::string_view octets) {
            text += octets;
            return Result<void>();
        });
        DeliveryResult result = written ? delivered() : deferred();
        for (const auto& recipient : delivery.recipients())
            if (chance(8))
                result[recipient] = (chance(2) ? rejected("full") : deferred("busy")).because("at the queue");
        if (written) client_.hooks.queued.push_back(std::move(text));
        return conclude(context, std::move(result));
    }

    // ---- the client

    void begin() {
        if (!chance(8)) return seen("start", client_.start());
        client_.step = client_.session().expect_tls();
        seen("expect_tls", {});
    }

    void handshake() {
        switch (any(8)) {
            case 0: return seen("handshake fails", client_.fail_handshake());
            case 1: return seen("speaks in the handshake", client_.feed("NOOP\r\n"));
            case 2: return seen("handshake", client_.shake_hands(tls_facts_with_certificate(), {"binding", {}, {}}));
            default: return seen("handshake", client_.shake_hands());
        }
    }

    void pass_time() {
        if (chance(3)) client_.answers_come();
        if (!client_.is_parked()) return seen("answers", {});
        seen("wait", client_.wait(Duration(any(1500))));
    }

    void say_something() {
        switch (any(120)) {
            case 0: return seen("interrupt", client_.interrupt(static_cast<engine::Interruption>(any(7))));
            case 1: return seen("stop", client_.stop_soon());
            case 2: return seen("abandon", client_.abandon());
            default: break;
        }
        std::string octets = one_move();
        while (chance(3)) octets += one_move();
        const std::size_t piece = chance(3) ? 1 + any(20) : octets.size();
        for (std::size_t at = 0; at < octets.size() && !client_.is_closed() && client_.step != engine::Step::start_tls;
             at += piece) {
            const auto part = octets.substr(at, piece);
            seen("C " + quoted(part, 200), client_.feed(part));
        }
    }

    /// Mostly commands that continue the dialogue.
    std::string one_move() {
        if (!pending_.empty()) return std::exchange(pending_, {});
        if (!last_challenge_.empty() && !chance(6)) return answer_to(std::exchange(last_challenge_, {}));
        const auto& session = client_.session();
        if (chance(4) || session.phase() == engine::Phase::receiving) return anything();
        if (session.greeted() == Greeted::no)
            return client_.settings.protocol == engine::Protocol::lmtp ? "LHLO client.example\r\n"
                                                                       : "EHLO client.example\r\n";
        if (!session.is_tls() && client_.settings.start_tls != engine::StartTls::off && chance(5))
            return "STARTTLS\r\n";
        if (!session.is_authenticated() && session.phase() != engine::Phase::transaction && chance(3)) return login();
        if (session.phase() != engine::Phase::transaction)
            return "MAIL FROM:<a@b.example>" +
                   one_of<std::string>({"", "", " PRDR", " BODY=BINARYMIME", " SMTPUTF8", " MT-PRIORITY=3"}) + "\r\n";
        switch (any(4)) {
            case 0: return "DATA\r\n";
            case 1: return chunk(!chance(3));
            default: return rcpt();
        }
    }

    std::string rcpt() {
        const auto local_part = one_of<std::string>({"a", "b", "c"});
        return format_text("RCPT TO:<{}@{}>\r\n", local_part, one_of<std::string>({"x.example", "y.example"}));
    }

    std::string chunk(bool is_last) {
        const auto text = message();
        return format_text("BDAT {}{}\r\n{}", text.size(), is_last ? " LAST" : "", text);
    }

    std::string message() {
        std::string out = one_of<std::string>({"Subject: x\r\n\r\n", "",
                                               "Subject: x\r\nAuthentication-Results: mx.example.com; x=pass\r\n\r\n",
                                               "S: \xff\r\n\r\n"});
        while (chance(2))
            out += one_of<std::string>({"text\r\n", "..dots\r\n", std::string(30, 'x') + "\r\n", "\xc3\xa4\r\n",
                                        chance(3) ? "bare\n" : "text\r\n", chance(3) ? "cr\r\r\n" : "\r\n",
                                        chance(4) ? std::string("nul\0\r\n", 6) : "x\r\n"});
        return out;
    }

    std::string anything() {
        switch (any(24)) {
            case 0: return "HELO client.example\r\n";
            case 1: return "EHLO other.example\r\n";
            case 2: return "RSET\r\n";
            case 3: return "NOOP x\r\n";
            case 4: return "VRFY user\r\n";
            case 5: return "HELP\r\n";
            case 6: return chance(3) ? "QUIT\r\n" : "QUIT x\r\n";
            case 7: return "STARTTLS\r\n";
            case 8: return login();
            case 9:
                return "XCLIENT " +
                       one_of<std::string>({"ADDR=203.0.113.7 NAME=other.example", "LOGIN=joe", "HELO=x.example PORT=7",
                                            "X=1", "DESTADDR=192.0.2.99"}) +
                       "\r\n";
            case 10: return "XFORWARD NAME=origin.example SOURCE=LOCAL\r\n";
            case 11: return "WHAT is this\r\n";
            case 12: return chance(4) ? "GET / HTTP/1.1\r\n" : "EXPN list\r\n";
            case 13: return std::string(chance(8) ? 300000 : 3000, 'x') + "\r\n";
            case 14: return chance(3) ? "NOOP\nNOOP\r\n" : "NOOP\rx\r\n";
            case 15: return std::string("NOOP\0\r\n", 7);
            case 16: return chance(4) ? "BDAT x\r\n" : "BDAT 0\r\n";
            case 17: return chunk(false);
            case 18: return rcpt();
            case 19: return "MAIL FROM:<other@c.example> SIZE=" + one_of<std::string>({"10", "1000000", "x"}) + "\r\n";
            case 20: return "DATA\r\n" + message() + ".\r\n";
            case 21: return chance(3) ? "\x16\x03\x01" : ".\r\n";
            case 22: return chance(2) ? message() + ".\r\n" : ".\r\n";
            default: return "*\r\n";
        }
    }

    std::string login() {
        const std::string password = chance(3) ? "wrong" : "secret";
        switch (any(9)) {
            case 0:
            case 1: return "AUTH PLAIN " + support::base64(std::string("\0joe\0", 5) + password) + "\r\n";
            case 2: return "AUTH PLAIN\r\n";
            case 3: return "AUTH LOGIN\r\n";
            case 4: return "AUTH CRAM-MD5" + std::string(chance(5) ? " eA==" : "") + "\r\n";
            case 5:
                return "AUTH OAUTHBEARER " +
                       support::base64(std::string("n,a=joe,\x01") + "auth=Bearer " + password + "\x01\x01") + "\r\n";
            case 6: return "AUTH EXTERNAL =\r\n";
            case 7: return "AUTH " + one_of<std::string>({"", "NONE", "PLAIN !", "PLAIN =", "PLAIN a b"}) + "\r\n";
            default:
                scram_.emplace(ScramHash::sha256, chance(6) ? "nobody" : "joe", password);
                return "AUTH SCRAM-SHA-256 " + support::base64(scram_->first()) + "\r\n";
        }
    }

    std::string answer_to(const std::string& challenge) {
        switch (any(12)) {
            case 0: return "*\r\n";
            case 1: return "!\r\n";
            case 2: return std::string(chance(2) ? 13000 : 5000, 'A') + "\r\n";
            case 3: return "a\rb\r\n";
            default: break;
        }
        const auto octets = support::from_base64(challenge).value_or("");
        if (octets == "Username:" || octets == "User Name") return support::base64("joe") + "\r\n";
        if (octets.starts_with("Password")) return support::base64(chance(3) ? "wrong" : "secret") + "\r\n";
        if (octets.starts_with("r=") && scram_ && octets.find(",s=") != octets.npos)
            return support::base64(scram_->last(octets)) + "\r\n";
        if (octets.starts_with("<")) return support::base64("joe " + smtp::hmac_md5("secret", octets)) + "\r\n";
        if (octets.empty()) return support::base64(std::string("\0joe\0secret", 11)) + "\r\n";
        return support::base64("\x01") + "\r\n";
    }

    // ---- the record

    void seen(const std::string& what, const std::string& output) {
        const auto& session = client_.session();
        const auto progress = session.progress();
        record_ += format_text("{} -> {} {} last={} parked={} answers={} eof={} progress={} {} unread={}\n", what,
                               static_cast<int>(client_.step), engine::phase_name(session.phase()),
                               static_cast<int>(session.last_command()), session.is_parked(), session.awaits_answers(),
                               session.is_at_end_of_input(), progress.receiving, progress.octets, session.unread());
        if (!output.empty()) record_ += "  S " + quoted(output, output.size() * 4 + 3) + "\n";
        const auto end = output.rfind("\r\n");
        const auto line = output.rfind("\r\n", end == output.npos || end == 0 ? 0 : end - 1);
        const auto last = end == output.npos ? std::string()
                                             : output.substr(line == output.npos ? 0 : line + 2,
                                                             end - (line == output.npos ? 0 : line + 2));
        if (last.starts_with("334 ")) last_challenge_ = last.size() > 4 ? last.substr(4) : "=";
        if (last.starts_with("354 ")) pending_ = message() + (chance(6) ? "" : ".\r\n");
    }

    std::mt19937 random_;
    SessionUnderTest client_;
    unsigned unruly_ = 0;  ///< plugins say anything at all one time in so many; 0 = never
    std::string pending_;  ///< the message that a 354 asks for
    std::string last_challenge_;
    std::optional<ScramClient> scram_;
    std::string record_;
};

}  // namespace smtpd::fakes
