/// session_fuzz.cc: a whole session: greeting, dialogue, messages, end, with plugins that give any verdict and wait at
/// any hook.
///
/// Invariants, for all settings and verdicts: output, queued messages and log lines about messages are the same whether
/// the input comes whole, octet by octet or in pieces. The output consists of complete reply lines, and a 421 comes
/// last. There are never more acceptances than queued messages. Every transaction ends exactly once, and so does the
/// session. Chunks add up to the message. Log lines are printable. Plugins get a user name with a password or a
/// response from AUTH. An authenticated client has got 235. A queued message has CRLF line ends and no NUL unless
/// policy or BINARYMIME say otherwise. A handshake begins after a 220, with no unread input, at most once; there is no
/// output after a failed one. After a handshake, the client and the message are forgotten. No refused recipient gets a
/// message.
///
/// The first 17 octets of the input choose settings, plugins and piece size; the rest is the dialogue. The input after
/// a line with STARTTLS arrives separately, as under TLS, or together with it, as from an attacker without the key; in
/// the latter case the pieces need not give the same result.
#include "engine/session.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_hook_runner.h"
#include "fakes/fake_names.h"
#include "fakes/fake_tls.h"
#include "smtp/utf8.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace smtpd;
using engine::Step;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

constexpr std::size_t choice_octets = 17;
using Choices = std::array<std::uint8_t, choice_octets>;

class CheckingLog final : public LogSink {
public:
    bool enabled(LogLevel) const noexcept override { return true; }
    void write(const LogLine& line) noexcept override {
        for (const char c : line.text) require(c >= ' ' && c < 0x7f, "log lines are printable");
        if (line.text.substr(0, 9) == "accepted ") ++accepted;
    }
    std::size_t accepted = 0;
};

/// TLS as the last of them chooses it.
struct TlsChoices {
    explicit TlsChoices(const Choices& choices) : bits(choices[16]) {}
    engine::StartTls mode() const { return static_cast<engine::StartTls>(bits % 4 % 3); }
    bool handshake_fails() const { return bits / 4 % 4 == 1; }
    engine::TlsStart answer() const {
        return bits / 4 % 4 == 2   ? engine::TlsStart::unavailable
               : bits / 4 % 4 == 3 ? engine::TlsStart::early_octets
                                   : engine::TlsStart::ready;
    }
    bool comes_first() const { return bits / 16 % 2 != 0; }
    bool is_glued() const { return bits / 32 % 2 != 0; }
    unsigned bits;
};

/// The results of a run.
struct Played {
    std::string output;
    std::vector<std::string> queued;
    std::string hooks;
    bool operator==(const Played&) const = default;
};

engine::Settings settings_from(const Choices& choices) {
    engine::Settings settings;
    settings.server_name = "mx.example.com";
    settings.bare_newline = static_cast<smtp::BareNewline>(choices[0] % 3);
    if (choices[0] & 64U) settings.protocol = engine::Protocol::lmtp;
    settings.mixed_results = static_cast<engine::MixedResults>(choices[12] % 4);
    settings.max_errors = choices[1] & 1U ? 5 : 0;
    settings.max_junk_commands = choices[1] & 2U ? 10 : 1000;
    settings.max_recipients = choices[1] & 4U ? 2 : 100;
    settings.ignore_unknown_parameters = (choices[1] & 8U) != 0;
    settings.max_message_size = choices[1] & 16U ? 50 : 0;
    settings.spool.max_header_size = choices[1] & 32U ? 40 : 10000;
    settings.max_text_line = choices[1] & 64U ? 20 : 0;
    settings.max_command_line = choices[1] & 128U ? 64 : 512;
    settings.auth_without_tls = (choices[14] & 4U) != 0;
    settings.strict_addresses = (choices[14] & 8U) != 0;
    if (choices[14] & 16U) settings.local_part_case = LocalPartCase::sensitive;
    settings.start_tls = TlsChoices(choices).mode();
    if (choices[3] & 16U) settings.extensions.set(engine::Extension::chunking, false);
    if (choices[3] & 32U)
        for (const auto extension :
             {engine::Extension::dsn, engine::Extension::require_tls, engine::Extension::mt_priority})
            settings.extensions.set(extension);
    if (choices[3] & 64U)
        for (const auto extension : {engine::Extension::smtputf8, engine::Extension::enhanced_status_codes})
            settings.extensions.set(extension, false);
    if (choices[3] & 128U) settings.max_transactions = settings.max_recipient_domains = 2;
    settings.extensions = engine::workable(settings.extensions);
    settings.spool.threshold = ~std::uint64_t(0);
    return settings;
}

