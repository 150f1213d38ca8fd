/// dkim: verify and make DKIM signatures (RFC 6376, RFC 8301, RFC 8463).
///
/// The plugin verifies the signatures of messages from other sites, and signs messages of the site's own clients.
///
///     SmtpPlugin dkim
///     SmtpPlugin dkim reject=naughty
///     SmtpPlugin dkim verify=off keytable=/etc/opendkim/KeyTable signingtable=refile:/etc/opendkim/SigningTable
///
/// ## Verifying
///
/// The plugin hashes the body while it arrives. At the hook data_post_headers it asks the DNS for the keys of all
/// signatures at once, and judges the message:
///
/// - A message passes if one of its signatures does. The client gets a point of karma.
/// - A message fails if it has signatures and none of them passes. By default the client only loses a point of karma,
///   because mailing lists change messages, and RFC 6376 6.3 advises against rejecting a message for this reason alone.
///   `reject` can change that. A signature whose key is in test mode (t=y) never makes a message fail.
/// - If the DNS gives no answer and no signature passes, the result is an error, and `onerror` decides.
/// - The plugin ignores messages without a signature.
///
/// Relay clients and whitelisted hosts, senders and recipients are exempt. The plugin verifies at most ten signatures;
/// those whose domain is related to that of From come first. If a limit is exceeded (64 KB for a field, 1 MB for all
/// fields, 1000 names in h=, RSA keys from 1024 to 8192 bits), the result is `policy`, with a reason that names the
/// limit. rsa-sha1 is `permerror`. A signature with l= that covers only a part of the body is `policy` unless
/// `l_tag=partial` is set: anybody can add text to such a message that the reader sees instead of the original.
///
/// Each signature has an entry in the Authentication-Results field. Other plugins can use the notes `dkim`,
/// `dkim_result` and `dkim_pass_domains` (smtpd/mailauth/message_stream.h).
///
/// ## Signing
///
/// The plugin signs messages of relay clients, messages of clients that have logged in, and reports with the null
/// sender that come from this machine. It signs at the hook queue_pre, after all other plugins: no plugin may change
/// the message later (only `arc` adds its fields on top). It signs for the domain of From. With `envelope_domain` on,
/// if there is no key for From, it signs for the domain of the envelope sender. The message must have exactly one From
/// field.
///
/// Signatures are relaxed/relaxed. They cover From, Reply-To, Subject, Date, To, Cc and the fields that affect how the
/// message is shown, in a way that nobody can add another such field. They also cover Sender, Message-ID, In-Reply-To,
/// References, and the Resent- and List- fields if the message has them. They have no l=.
///
/// ### Keys
///
/// `keys` is a folder, by default `dkim` among the control files. It has a folder for each domain, with the files
/// `private` (an RSA key in PEM) and `selector`. For Ed25519 signatures as well, add `private-ed25519` and
/// `selector-ed25519`. smtpd-dkim-keygen(1) makes these files. A domain without a folder uses the folder of its nearest
/// parent domain. With a symbolic link `example.net` to `example.com`, the plugin signs mail of example.net as
/// example.com.
///
/// `keytable` and `signingtable` are OpenDKIM's files. A line of the KeyTable is `name domain:selector:/path`; the
/// domain `%` means the author's domain. A line of the SigningTable is `pattern name`. If the path of the SigningTable
/// begins with `refile:`, its patterns are addresses with `*`. All keys of the first pattern that matches sign the
/// message.
///
/// The plugin reads the keys when the server starts or restarts, before httpd changes its user. So only root needs to
/// be able to read them. configtest warns if other users can read them; with `strict` on, that is an error.
///
/// ## Replies
///
/// With `reject=yes`: `550 5.7.20 No passing DKIM signature found`. If a limit or a policy of this server is the
/// reason: `550 5.7.21 No acceptable DKIM signature found`.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd ignores the plugin's refusals, so `reject` is `no` here unless it is set. The plugin does not look up ADSP
/// and DomainKeys policies, which are historic. qpsmtpd signs for the domain of the envelope sender, before it adds its
/// own fields; this plugin signs for the domain of From. It does not add X-DKIM-Authentication fields.
#include <smtpd/base/domain.h>
#include <smtpd/base/text.h>
#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/dkim_sign.h>
#include <smtpd/mailauth/message_stream.h>
#include <smtpd/mailauth/signing_keys.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <chrono>

namespace smtpd::plugins {

using mailauth::DkimResult;
using mailauth::DkimSignature;
using mailauth::MessageReader;
using mailauth::MessageStream;
using mailauth::SigningKey;

class Dkim final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{
        .reject = PolicyDefaults::Reject::no, .reject_type = Verdict::deny, .karma_fail = -1, .karma_pass = 1};

    struct Options {
        bool verify = true;
        bool sign = true;
        std::string keys;
        std::string key_table;
        std::string signing_table;
        bool envelope_domain = false;
        bool strict = false;
        bool accepts_partial_body = false;
        Duration lifetime{0};
        Duration timeout = std::chrono::seconds(10);

