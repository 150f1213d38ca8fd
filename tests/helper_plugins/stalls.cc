/// stalls: a plugin whose back end hangs as long as a file exists.
///
///     SmtpPlugin stalls /path/of/the/file at=queue
///
/// `at` is mail, rcpt, queue, auth, disconnect, task (three tasks at data_post read the message and hang), or stream:
/// then each piece of a message waits as it arrives, and the plugin logs at data_post how much it has seen. With
/// `declared=no` it does not declare that it waits.
#include <smtpd/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <thread>

namespace smtpd::plugins {

class Stalls final : public Plugin {
public:
    enum class At { mail, rcpt, queue, auth, disconnect, task, stream };
    static constexpr bool runs_tasks = true;

    struct Options {
        std::string file;
        At at = At::queue;
        bool declared = true;

        static OptionTable table() {
            return {option("file", &Options::file, "it waits as long as this exists").positional(0).required(),
                    option("at", &Options::at, "where")
                        .choices({{"mail", At::mail},
                                  {"rcpt", At::rcpt},
                                  {"queue", At::queue},
                                  {"auth", At::auth},
                                  {"disconnect", At::disconnect},
                                  {"task", At::task},
                                  {"stream", At::stream}}),
                    option("declared", &Options::declared, "whether it says so")};
        }
    };
    static bool waits_for_backend(const Options& options) noexcept {
        return options.declared && options.at != At::task;
    }

    Stalls(Setup& setup, const Options& options) : file_(options.file) {
        auto& hooks = setup.hooks;
        switch (options.at) {
            case At::mail: hooks.mail.add([this](const MailHook& hook) { return stall(hook), declined(); }); break;
            case At::rcpt: hooks.rcpt.add([this](const RcptHook& hook) { return stall(hook), declined(); }); break;
            case At::queue:
                hooks.queue.deliver([this](const Delivery& delivery) { return stall(delivery), not_mine(); });
                break;
            case At::auth: hooks.auth.add([this](const AuthHook& hook) { return stall(hook), denysoft(); }); break;
            case At::disconnect: hooks.disconnect.observe([this](const DisconnectHook& hook) { stall(hook); }); break;
            case At::task:
                hooks.data_post
                    .ask([this](const DataPostHook& hook, Questions& questions) { start_tasks(hook, questions); })
                    .add([](const DataPostHook& hook, const Answers& answers) { return look_at(hook, answers); });
                break;
            case At::stream:
                hooks.data_chunk.stream([this](MessageHook& hook) {
                    return hook.transaction.notes().emplace(seen_note, std::make_shared<Stream>(file_));
                });
                hooks.data_post.add([](const DataPostHook& hook) {
                    const auto& stream = **hook.transaction.notes().find(seen_note);
                    hook.log(LogLevel::info, "the stream has {} {} octets",
                             stream.has_ended() ? "seen" : "not seen all of", stream.octets());
                    return declined();
                });
                break;
        }
    }

private:
    class Stream final : public BodyStream {
    public:
        explicit Stream(std::string file) : file_(std::move(file)) {}
        void chunk(std::string_view octets) override {
            std::error_code ignored;
            while (std::filesystem::exists(file_, ignored) && !is_aborted_) std::this_thread::sleep_for(Duration(10));
            octets_ += octets.size();
        }
        void abort() noexcept override { is_aborted_ = true; }
        std::uint64_t octets() const noexcept { return octets_; }

    private:
        const std::string file_;
        std::atomic<std::uint64_t> octets_{0};
        std::atomic<bool> is_aborted_{false};
    };
    static inline const NoteKey<std::shared_ptr<Stream>> seen_note{"stalls.seen"};

    static constexpr std::array<std::string_view, 3> tasks{"one", "two", "three"};

    void start_tasks(const DataPostHook& hook, Questions& questions) const {
        for (const auto key : tasks)
            questions.task(
                key, [this, message = hook.message().snapshot()](const TaskContext& task) -> Result<std::uint64_t> {
                    std::error_code ignored;
                    while (std::filesystem::exists(file_, ignored) && !task.is_given_up())
                        std::this_thread::sleep_for(Duration(10));
                    std::uint64_t octets = 0;
                    const auto read = message->write_to([&](std::string_view bytes) {
                        octets += bytes.size();
                        return Result<void>();
                    });
                    if (!read) return read.error();
                    return octets;
                });
    }

    static Response look_at(const DataPostHook& hook, const Answers& answers) {
        for (const auto key : tasks) {
            const auto& octets = answers.task<std::uint64_t>(key);
            if (!octets) return denysoft("{}: {}", key, octets.error().what);
            hook.log(LogLevel::info, "task {} has read {} octets", key, *octets);
        }
        return declined();
    }

    void stall(const HookContext& hook) const {
        std::error_code ignored;
        while (std::filesystem::exists(file_, ignored)) hook.wait(Duration(10));
    }

    const std::string file_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("stalls", smtpd::plugins::Stalls);
