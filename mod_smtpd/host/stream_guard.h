/// stream_guard.h: wraps a plugin's BodyStream for the engine: the plugin's exceptions end here. Also records faults of
/// a plugin outside a hook, in any thread.
#pragma once

#include "engine/message_streams.h"
#include "host/instance.h"

#include <smtpd/body_stream.h>
#include <smtpd/hooks.h>

#include <memory>
#include <string>
#include <string_view>

namespace smtpd::host {

/// Call it in a catch block: counts and logs the exception. The session may have ended. Thread-safe.
void record_fault(const Instance& instance, LogSink& sink, std::string_view session, HookId hook,
                  std::string_view what) noexcept;

class StreamGuard final : public engine::MessageObserver {
public:
    StreamGuard(std::shared_ptr<BodyStream> stream, const Instance& instance, const MessageHook& context)
        : stream_(std::move(stream)),
          instance_(instance),
          log_(context.connection.log()),
          session_(context.connection.id()) {}

    void chunk(std::string_view octets) noexcept override;
    void end() noexcept override;
    void abort() noexcept override;
    support::Lane* lane() const noexcept override { return instance_.lane(HookId::data_chunk); }
    Duration limit() const noexcept override { return instance_.deadline(); }
    const std::string& name() const noexcept override { return instance_.name(); }

private:
    void fail() noexcept;

    const std::shared_ptr<BodyStream> stream_;
    const Instance& instance_;
    LogSink& log_;
    const std::string session_;
    bool has_failed_ = false;
};

}  // namespace smtpd::host
