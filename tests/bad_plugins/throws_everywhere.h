/// throws_everywhere.h: a plugin of which every handler throws a `What`. It is not a plugin itself: throws_exception.cc
/// and throws_int.cc are.
#pragma once

#include <smtpd/plugin.h>

namespace smtpd::plugins {

template <class Thrower>
class ThrowingStream final : public BodyStream {
public:
    void chunk(std::string_view) override { Thrower::fail("data_chunk"); }
};

template <class Thrower>
class ThrowsEverywhere : public PolicyPlugin {
public:
    struct Options {
        bool ask = false;
        static OptionTable table() { return {option("ask", &Options::ask, "throw in ask handlers too").flag()}; }
    };

    ThrowsEverywhere(Setup& setup, const Options& options) {
        auto& hooks = setup.hooks;
        if (options.ask)
            hooks.connect.ask([](const ConnectHook&, Questions&) { Thrower::fail("connect, asking"); })
                .decide([](const ConnectHook&) { return pass(); });
        else hooks.connect.add([](const ConnectHook&) { return thrown("connect"); });
        hooks.pre_connection.observe([](const PreConnectionHook&) { Thrower::fail("pre-connection, observing"); });
        hooks.rcpt.decide([](const RcptHook&) -> Finding {
            Thrower::fail("rcpt");
            return pass();
        });
        hooks.mail.add([](const MailHook&) { return thrown("mail"); });
        hooks.data_chunk.stream([](MessageHook&) { return std::make_shared<ThrowingStream<Thrower>>(); });
        hooks.data_post.add([](const DataPostHook&) { return thrown("data_post"); });
        hooks.queue.deliver([](const Delivery&) {
            Thrower::fail("queue");
            return delivered();
        });
        hooks.quit.add([](const QuitHook&) { return thrown("quit"); });
        hooks.deny.observe([](const VerdictHook&) { Thrower::fail("deny, observing"); });
        hooks.config.add([](const ConfigHook&) { return thrown("config"); });
        hooks.logging.add(LogLevel::trace, [](const LogLine&) { Thrower::fail("logging"); });
    }

private:
    static Response thrown(const char* where) {
        Thrower::fail(where);
        return ok();
    }
};

}  // namespace smtpd::plugins
