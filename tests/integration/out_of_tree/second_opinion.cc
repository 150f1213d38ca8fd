/// second_opinion: asks a server what it thinks of a message.
///
/// The server gets a line with the number of octets and of lines that the message has, and what SPF came to. It answers
/// `yes`, or `no` and why. The question is a task: other plugins of the stage do not wait for it.
#include <smtpd/backend/backend.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

namespace {

class Look final : public smtpd::BodyStream {
public:
    void chunk(std::string_view octets) override {
        octets_ += octets.size();
        lines_ += static_cast<std::size_t>(std::count(octets.begin(), octets.end(), '\n'));
    }
    void end() override { summary_ = smtpd::format_text("{} {}", octets_, lines_); }
    const std::string& summary() const noexcept { return summary_; }

private:
    std::size_t octets_ = 0;
    std::size_t lines_ = 0;
    std::string summary_;
};
const smtpd::NoteKey<std::shared_ptr<Look>> look_note{"second_opinion.look"};

class SecondOpinion final : public smtpd::PolicyPlugin {
public:
    static constexpr bool runs_tasks = true;

    struct Options {
        std::vector<smtpd::ServerAddress> server;
        static smtpd::OptionTable table() {
            return {smtpd::option("server", &Options::server, "which to ask").positional(0).rest().required()};
        }
    };

    SecondOpinion(smtpd::Setup& setup, const Options& options)
        : experts_(setup.instance(), options.server, {.default_port = 4712}, setup.clock(), setup.log()) {
        auto& hooks = setup.hooks;
        hooks.data_chunk.stream([](smtpd::MessageHook& hook) {
            return hook.transaction.notes().emplace(look_note, std::make_shared<Look>());
        });
        hooks.data_post
            .ask([this](const smtpd::DataPostHook& hook, smtpd::Questions& questions) { ask(hook, questions); })
            .decide([](const smtpd::DataPostHook&, const smtpd::Answers& answers) { return judge(answers); });
    }

private:
    /// The names first, then the server.
    void ask(const smtpd::DataPostHook& hook, smtpd::Questions& questions) const {
        if (!experts_.ask(questions)) return;
        const auto* const look = hook.transaction.notes().find(look_note);
        const auto* const spf = hook.results().find("spf");
        questions.task(
            "opinion",
            [this, answers = hook.answers(),
             question = smtpd::format_text("{} {}\n", look ? (*look)->summary() : "?", spf ? spf->result : "none")](
                const smtpd::TaskContext& task) { return opinion(question, answers, task.deadline()); });
    }

    smtpd::Result<std::string> opinion(const std::string& question, const smtpd::Answers& answers,
                                       smtpd::MonotonicTime deadline) const {
        auto expert = experts_.open(answers, deadline);
        if (!expert) return expert.error();
        auto answer = expert->socket().send(question) ? expert->socket().receive_line(200)
                                                      : smtpd::Result<std::string>(smtpd::Error{
                                                            smtpd::ErrorCode::io, "the expert does not listen", 0});
        expert->report(answer);
        return answer;
    }

    static smtpd::Finding judge(const smtpd::Answers& answers) {
        const auto& opinion = answers.task<std::string>("opinion");
        if (!opinion) return smtpd::error("{}", opinion.error().what);
        if (*opinion == "yes") return smtpd::pass();
        return smtpd::fail("the expert says {}", smtpd::quoted(*opinion)).reply("An expert is against this message");
    }

    const smtpd::Backend experts_;
};

}  // namespace

SMTPD_PLUGIN("second_opinion", SecondOpinion);