constexpr HookId deciding[] = {HookId::pre_connection,
                               HookId::connect,
                               HookId::helo_parse,
                               HookId::ehlo,
                               HookId::mail_pre,
                               HookId::mail,
                               HookId::rcpt_parse,
                               HookId::data,
                               HookId::data_headers_end,
                               HookId::data_post_headers,
                               HookId::data_post,
                               HookId::queue_pre,
                               HookId::vrfy,
                               HookId::noop,
                               HookId::unrecognized_command,
                               HookId::quit};

/// The plugins of one session, and the records about it.
class Session {
public:
    explicit Session(const Choices& choices) : settings_(settings_from(choices)), tls_choices_(choices) {
        tls_.answer = tls_choices_.answer();
        for (std::size_t i = 0; i < std::size(deciding); ++i) {
            const unsigned nibble = choices[4 + i / 2] >> (i % 2 * 4) & 15U;
            if (nibble >= 7) continue;
            hooks_.respond(deciding[i],
                           Response(static_cast<Verdict>(nibble), nibble % 2 != 0 ? "a plugin's\nwords" : ""));
        }
        for (std::size_t i = 0; i < 8; ++i)
            if ((choices[2] >> i & 1U) != 0 && (choices[3] & 1U) != 0) hooks_.wait(deciding[1 + i], Duration(1000));
        for (std::size_t i = 0; i < 8; ++i)  // questions whose answers are at hand, or never come
            if ((choices[2] >> i & 1U) != 0 && (choices[3] & 2U) != 0)
                hooks_.look_up(deciding[1 + i], {{"a.example", "b.example"}, {"c.example"}},
                               Duration(choices[3] & 8U ? 1000 : 3000));
        names_.at_once = (choices[3] & 4U) != 0;
        handle_auth(choices[14]);
        if (choices[0] & 128U) judge_recipients();
        const auto rcpt_verdict = static_cast<Verdict>(choices[12] % 8 < 7 && choices[12] > 100 ? choices[12] % 7 : 1);
        hooks_.respond(HookId::rcpt, rcpt_verdict);
        queue_verdict_ = static_cast<Verdict>(choices[13] > 100 ? choices[13] % 7 : 1);
        hooks_.on(HookId::queue, [this](HookContext& context) { return queue(context); });
        hooks_.on(HookId::data_chunk, [this](HookContext& context) {
            chunks_ += static_cast<fakes::ChunkContext&>(context).chunk;
            return declined();
        });
        for (const auto hook :
             {HookId::reset_transaction, HookId::disconnect, HookId::post_connection, HookId::queue_post})
            hooks_.watch(hook);
        hooks_.on(HookId::reset_transaction, [this](HookContext&) {
            chunks_.clear();
            return declined();
        });
    }

    Played play(std::string_view input, std::size_t piece) {
        {
            engine::Session session(settings_, hooks_, clock_, log_, peer(), {.names = &names_, .tls = &tls_});
            drive(session, tls_choices_.comes_first() ? session.expect_tls() : session.start());
            while (!input.empty() && !session.is_over()) {
                const auto clear_text = input.substr(0,
                                                     tls_choices_.is_glued() ? input.size() : end_of_clear_text(input));
                input.remove_prefix(clear_text.size());
                feed(session, clear_text, piece);
            }
            drive(session, session.end_of_input());
            require(!session.is_authenticated() || output_.find("235 ") != std::string::npos,
                    "who is authenticated was told so");
            require(session.is_over(), "a session ends with its input");
        }
        const std::size_t ends = tls_choices_.comes_first() && tls_choices_.handshake_fails() ? 0 : 1;  // of that no
                                                                                                        // plugin hears
        require(hooks_.count(HookId::disconnect) == ends && hooks_.count(HookId::post_connection) == ends,
                "a session ends once");
        require(log_.accepted <= hooks_.queued.size(), "no acceptance without a message queued");
        check_output();
        Played result{output_, hooks_.queued, {}};
        for (const auto call : hooks_.calls)
            if (call != HookId::data_chunk) result.hooks += static_cast<char>('A' + static_cast<char>(call));
        return result;
    }

private:
    static engine::Peer peer() {
        engine::Peer peer;
        peer.id = "session";
        peer.nonce = "nonce";
        peer.client.address = IpAddress::v4({192, 0, 2, 1});
        return peer;
    }

