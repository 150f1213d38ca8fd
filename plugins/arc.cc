/// arc: validate and seal the Authenticated Received Chain (RFC 8617).
///
/// Mailing lists and forwarders change messages, so SPF and DKIM fail at the next server. With ARC, they seal the
/// results that they found. This plugin validates such chains. A server that forwards its messages to another server
/// can also add its own seal.
///
///     SmtpPlugin dkim
///     SmtpPlugin arc trusted=lists.example.net
///     SmtpPlugin arc seal=always domain=example.com
///
/// ## Validating
///
/// At the hook data_post_headers the plugin asks the DNS for all keys of a chain at once. It adds an entry of the
/// method `arc` to the Authentication-Results field: `pass`, `fail` or `none`. A `pass` has the oldest instance since
/// which nobody has changed the message (header.oldest-pass).
///
/// A chain can pass even if a sealer has lied. So only chains of trusted sealers count. Name them with the option
/// `trusted`, or in the control file `arc_trusted_sealers`, which has one domain on each line (`.example.com` for the
/// domains below it). The notes `arc` and `arc_trusted` (smtpd/mailauth/message_stream.h) tell other plugins which
/// results they may use: those of the oldest instance such that its sealer and all later sealers are trusted.
///
/// A chain that fails is no worse than a message without a chain (RFC 8617 5.2). So `reject` is `no` unless it is set.
///
/// ## Sealing
///
/// `seal=always` seals every message; `seal=no`, the default, seals none. The plugin seals at the hook queue_pre, after
/// dkim and all other plugins. It seals the results that this server has written into Authentication-Results, so load
/// the plugins whose results should be sealed. It does not seal a message if the chain has ended with a failure, if the
/// chain has 50 sets, or if the DNS gave no answer about a key.
///
/// The plugin uses the keys of the plugin dkim: `keys` is the same folder. `domain` is the domain that seals, by
/// default that of the server's name. If the domain has an RSA key and an Ed25519 key, the RSA key seals, because not
/// all servers know Ed25519. Without a key, `seal=always` is an error.
///
/// ## Replies
///
/// With `reject=yes`: `550 5.7.29 The ARC chain of the message is not valid`.
#include <smtpd/base/domain.h>
#include <smtpd/mailauth/arc.h>
#include <smtpd/mailauth/message_stream.h>
#include <smtpd/mailauth/signing_keys.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <chrono>

namespace smtpd::plugins {

using mailauth::ArcChain;
using mailauth::ArcResult;
using mailauth::MessageReader;
using mailauth::MessageStream;
using mailauth::SigningKey;

class Arc final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject = PolicyDefaults::Reject::no, .reject_type = Verdict::deny};

    enum class Seal { no, always };

    struct Options {
        bool validate = true;
        Seal seal = Seal::no;
        std::vector<std::string> trusted;
        std::string keys;
        std::string domain;
        Duration timeout = std::chrono::seconds(10);

        static OptionTable table() {
            return {option("validate", &Options::validate, "whether chains are validated"),
                    option("seal", &Options::seal, "which messages are sealed")
                        .choices({{"no", Seal::no}, {"always", Seal::always}}),
                    option("trusted", &Options::trusted, "a domain whose seals are believed"),
                    option("keys", &Options::keys, "the folder with the keys; default: dkim among the control files"),
                    option("domain", &Options::domain, "the domain that seals; default: that of the server's name"),
                    option("timeout", &Options::timeout, "how long to wait for the DNS").range("100ms", "1min")};
        }
    };

    Arc(Setup& setup, const Options& options)
        : options_(options), trusted_(setup.control().domains("arc_trusted_sealers")) {
        for (const auto& domain : options.trusted) trusted_names_.push_back(ascii_domain(domain));
        if (options.seal == Seal::always) read_key(setup);
        else if (!options.keys.empty() || !options.domain.empty())
            setup.error("keys and domain are of no use without seal=always: write that, or remove them");
        if (!options.validate && options.seal == Seal::no)
            setup.error("validate is off and seal=no, so that the plugin does nothing");
        setup.hooks.data_chunk.stream(
            [this](MessageHook& hook) { return MessageStream::join(hook.transaction, !sealing_keys_.empty()); });
        if (options.validate)
            setup.hooks.data_post_headers
                .ask([this](const DataPostHook& hook, Questions& questions) { ask(hook, questions); })
                .decide([this](DataPostHook& hook, const Answers& answers) { return validate(hook, answers); });
        if (!sealing_keys_.empty())
            setup.hooks.queue_pre.add(after_dkim, [this](DataPostHook& hook) -> Response {
                seal(hook);
                return declined();
            });
    }

