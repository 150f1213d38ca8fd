/// plugin_set.h: the plugins of one server: created from its configuration, called by its engine.
///
/// build() runs while the configuration is read. Afterwards the set is immutable, and many threads call run() and
/// ask(). It must outlive every session that uses it, because their notes may hold objects of its plugins.
#pragma once

#include "engine/hook_runner.h"
#include "host/dispatcher.h"
#include "host/environment.h"
#include "host/instance.h"
#include "host/log_router.h"
#include "host/plugin_file.h"
#include "host/problem.h"

#include <smtpd/base/result.h>
#include <smtpd/control.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

class PluginSet final : public engine::HookRunner {
public:
    /// Loads the plugins of these lines in order. A later line with the name and label of an earlier one replaces it.
    /// Errors and warnings are added to `problems`; after an error the set is incomplete, and may only be destroyed.
    static std::unique_ptr<PluginSet> build(const std::vector<PluginLine>& lines, const Environment& environment,
                                            Problems& problems);
    ~PluginSet() override;
    PluginSet(const PluginSet&) = delete;
    PluginSet& operator=(const PluginSet&) = delete;

    /// Call it once in every serving process: runs the plugins' child_start(), even if some of them throw. The Error
    /// names those that threw.
    Result<void> child_start();

    /// The log of this server's sessions.
    LogSink& log() noexcept { return router_; }
    const std::vector<std::unique_ptr<Instance>>& instances() const noexcept { return instances_; }
    /// The handlers of a hook, in the order of their calls; for the hook logging, the plugins that get lines.
    std::vector<Dispatcher::Member> chain(HookId hook) const {
        return hook == HookId::logging ? loggers_ : dispatcher_.members(hook);
    }

    /// Whether a plugin informs the senders about refused recipients.
    bool sends_bounces() const noexcept { return sends_bounces_; }

    // engine::HookRunner
    bool has(HookId hook) const noexcept override { return dispatcher_.has(hook); }
    bool can_accept(HookId hook) const noexcept override { return dispatcher_.can_accept(hook); }
    bool asks(HookId hook) const noexcept override { return dispatcher_.asks(hook); }
    bool reads_body() const noexcept override { return reads_body_; }
    bool judges_recipients() const noexcept override { return judges_recipients_ || has(HookId::data_post_rcpt); }
    void ask(HookContext& context, engine::Wait& wait) noexcept override { dispatcher_.ask(context, wait); }
    HookSet waits_at() const noexcept override { return dispatcher_.waits_at(); }
    support::Lane* lane(HookId hook, const support::Lane* held) const noexcept override {
        return dispatcher_.lane(hook, held);
    }
    Response run(HookContext& context, engine::ChainState& state) noexcept override {
        return dispatcher_.run(context, state);
    }
    engine::MessageObservers observe_message(MessageHook& context) noexcept override {
        return dispatcher_.observe_message(context);
    }
    std::vector<std::string> control_lines(std::string_view name) noexcept override;

private:
    explicit PluginSet(const Environment& environment);
    void add(const PluginLine& line, const Environment& environment, Problems& problems);
    /// A control file that sessions request by its name: if it becomes wrong, the previous content stays in use.
    Watched<ControlText> control_file(std::string_view name);

    DirectoryControlFiles& control_;
    LogSink& server_log_;
    std::vector<std::unique_ptr<Instance>> instances_;
    LogRouter router_;
    Dispatcher dispatcher_;
    std::vector<Dispatcher::Member> loggers_;
    bool reads_body_ = false;
    bool judges_recipients_ = false;
    bool sends_bounces_ = false;
    std::mutex files_mutex_;  ///< guards files_
    std::map<std::string, Watched<ControlText>, std::less<>> files_;
};

/// The lines that remain after later ones have replaced earlier ones of the same name and label, in the earlier place.
std::vector<PluginLine> merged(const std::vector<PluginLine>& lines);

}  // namespace smtpd::host
