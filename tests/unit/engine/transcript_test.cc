/// transcript_test.cc: replays tests/transcripts/*.smtp against the engine: all octets at once, line by line, and octet
/// by octet. The server must send the same octets each time.
///
/// The test reads a transcript line by line, and skips empty lines and lines that begin with #:
///
///     C: text        the client sends this line, and CRLF. Escapes: \r \n \t \\ \xNN, and \{1000*text} for text a
///                    thousand times
///     C\ text        the same without CRLF
///     T: PROTOCOL    the handshake, after STARTTLS
///     S: text        the server sends exactly this line; "..." at its end stands for any text
///     M: text        a line of the last queued message, without the Received field on top; with the same escapes
///     ! directive    see below
///
/// The output between two groups of C lines must have arrived when the second group begins. At the end the session must
/// be open, with nothing queued, unless directives say otherwise:
///
///     ! setting NAME VALUE       of engine::Settings
///     ! client ADDRESS           192.0.2.1 unless set
///     ! host NAME                the client's name in the DNS
///     ! tls PROTOCOL             the connection is encrypted
///     ! binding TEXT             the channel binding (tls-exporter) of this connection
///     ! password TEXT            the clear password for `on HOOK ok` at a hook of SCRAM
///     ! mechanism NAME           the server may offer this AUTH mechanism
///     ! control NAME LINE        a control file of that one line
///     ! accept mail              plugins accept recipients and queue messages
///     ! on HOOK VERDICT [if=WORD] [code=NNN] [status=X.Y.Z] [text]
///                                the verdict of plugins; with `if` only if their argument contains the word (for AUTH:
///                                user, blank, password, digest or token). The first one that matches counts; the text
///                                has the same escapes
///     ! add brackets             mail_pre and rcpt_pre put <> around an address that has none
///     ! wait HOOK MILLISECONDS   plugins request a wait at this hook
///     ! end                      the client sends nothing more
///     ! interrupt                the server ends the session (time-out)
///     ! closed                   the session is over at the end
///     ! queued N                 the number of queued messages
#include "fakes/session_under_test.h"
#include "support/strings.h"

#include <cppunit/TestCase.h>
#include <cppunit/TestSuite.h>
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace smtpd::engine {
namespace {

using fakes::SessionUnderTest;

[[noreturn]] void bad(const std::string& line) { throw std::runtime_error("not understood: " + line); }

std::string unescaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c != '\\') {
            out += c;
            continue;
        }
        if (text.empty()) bad("a backslash at the end");
        const char kind = text.front();
        text.remove_prefix(1);
        if (kind == 'r' || kind == 'n' || kind == 't' || kind == '\\') {
            out += kind == 'r' ? '\r' : kind == 'n' ? '\n' : kind == 't' ? '\t' : '\\';
        } else if (kind == 'x' && text.size() >= 2) {
            out += static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16));
            text.remove_prefix(2);
        } else if (const auto end = text.find('}');
                   kind == '{' && end != std::string_view::npos && text.find('*') < end) {
            const auto star = text.find('*');
            const auto times = std::stoul(std::string(text.substr(0, star)));
            const auto piece = unescaped(text.substr(star + 1, end - star - 1));
            for (unsigned long i = 0; i < times; ++i) out += piece;
            text.remove_prefix(end + 1);
        } else {
            bad("escape \\" + std::string(1, kind));
        }
    }
    return out;
}

std::string_view next_word(std::string_view& text) {
    text = support::trim(text);
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text = support::trim(text.substr(end));
    return word;
}

HookId hook_of(std::string_view name) {
    for (unsigned i = 0; i < static_cast<unsigned>(HookId::count); ++i)
        if (hook_name(static_cast<HookId>(i)) == name) return static_cast<HookId>(i);
    bad("hook " + std::string(name));
}

Verdict verdict_of(std::string_view name) {
    for (unsigned i = 0; i <= static_cast<unsigned>(Verdict::done); ++i)
        if (verdict_name(static_cast<Verdict>(i)) == name) return static_cast<Verdict>(i);
    bad("verdict " + std::string(name));
}

std::string password_of(const AuthHook& hook) {
    if (hook.password() != nullptr) return hook.password()->reveal();
    const auto& token = hook.credentials.token().reveal();
    return token.empty() ? hook.credentials.response().reveal() : token;
}