private:
    static constexpr auto after_dkim = static_cast<Priority>(static_cast<int>(Priority::last) + 1);

    void read_key(Setup& setup) {
        const std::string folder = options_.keys.empty() ? setup.control().source("dkim")->path()
                                                         : setup.path(options_.keys);
        const std::string domain = options_.domain.empty() ? setup.server_name() : options_.domain;
        mailauth::SigningKeys all;
        if (!folder.empty())
            for (const auto& problem : all.add_tree(folder))
                problem.is_error ? setup.error("{}", problem.text) : setup.warning("{}", problem.text);
        sealing_keys_ = all.find("", domain);
        std::stable_sort(sealing_keys_.begin(), sealing_keys_.end(),
                         [](const SigningKey& a, const SigningKey& b) { return a.key.is_rsa() && !b.key.is_rsa(); });
        if (sealing_keys_.empty())
            setup.error("there is no key to seal with for {}; make one with smtpd-dkim-keygen in {}", domain,
                        folder.empty() ? "the folder dkim among the control files" : folder);
    }

    static std::chrono::sys_seconds now(const HookContext& hook) {
        return std::chrono::floor<std::chrono::seconds>(hook.clock().wall());
    }

    // Validating

    void ask(const DataPostHook& hook, Questions& questions) const {
        const MessageReader* const message = MessageStream::find(hook.transaction);
        if (!message) return;
        questions.timeout(options_.timeout);
        mailauth::QuestionLookups lookups(questions);
        mailauth::ask_arc_keys(*message, lookups);
    }

    Finding validate(DataPostHook& hook, const Answers& answers) {
        const MessageReader* const message = MessageStream::find(hook.transaction);
        if (!message) return error("the message was not seen to its end");
        mailauth::AnswerLookups lookups(answers);
        auto chain = mailauth::validate_arc(*message, lookups, cache_, now(hook));
        if (!chain) return error("the keys did not come");
        const std::size_t trusted = mailauth::oldest_trusted(
            *chain, [this](const std::string& domain) { return is_trusted(domain); });
        AuthenticationResult result = mailauth::arc_result(*chain);
        if (trusted > 0) result.comment += format_text(", trusted since i={}", trusted);
        Finding finding = judge(*chain, trusted).authentication_result(std::move(result));
        hook.transaction.notes().set(notes::arc_trusted, trusted);
        hook.transaction.notes().set(notes::arc, std::move(*chain));
        return finding;
    }

    bool is_trusted(const std::string& domain) const {
        return std::find(trusted_names_.begin(), trusted_names_.end(), domain) != trusted_names_.end() ||
               trusted_->contains(domain);
    }

    static Finding judge(const ArcChain& chain, std::size_t trusted) {
        if (chain.result == ArcResult::none) return skip("no chain");
        if (chain.is_temporary) return error("{}", chain.reason);
        if (chain.passes())
            return pass("{} sets, the newest sealed by {}, {}", chain.instances,
                        printable_domain(chain.sets.back().domain),
                        trusted > 0 ? format_text("trusted since set {}", trusted) : "which is not trusted");
        return fail("{}", chain.reason)
            .code(550)
            .status(EnhancedCode{5, 7, 29})
            .reply("The ARC chain of the message is not valid");
    }

    // Sealing

    void seal(DataPostHook& hook) const {
        const ArcChain* const known = hook.transaction.notes().find(notes::arc);
        const Headers& headers = hook.message().headers();
        if (!known && headers.count("ARC-Seal") + headers.count("ARC-Message-Signature") +
                              headers.count("ARC-Authentication-Results") >
                          0)
            return hook.log(LogLevel::info, "not sealed: the chain of the message was not validated");
        const auto body = MessageStream::relaxed_body(hook.transaction);
        if (!body) return hook.log(LogLevel::error, "error: not sealed: {}", body.error().what);
        const SigningKey& key = sealing_keys_.front();
        const mailauth::ArcSealing sealing{.domain = key.domain,
                                           .selector = key.selector,
                                           .authserv_id = hook.connection.server_name(),
                                           .time = now(hook)};
        const auto fields = mailauth::seal_arc(headers.to_string(), **body, known ? *known : ArcChain(), sealing,
                                               key.key);
        if (!fields) return hook.log(LogLevel::warning, "not sealed: {}", fields.error().what);
        if (!*fields) return hook.log(LogLevel::info, "not sealed: the chain has ended");
        put_on_top(hook.message().headers(), **fields);
        hook.log(LogLevel::info, "sealed by {} ({}, {})", key.domain, key.selector, key.key.algorithm());
    }

    static void put_on_top(Headers& headers, const mailauth::ArcFields& fields) {
        headers.prepend("ARC-Authentication-Results", fields.results);
        headers.prepend("ARC-Message-Signature", fields.message_signature);
        headers.prepend("ARC-Seal", fields.seal);
    }

    const Options options_;
    Watched<DomainList> trusted_;
    std::vector<std::string> trusted_names_;
    std::vector<SigningKey> sealing_keys_;  ///< the RSA key comes first
    mailauth::KeyCache cache_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("arc", smtpd::plugins::Arc);