        static OptionTable table() {
            return {option("verify", &Options::verify, "whether signatures are verified"),
                    option("sign", &Options::sign, "whether messages of the site's own clients are signed"),
                    option("keys", &Options::keys,
                           "a folder with a folder of keys for each domain; default: dkim among "
                           "the control files"),
                    option("keytable", &Options::key_table, "a KeyTable of OpenDKIM, instead of the folder"),
                    option("signingtable", &Options::signing_table, "the SigningTable that goes with it"),
                    option("envelope_domain", &Options::envelope_domain,
                           "whether the domain of the envelope sender signs if that of From has no key")
                        .flag(),
                    option("strict", &Options::strict, "whether keys that others can read are a mistake").flag(),
                    option("l_tag", &Options::accepts_partial_body,
                           "what a signature is that leaves out a part of the body: not accepted (policy), or valid "
                           "(partial)")
                        .choices({{"policy", false}, {"partial", true}}),
                    option("lifetime", &Options::lifetime, "how long signatures are valid (x=); 0: for ever")
                        .range("0s", "365d"),
                    option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min")};
        }
    };

    Dkim(Setup& setup, const Options& options) : options_(options) {
        policy_.accepts_partial_body = options.accepts_partial_body;
        if (options.sign) read_keys(setup);
        if (!options.verify && !options.sign)
            setup.error("verify and sign are both off, so that the plugin does nothing");
        setup.hooks.data_chunk.stream([this](MessageHook& hook) { return stream(hook); });
        if (options.verify)
            setup.hooks.data_post_headers
                .ask([this](const DataPostHook& hook, Questions& questions) { ask(hook, questions); })
                .decide([this](DataPostHook& hook, const Answers& answers) { return verify(hook, answers); });
        if (!keys_.empty())
            setup.hooks.queue_pre.add(Priority::last, [this](DataPostHook& hook) -> Response {
                sign(hook);
                return declined();
            });
    }

private:
    // Keys

    void read_keys(Setup& setup) {
        constexpr std::string_view wildcards = "refile:";
        if (options_.key_table.empty() != options_.signing_table.empty())
            return setup.error("keytable and signingtable belong together: give both, or none");
        if (!options_.key_table.empty()) {
            if (!options_.keys.empty()) setup.error("keys and keytable exclude each other: give one of them");
            const std::string_view table = options_.signing_table;
            const bool has_wildcards = table.starts_with(wildcards);
            report(setup,
                   keys_.add_tables(setup.path(options_.key_table),
                                    setup.path(has_wildcards ? table.substr(wildcards.size()) : table), has_wildcards));
            return;
        }
        const std::string folder = options_.keys.empty() ? setup.control().source("dkim")->path()
                                                         : setup.path(options_.keys);
        if (!folder.empty()) report(setup, keys_.add_tree(folder));
    }

    void report(Setup& setup, const mailauth::SigningKeys::Problems& problems) const {
        for (const auto& problem : problems) {
            const bool is_error = problem.is_error || (problem.is_exposed && options_.strict);
            is_error ? setup.error("{}", problem.text) : setup.warning("{}", problem.text);
        }
    }

    // Reading

    std::shared_ptr<BodyStream> stream(MessageHook& hook) const {
        const bool to_be_signed = !keys_.empty() && is_ours(hook);
        if (!to_be_signed && (!options_.verify || hook.connection.is_relay_client())) return nullptr;
        return MessageStream::join(hook.transaction, to_be_signed);
    }

    /// Whether the message comes from the site itself, so that it may sign it.
    static bool is_ours(const MessageHook& hook) {
        const Connection& client = hook.connection;
        if (client.is_relay_client() || client.is_authenticated()) return true;
        const bool is_this_machine = client.address().is_loopback() || client.address() == client.local().address;
        return hook.transaction.sender().is_null() && is_this_machine;
    }

    // Verifying

    static std::chrono::sys_seconds now(const HookContext& hook) {
        return std::chrono::floor<std::chrono::seconds>(hook.clock().wall());
    }

    void ask(const DataPostHook& hook, Questions& questions) const {
        const MessageReader* const message = MessageStream::find(hook.transaction);
        if (!message) return;
        questions.timeout(options_.timeout);
        mailauth::QuestionLookups lookups(questions);
        mailauth::ask_dkim_keys(*message, lookups, now(hook), policy_);
    }

    Finding verify(DataPostHook& hook, const Answers& answers) {
        const MessageReader* const message = MessageStream::find(hook.transaction);
        if (!message) return error("the message was not seen to its end");
        mailauth::AnswerLookups lookups(answers);
        auto signatures = mailauth::verify_dkim(*message, lookups, cache_, now(hook), policy_);
        if (!signatures) return error("the keys did not come");
        Finding finding = judge(*signatures);
        for (auto& result : mailauth::dkim_results(*signatures))
            finding = std::move(finding).authentication_result(std::move(result));
        leave_notes(hook.transaction.notes(), std::move(*signatures));
        return finding;
    }