/// The text in which `if=` is searched.
std::string subject_of(const HookContext& context) {
    switch (context.hook) {
        case HookId::helo:
        case HookId::ehlo: return std::string(static_cast<const HelloHook&>(context).host);
        case HookId::auth_plain:
        case HookId::auth_login:
        case HookId::auth_cram_md5:
        case HookId::auth_scram_sha_1:
        case HookId::auth_scram_sha_256:
        case HookId::auth_external:
        case HookId::auth_bearer:
        case HookId::auth:
            return static_cast<const AuthHook&>(context).user() + " " +
                   password_of(static_cast<const AuthHook&>(context));
        case HookId::mail: return static_cast<const MailHook&>(context).sender().path();
        case HookId::rcpt: return static_cast<const RcptHook&>(context).recipient.address().path();
        case HookId::data_post_rcpt: return static_cast<const DataPostRcptHook&>(context).recipient.address().path();
        case HookId::vrfy:
        case HookId::noop:
        case HookId::help: return std::string(static_cast<const CommandHook&>(context).argument);
        case HookId::unrecognized_command: return std::string(static_cast<const UnrecognizedHook&>(context).verb);
        default: return {};
    }
}

bool is_scram(HookId hook) { return hook == HookId::auth_scram_sha_1 || hook == HookId::auth_scram_sha_256; }

struct Condition {
    std::string word;
    Response response;
};

/// A transcript, as in its file.
class Transcript {
public:
    explicit Transcript(const std::filesystem::path& file) {
        std::ifstream in(file, std::ios::binary);
        if (!in) throw std::runtime_error("cannot read " + file.string());
        for (std::string line; std::getline(in, line);) {
            if (line.empty() || line.front() == '#') continue;
            const std::string_view rest = std::string_view(line).substr(std::min<std::size_t>(line.size(), 3));
            if (line.substr(0, 2) == "C:") steps_.push_back({Step::Kind::client, unescaped(rest) + "\r\n"});
            else if (line.substr(0, 2) == "C\\") steps_.push_back({Step::Kind::client, unescaped(rest)});
            else if (line.substr(0, 2) == "T:") steps_.push_back({Step::Kind::handshake, std::string(rest)});
            else if (line.substr(0, 2) == "S:") steps_.push_back({Step::Kind::server, std::string(rest)});
            else if (line.substr(0, 2) == "M:") message_ += unescaped(rest) + "\r\n", has_message_ = true;
            else if (line.substr(0, 2) == "! ") directive(std::string_view(line).substr(2));
            else bad(line);
        }
        if (steps_.empty()) throw std::runtime_error("the transcript is empty");
    }

    /// Plays it in pieces of that size; 0: each C line separately. Returns the server's output.
    std::string play(std::size_t piece) const {
        SessionUnderTest client;
        prepare(client);
        std::string output = tls_.empty() ? client.start()
                                          : client.start_encrypted(fakes::tls_facts(tls_), {binding_, {}, {}});
        output += client.skip_wait();
        if (piece == 0) play_lines(client, output);
        else play_pieces(client, output, piece);
        if (ends_) output += client.end_of_input();
        if (is_interrupted_) output += client.interrupt(Interruption::idle_timeout);
        check_output(output, steps_.size());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("whether the session is closed at the end", is_closed_, client.is_closed());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("number of messages queued", queued_, client.hooks.queued.size());
        if (has_message_) CPPUNIT_ASSERT_EQUAL(message_, without_received(client.hooks.queued.back()));
        return output;
    }

private:
    struct Step {
        enum class Kind { client, server, handshake } kind;
        std::string text;
        bool is_servers() const noexcept { return kind == Kind::server; }
    };

    void directive(std::string_view rest) {
        const std::string_view all = rest;
        const auto word = next_word(rest);
        if (word == "setting") {
            const auto name = next_word(rest);
            settings_.emplace_back(name, rest);
        } else if (word == "client") client_ = rest;
        else if (word == "host") host_ = rest;
        else if (word == "tls") tls_ = rest;
        else if (word == "binding") binding_ = rest;
        else if (word == "password") password_ = rest;
        else if (word == "mechanism") mechanisms_.emplace_back(rest);
        else if (word == "control") {
            const auto name = next_word(rest);
            control_.emplace_back(name, rest);
        } else if (all == "accept mail") accepts_mail_ = true;
        else if (all == "add brackets") adds_brackets_ = true;
        else if (all == "end") ends_ = true;
        else if (all == "interrupt") is_interrupted_ = is_closed_ = true;
        else if (all == "closed") is_closed_ = true;
        else if (word == "queued") queued_ = std::stoul(std::string(rest));
        else if (word == "wait") {
            const auto hook = hook_of(next_word(rest));
            waits_.emplace_back(hook, Duration(std::stol(std::string(rest))));
        } else if (word == "on") {
            const auto hook = hook_of(next_word(rest));
            answers_[hook].push_back(condition(rest));
        } else bad(std::string(all));
    }

