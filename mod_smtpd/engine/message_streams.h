/// message_streams.h: the streams that process a message while it arrives, and their progress.
///
/// Streams that block get their octets in other threads, in order, and may lag behind. The session checks awaited()
/// before it takes more from its client, and parks until the streams have caught up (Stage::await). MessageStreams
/// belongs to one message; streams that run in another thread may outlive it.
#pragma once

#include "engine/services.h"

#include <smtpd/base/clock.h>
#include <smtpd/task.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::support {
class Lane;
}

namespace smtpd::engine {

/// A plugin's stream. The host implements it and handles the plugin's exceptions. Calls do not overlap.
class MessageObserver {
public:
    virtual ~MessageObserver() = default;
    virtual void chunk(std::string_view octets) noexcept = 0;
    virtual void end() noexcept = 0;
    virtual void abort() noexcept = 0;
    /// The lane in which its calls queue; null: they do not block.
    virtual support::Lane* lane() const noexcept = 0;
    /// How long the session waits for it to catch up.
    virtual Duration limit() const noexcept = 0;
    /// The plugin instance, for the log.
    virtual const std::string& name() const noexcept = 0;
};
using MessageObservers = std::vector<std::unique_ptr<MessageObserver>>;

class MessageStreams {
public:
    /// Without services.tasks, the session's own thread calls all streams.
    MessageStreams(MessageObservers observers, const Services& services, const Clock& clock);
    /// Aborts the streams that have not ended.
    ~MessageStreams();
    MessageStreams(const MessageStreams&) = delete;
    MessageStreams& operator=(const MessageStreams&) = delete;

    bool empty() const noexcept { return streams_.empty(); }
    void chunk(std::string_view octets);
    void end();
    bool has_ended() const noexcept { return has_ended_; }

    /// The remaining work of a stream that lags too far behind, or that has not ended although end() was called.
    struct Awaited {
        std::string name;
        std::shared_ptr<RunningTask> task;
        Duration limit;
    };
    std::vector<Awaited> awaited() const;
    /// Continues without the streams that have not caught up.
    void leave_behind();

private:
    class Feed;

    std::vector<std::shared_ptr<Feed>> streams_;
    bool has_ended_ = false;
};

}  // namespace smtpd::engine