    static void leave_notes(Notes& notes, std::vector<DkimSignature> signatures) {
        std::vector<std::string> domains;
        std::string result = signatures.empty() ? "none"
                                                : std::string(mailauth::dkim_result_word(signatures.front().result));
        for (const auto& signature : signatures) {
            if (!signature.passes()) continue;
            result = "pass";
            std::string domain = ascii_domain(signature.domain);
            if (std::find(domains.begin(), domains.end(), domain) == domains.end())
                domains.push_back(std::move(domain));
        }
        notes.set(notes::dkim_result, std::move(result));
        notes.set(notes::dkim_pass_domains, std::move(domains));
        notes.set(notes::dkim, std::move(signatures));
    }

    /// "example.org: body hash does not match; example.net (test mode): no key".
    static std::string reasons(const std::vector<DkimSignature>& signatures) {
        constexpr std::size_t most = 5;
        std::string out;
        for (std::size_t i = 0; i < std::min(signatures.size(), most); ++i) {
            const DkimSignature& signature = signatures[i];
            if (i > 0) out += "; ";
            out += signature.domain.empty() ? "no domain" : quoted_if_needed(signature.domain);
            if (signature.is_testing) out += " (test mode)";
            out += ": " + std::string(mailauth::dkim_result_word(signature.result));
            if (!signature.reason.empty()) out += ", " + signature.reason;
        }
        if (signatures.size() > most) out += format_text("; and {} more", signatures.size() - most);
        return out;
    }

    static std::string quoted_if_needed(const std::string& domain) {
        const bool is_plain = domain.size() <= 253 && std::all_of(domain.begin(), domain.end(), [](char c) {
                                  return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.' || c == '_';
                              });
        return is_plain ? domain : quoted(domain);
    }

    static Finding judge(const std::vector<DkimSignature>& signatures) {
        if (signatures.empty()) return skip("not signed");
        const auto is = [&](DkimResult result) {
            return std::any_of(signatures.begin(), signatures.end(),
                               [&](const auto& one) { return one.result == result; });
        };
        for (const auto& signature : signatures)
            if (signature.passes())
                return pass("signed by {} ({}, {})", quoted_if_needed(signature.domain),
                            quoted_if_needed(signature.selector), signature.algorithm);
        if (is(DkimResult::temperror)) return error("{}", reasons(signatures));
        if (std::any_of(signatures.begin(), signatures.end(), [](const auto& one) { return one.is_testing; }))
            return skip("{}", reasons(signatures));
        const bool is_policy = is(DkimResult::policy) && !is(DkimResult::fail);
        return fail("{}", reasons(signatures))
            .code(550)
            .status(EnhancedCode{5, 7, static_cast<std::uint16_t>(is_policy ? 21 : 20)})
            .reply(is_policy ? "No acceptable DKIM signature found" : "No passing DKIM signature found");
    }

    // Signing

    static inline const NoteKey<bool> signed_note{"dkim_signed"};

    void sign(DataPostHook& hook) const {
        if (!is_ours(hook) || hook.transaction.notes().find(signed_note)) return;
        const std::vector<SigningKey> keys = keys_for(hook);
        if (keys.empty()) return hook.log(LogLevel::debug, "not signed: no key for this author");
        const auto body = MessageStream::relaxed_body(hook.transaction);
        if (!body) return hook.log(LogLevel::error, "error: not signed: {}", body.error().what);
        const std::string block = hook.message().headers().to_string();
        for (const auto& key : keys) sign_with(hook, block, **body, key);
    }

    void sign_with(DataPostHook& hook, const std::string& block, const mailauth::BodyHasher& body,
                   const SigningKey& key) const {
        mailauth::DkimSigning signing{.domain = key.domain, .selector = key.selector};
        signing.time = now(hook);
        if (options_.lifetime.count() > 0)
            signing.expiry = *signing.time + std::chrono::ceil<std::chrono::seconds>(options_.lifetime);
        auto value = mailauth::sign_dkim(block, body, signing, key.key);
        if (!value) return hook.log(LogLevel::warning, "not signed as {}: {}", key.domain, value.error().what);
        hook.message().headers().prepend("DKIM-Signature", *value);
        hook.transaction.notes().set(signed_note, true);
        hook.log(LogLevel::info, "signed as {} ({}, {})", key.domain, key.selector, key.key.algorithm());
    }

    std::vector<SigningKey> keys_for(const DataPostHook& hook) const {
        std::vector<SigningKey> keys;
        const auto from = hook.message().headers().get("From");
        if (const auto author = mailauth::first_author(from.value_or("")))
            keys = keys_.find(author->local_part(), author->domain());
        const Address& sender = hook.transaction.sender();
        if (keys.empty() && options_.envelope_domain && sender.has_domain())
            keys = keys_.find(sender.local_part(), sender.domain());
        return keys;
    }

    const Options options_;
    mailauth::DkimPolicy policy_;
    mailauth::SigningKeys keys_;
    mailauth::KeyCache cache_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("dkim", smtpd::plugins::Dkim);