    static Condition condition(std::string_view rest) {
        Condition condition{{}, Response(verdict_of(next_word(rest)))};
        for (;;) {
            std::string_view after = rest;
            const auto word = next_word(after);
            if (word.substr(0, 3) == "if=") condition.word = word.substr(3);
            else if (word.substr(0, 5) == "code=") condition.response.code = std::stoi(std::string(word.substr(5)));
            else if (word.substr(0, 7) == "status=" && word.size() == 12)
                condition.response.enhanced = {static_cast<std::uint8_t>(word[7] - '0'),
                                               static_cast<std::uint16_t>(word[9] - '0'),
                                               static_cast<std::uint16_t>(word[11] - '0')};
            else break;
            rest = after;
        }
        condition.response.text = unescaped(rest);
        return condition;
    }

    void prepare(SessionUnderTest& client) const {
        for (const auto& [name, value] : settings_) set(client.settings, name, value);
        if (!client_.empty()) client.peer.client.address = IpAddress::parse(client_).value();
        client.peer.host = host_;
        client.peer.nonce = "nonce";
        for (const auto& name : mechanisms_) client.settings.auth_mechanisms.add(*find_auth_mechanism(name));
        for (const auto& [name, line] : control_) client.hooks.control[name] = {line};
        if (accepts_mail_) client.hooks.accept_mail();
        for (const auto& [hook, conditions] : answers_) {
            const bool is_accepted = accepts_mail_ && (hook == HookId::rcpt || hook == HookId::queue);
            if (is_accepted && hook == HookId::queue)
                throw std::runtime_error("`on queue` and `accept mail` exclude each other");
            client.hooks.on(hook, [this, conditions = &conditions, is_accepted](HookContext& context) {
                const auto subject = subject_of(context);
                for (const auto& condition : *conditions) {
                    if (subject.find(condition.word) == std::string::npos) continue;
                    if (is_scram(context.hook) && condition.response.verdict == Verdict::ok)
                        (void)static_cast<AuthHook&>(context).proves(password_);
                    return condition.response;
                }
                return is_accepted ? ok() : declined();
            });
        }
        for (const auto hook : {HookId::mail_pre, HookId::rcpt_pre})
            if (adds_brackets_)
                client.hooks.on(hook, [](HookContext& context) {
                    auto& path = static_cast<PathHook&>(context).path;
                    if (path.empty() || path.front() != '<') path = "<" + path + ">";
                    return declined();
                });
        for (const auto& [hook, delay] : waits_) client.hooks.wait(hook, delay);
    }

    static void set(Settings& settings, std::string_view name, std::string_view value) {
        const auto number = [&] { return support::parse_unsigned(value).value(); };
        if (name == "max_message_size") settings.max_message_size = number();
        else if (name == "max_recipients") settings.max_recipients = static_cast<unsigned>(number());
        else if (name == "max_errors") settings.max_errors = static_cast<unsigned>(number());
        else if (name == "max_junk_commands") settings.max_junk_commands = static_cast<unsigned>(number());
        else if (name == "max_command_line") settings.max_command_line = static_cast<unsigned>(number());
        else if (name == "max_text_line") settings.max_text_line = number();
        else if (name == "max_header_size") settings.spool.max_header_size = number();
        else if (name == "strict_addresses") settings.strict_addresses = value == "on";
        else if (name == "ignore_unknown_parameters") settings.ignore_unknown_parameters = value == "on";
        else if (name == "bare_newline" && value == "normalize") settings.bare_newline = smtp::BareNewline::normalize;
        else if (name == "bare_newline" && value == "accept") settings.bare_newline = smtp::BareNewline::accept;
        else if (name == "bare_newline" && value == "reject") settings.bare_newline = smtp::BareNewline::reject;
        else if (name == "bare_newline_exempt") settings.bare_newline_exempt.push_back(IpNetwork::parse(value).value());
        else if (name == "auth_without_tls") settings.auth_without_tls = value == "on";
        else if (name == "max_transactions") settings.max_transactions = static_cast<unsigned>(number());
        else if (name == "max_recipient_domains") settings.max_recipient_domains = static_cast<unsigned>(number());
        else if (name == "extensions") set_extensions(settings, value);
        else if (name == "protocol") settings.protocol = value == "lmtp" ? Protocol::lmtp : Protocol::smtp;
        else if (name == "start_tls")
            settings.start_tls = value == "required" ? StartTls::required
                                 : value == "on"     ? StartTls::on
                                                     : StartTls::off;
        else if (name == "submission") settings.submission = value == "on";
        else if (name == "greeting") settings.greeting = value;
        else if (name == "server_name") settings.server_name = value;
        else bad("setting " + std::string(name));
    }

