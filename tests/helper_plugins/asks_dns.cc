/// asks_dns.cc: asks the DNS the questions in its options, and logs the answers.
///
/// A question is TYPE:NAME, where %h in the name is the argument of HELO, %s the sender's domain, %r the recipient's,
/// %i the client's address reversed. mxa:NAME asks for the exchangers of the name, and then for their addresses.
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

class AsksDns final : public PolicyPlugin {
public:
    struct Options {
        std::vector<std::string> connect, helo, mail, rcpt, data_post;
        static OptionTable table() {
            return {option("connect", &Options::connect, "questions at connect"),
                    option("helo", &Options::helo, "questions at helo and ehlo"),
                    option("mail", &Options::mail, "questions at mail"),
                    option("rcpt", &Options::rcpt, "questions at rcpt"),
                    option("data_post", &Options::data_post, "questions at data_post")};
        }
    };
    static constexpr PolicyDefaults policy_defaults{.reject = PolicyDefaults::Reject::no};

    AsksDns(Setup& setup, const Options& options) : options_(options) {
        attach(setup.hooks.connect, options_.connect);
        attach(setup.hooks.helo, options_.helo);
        attach(setup.hooks.ehlo, options_.helo);
        attach(setup.hooks.mail, options_.mail);
        attach(setup.hooks.rcpt, options_.rcpt);
        attach(setup.hooks.data_post, options_.data_post);
    }

private:
    template <class Point>
    void attach(Point& point, const std::vector<std::string>& wanted) {
        using Hook = typename Point::Argument;
        if (wanted.empty()) return;
        point
            .ask([this, &wanted](const Hook& hook, Questions& questions) {
                for (const auto& one : wanted) ask(one, name_for(hook, one), questions);
            })
            .decide([this, &wanted](const Hook& hook, const Answers& answers) { return judge(hook, wanted, answers); });
    }

    static void ask(std::string_view wanted, const std::string& name, Questions& questions) {
        if (is_mxa(wanted))
            for (const auto& exchanger : questions.mx(name).exchangers()) questions.a(exchanger.name);
        else questions.dns(type_of(wanted), name);
    }

    template <class Hook>
    Finding judge(const Hook& hook, const std::vector<std::string>& wanted, const Answers& answers) const {
        bool any_found = false;
        std::string failed;
        const auto look = [&](DnsType type, const std::string& name) -> const DnsAnswer& {
            const DnsAnswer& answer = answers.dns(type, name);
            std::string text = answer.to_string();
            if (text.size() > 200) text = text.substr(0, 200) + format_text("… ({} octets)", text.size());
            hook.log(LogLevel::notice, "{} {}: {} ttl={}", name, dns_type_name(type), text, answer.ttl().count());
            any_found |= answer.found();
            if (answer.failed()) failed = answer.error();
            return answer;
        };
        for (const auto& one : wanted) {
            const std::string name = name_for(hook, one);
            const DnsAnswer& answer = look(is_mxa(one) ? DnsType::mx : type_of(one), name);
            if (is_mxa(one))
                for (const auto& exchanger : answer.exchangers()) look(DnsType::a, exchanger.name);
        }
        hook.log(LogLevel::notice, "waited {} ms", answers.waited().count());
        return any_found ? fail("found") : !failed.empty() ? error("{}", failed) : pass();
    }

    static bool is_mxa(std::string_view wanted) { return wanted.starts_with("mxa:"); }

    static DnsType type_of(std::string_view wanted) {
        const auto name = wanted.substr(0, wanted.find(':'));
        for (const auto type : {DnsType::aaaa, DnsType::mx, DnsType::txt, DnsType::ptr, DnsType::cname, DnsType::ns})
            if (ascii_equal(name, dns_type_name(type))) return type;
        return DnsType::a;
    }

    template <class Hook>
    static std::string name_for(const Hook& hook, std::string_view wanted) {
        std::string name;
        wanted.remove_prefix(std::min(wanted.find(':') + 1, wanted.size()));
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (wanted[i] != '%' || i + 1 == wanted.size()) {
                name += wanted[i];
                continue;
            }
            switch (wanted[++i]) {
                case 'h': name += hook_host(hook); break;
                case 'i': name += hook.connection.address().reversed(); break;
                case 's':
                    if constexpr (std::is_base_of_v<TransactionContext, Hook>)
                        name += hook.transaction.sender().domain();
                    break;
                case 'r':
                    if constexpr (std::is_same_v<RcptHook, Hook>) name += hook.recipient.address().domain();
                    break;
            }
        }
        return name;
    }

    template <class Hook>
    static std::string hook_host(const Hook& hook) {
        if constexpr (std::is_same_v<HelloHook, Hook>) return std::string(hook.host);
        else return hook.connection.hello_host();
    }

    const Options options_;
};

SMTPD_PLUGIN("asks_dns", AsksDns);

}  // namespace smtpd::plugins