    void feed(engine::Session& session, std::string_view input, std::size_t piece) {
        for (; !input.empty() && !session.is_over(); input.remove_prefix(std::min(piece, input.size()))) {
            const auto part = input.substr(0, piece);
            const std::vector<char> copy(part.begin(), part.end());  // so that a sanitizer sees its ends
            drive(session, session.feed({copy.data(), copy.size()}));
        }
    }

    void drive(engine::Session& session, Step step) {
        for (;;) {
            require(session.output().size() < 64 * 1024, "output is bounded");
            output_ += session.output();
            session.output().clear();
            if (step == Step::park) clock_.advance(Duration(1000));
            if (step == Step::start_tls) step = shake_hands(session);
            else if (step == Step::park || step == Step::more) step = session.resume();
            else break;
        }
        require((step == Step::close) == session.is_over(), "a session that is over says so");
    }

    /// The end of the first line that contains the word, whatever its meaning there: in the clear, nothing may follow a
    /// command of that name.
    static std::size_t end_of_clear_text(std::string_view input) {
        constexpr std::string_view word = "starttls";
        const auto is_same = [](char a, char b) { return (a | 0x20) == b; };
        const auto found = std::search(input.begin(), input.end(), word.begin(), word.end(), is_same);
        const auto end = std::find(found, input.end(), '\n');
        return end == input.end() ? input.size() : static_cast<std::size_t>(end - input.begin()) + 1;
    }

    Step shake_hands(engine::Session& session) {
        require(++handshakes_ == 1, "there is one handshake");
        require(session.unread() == 0, "what came in the clear is not left for the time behind the handshake");
        const auto line = output_.rfind("\r\n", output_.size() - std::min<std::size_t>(output_.size(), 3));
        const auto last = std::string_view(output_).substr(line == std::string::npos ? 0 : line + 2);
        require(tls_choices_.comes_first() ? output_.empty() : last.starts_with("220 "), "a handshake follows a 220");
        if (tls_choices_.handshake_fails()) {
            const Step step = session.tls_failed("a reason");
            require(session.output().empty(), "nothing is said in the clear behind a handshake that failed");
            return step;
        }
        const bool first = tls_choices_.comes_first();
        const Step step = session.tls_started(fakes::tls_facts(), {});
        require(session.is_tls() && !session.is_authenticated() && session.hello_host().empty(),
                "the client is forgotten");
        require(first || chunks_.empty(), "the message is forgotten");
        return step;
    }

    void handle_auth(unsigned choice) {
        const auto verdict = static_cast<Verdict>((choice >> 3 & 7U) % 7);
        for (const auto hook : {HookId::auth, HookId::auth_cram_md5}) {
            if ((choice & (hook == HookId::auth ? 1U : 2U)) == 0) continue;
            hooks_.on(hook, [verdict](HookContext& context) {
                const auto& auth = static_cast<AuthHook&>(context);
                require(!auth.user().empty() && smtp::is_valid_utf8(auth.user()), "a user has a name");
                require(auth.user().find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                        "a user's name is one line");
                const bool has_digest = auth.credentials.response().reveal().size() == 32;
                require(auth.password() != nullptr ? !auth.password()->empty() : has_digest, "there is a proof");
                return Response(verdict);
            });
            if ((choice & 64U) != 0) hooks_.wait(hook, Duration(1000));
        }
        if ((choice & 128U) != 0) hooks_.watch(HookId::auth_parse);
    }

    /// Decides by their names; the queue refuses remaining recipients whose name ends with a digit.
    static Verdict fate_of(const Recipient& recipient) {
        switch (recipient.address().local_part().front() % 8) {
            case 0: return Verdict::deny;
            case 1: return Verdict::denysoft;
            case 2: return Verdict::deny_disconnect;
            default: return Verdict::declined;
        }
    }