    /// "-CHUNKING +DSN"
    static void set_extensions(Settings& settings, std::string_view words) {
        for (auto word = next_word(words); !word.empty(); word = next_word(words)) {
            const auto extension = find_extension(word.substr(1));
            if (!extension) bad("extension " + std::string(word));
            settings.extensions.set(*extension, word.front() == '+');
        }
        settings.extensions = workable(settings.extensions);
    }

    void play_lines(SessionUnderTest& client, std::string& output) const {
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            if (steps_[i].is_servers()) continue;
            if (i > 0 && steps_[i - 1].is_servers()) check_output(output, i);
            output += steps_[i].kind == Step::Kind::handshake ? shake_hands(client, steps_[i])
                                                              : client.feed(steps_[i].text);
            output += client.skip_wait();
        }
    }

    static std::string shake_hands(SessionUnderTest& client, const Step& step) {
        CPPUNIT_ASSERT_MESSAGE("the session waits for no handshake", client.step == engine::Step::start_tls);
        return client.shake_hands(step.text.c_str());
    }

    void play_pieces(SessionUnderTest& client, std::string& output, std::size_t piece) const {
        std::string all;
        for (const auto& step : steps_) {
            if (step.kind == Step::Kind::client) all += step.text;
            if (step.kind != Step::Kind::handshake) continue;
            feed_pieces(client, output, std::exchange(all, {}), piece);
            output += shake_hands(client, step);
            output += client.skip_wait();
        }
        feed_pieces(client, output, all, piece);
    }

    static void feed_pieces(SessionUnderTest& client, std::string& output, std::string_view all, std::size_t piece) {
        for (std::size_t at = 0; at < all.size(); at += std::min(piece, all.size() - at)) {
            output += client.feed(all.substr(at, piece));
            output += client.skip_wait();
        }
    }

    /// The output must consist of the S lines among the first `count` steps.
    void check_output(std::string_view output, std::size_t count) const {
        for (std::size_t i = 0; i < count; ++i) {
            const auto& expected = steps_[i].text;
            if (!steps_[i].is_servers()) continue;
            const auto end = output.find("\r\n");
            CPPUNIT_ASSERT_MESSAGE("missing: " + expected + "\ninstead: " + std::string(output),
                                   end != std::string_view::npos);
            const std::string line(output.substr(0, end));
            output.remove_prefix(end + 2);
            if (expected.size() > 3 && expected.substr(expected.size() - 3) == "...")
                CPPUNIT_ASSERT_EQUAL(expected, line.substr(0, expected.size() - 3) + "...");
            else CPPUNIT_ASSERT_EQUAL(expected, line);
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("sent without being expected", std::string(), std::string(output));
    }

    static std::string without_received(const std::string& message) {
        CPPUNIT_ASSERT_EQUAL(std::string("Received: "), message.substr(0, 10));
        std::size_t end = message.find("\r\n") + 2;
        while (message.substr(end, 1) == "\t") end = message.find("\r\n", end) + 2;
        return message.substr(end);
    }

    std::vector<Step> steps_;
    std::string message_, client_, host_, tls_, binding_, password_;
    std::vector<std::string> mechanisms_;
    bool has_message_ = false, accepts_mail_ = false, adds_brackets_ = false, ends_ = false, is_interrupted_ = false,
         is_closed_ = false;
    std::size_t queued_ = 0;
    std::vector<std::pair<std::string, std::string>> settings_, control_;
    std::vector<std::pair<HookId, Duration>> waits_;
    std::map<HookId, std::vector<Condition>> answers_;
};

class TranscriptTest final : public CppUnit::TestCase {
public:
    explicit TranscriptTest(std::filesystem::path file)
        : TestCase("TranscriptTest::" + file.filename().string()), file_(std::move(file)) {}

    void runTest() override {
        const Transcript transcript(file_);
        const auto by_line = transcript.play(0);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("all at once", by_line, transcript.play(std::string::npos));
        CPPUNIT_ASSERT_EQUAL_MESSAGE("octet by octet", by_line, transcript.play(1));
    }

private:
    const std::filesystem::path file_;
};

/// One test for each file.
struct Transcripts {
    static CppUnit::Test* suite() {
        std::vector<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(SMTPD_SOURCE_DIR "/tests/transcripts"))
            if (entry.path().extension() == ".smtp") files.push_back(entry.path());
        std::sort(files.begin(), files.end());
        auto* all = new CppUnit::TestSuite("Transcripts");
        for (const auto& file : files) all->addTest(new TranscriptTest(file));
        return all;
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(Transcripts);

}  // namespace
}  // namespace smtpd::engine