    void judge_recipients() {
        judges_ = true;
        hooks_.on(HookId::data_post_rcpt, [](HookContext& context) {
            return Response(fate_of(static_cast<DataPostRcptHook&>(context).recipient), "fate");
        });
    }

    DeliveryResult turn_away_at_queue(const Delivery& delivery) const {
        DeliveryResult result = delivered();
        for (const auto& recipient : delivery.recipients()) {
            require(!judges_ || fate_of(recipient) == Verdict::declined, "nobody is delivered to who was refused");
            const char last = recipient.address().local_part().back();
            if (judges_ && last >= '0' && last <= '9')
                result[recipient] = (last < '5' ? rejected("late") : deferred("late")).because("at the queue");
        }
        return result;
    }

    Response queue(HookContext& context) {
        const auto& delivery = static_cast<const Delivery&>(context);
        require(delivery.message().is_complete(), "what is queued is complete");
        std::string text;
        const auto written = delivery.message().write_to([&](std::string_view bytes) {
            text += bytes;
            return smtpd::Result<void>();
        });
        require(static_cast<bool>(written), "what is queued can be read");
        require(delivery.message().size() == chunks_.size(), "chunks add up to the message");
        const std::string_view on_top = delivery.origin().is_authenticated() ? "Authentication-Results: mx.example.com;"
                                                                             : "Received: from ";
        require(text.size() >= chunks_.size() && text.starts_with(on_top), "what is queued has its field on top");
        require(!delivery.recipients().empty(), "what is queued has recipients");
        require(delivery.envelope().is_binarymime() || settings_.bare_newline == smtp::BareNewline::accept ||
                    has_whole_lines(chunks_),
                "what is queued has lines, unless it is said to have none");
        require(!delivery.needs_smtputf8() || smtp::is_valid_utf8(delivery.message().headers().original()),
                "a header is UTF-8 where it is said to be");
        auto result = turn_away_at_queue(delivery);
        if (queue_verdict_ != Verdict::ok) return queue_verdict_;
        hooks_.queued.push_back(std::move(text));
        return fakes::conclude(context, std::move(result));
    }

    static bool has_whole_lines(std::string_view text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\0' || (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))) return false;
            if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return false;
        }
        return true;
    }

    void check_output() const {
        std::string_view rest = output_;
        while (!rest.empty()) {
            const auto end = rest.find("\r\n");
            require(end != std::string_view::npos, "replies are whole lines");
            const auto line = rest.substr(0, end);
            rest.remove_prefix(end + 2);
            require(line.size() >= 3 && line.size() <= 510, "reply lines have their size");
            require(std::all_of(line.begin(), line.begin() + 3, [](char c) { return c >= '0' && c <= '9'; }),
                    "reply lines have a code");
            require(line.size() == 3 || line[3] == ' ' || line[3] == '-', "reply lines have a blank or a hyphen");
            require(std::none_of(line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }),
                    "reply lines are clean");
            if (line.substr(0, 4) == "421 ") require(rest.empty(), "nothing follows a 421");
        }
    }

    engine::Settings settings_;
    fakes::FakeHookRunner hooks_;
    fakes::FakeNames names_;
    fakes::FakeTls tls_;
    TlsChoices tls_choices_;
    unsigned handshakes_ = 0;
    fakes::FakeClock clock_;
    CheckingLog log_;
    std::string output_;
    std::string chunks_;
    Verdict queue_verdict_ = Verdict::ok;
    bool judges_ = false;
};

Played play(const Choices& choices, std::string_view input, std::size_t piece) {
    return Session(choices).play(input, piece);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < choice_octets || size > 16384) return 0;
    Choices choices{};
    std::copy_n(data, choices.size(), choices.begin());
    const std::string_view input(reinterpret_cast<const char*>(data) + choice_octets, size - choice_octets);
    const Played whole = play(choices, input, std::string_view::npos);
    const Played octets = play(choices, input, 1), pieces = play(choices, input, 2 + choices[15] % 61);
    if (TlsChoices(choices).is_glued()) return 0;
    require(whole == octets, "octet by octet is like whole");
    require(whole == pieces, "pieces are like whole");
    return 0;
}
