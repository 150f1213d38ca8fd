/// message_streams.h: what looks on while a message arrives, and how far it has come.
///
/// Streams that wait get their octets in threads of their own, in order, and may lag behind. The session looks at
/// awaited() before it takes more from its client, and parks until the streams have caught up (Stage::await).
/// MessageStreams belongs to one message; what runs in another thread when it goes outlives it.
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

/// A plugin's stream. The host implements it, and sees to what the plugin throws. Calls do not overlap.
class MessageObserver {
public:
    virtual ~MessageObserver() = default;
    virtual void chunk(std::string_view octets) noexcept = 0;
    virtual void end() noexcept = 0;
    virtual void abort() noexcept = 0;
    /// Where its calls queue; null: they do not wait.
    virtual support::Lane* lane() const noexcept = 0;
    /// How long the session waits for it to catch up.
    virtual Duration limit() const noexcept = 0;
    /// The plugin instance, for the log.
    virtual const std::string& name() const noexcept = 0;
};
using MessageObservers = std::vector<std::unique_ptr<MessageObserver>>;

class MessageStreams {
public:
    /// Without services.tasks, all are called by the session's own thread.
    MessageStreams(MessageObservers observers, const Services& services, const Clock& clock);
    /// What has not ended is aborted.
    ~MessageStreams();
    MessageStreams(const MessageStreams&) = delete;
    MessageStreams& operator=(const MessageStreams&) = delete;

    bool empty() const noexcept { return streams_.empty(); }
    void chunk(std::string_view octets);
    void end();
    bool has_ended() const noexcept { return has_ended_; }

    /// What a stream that lags too far behind, or has not ended though end() was called, still has to do.
    struct Awaited {
        std::string name;
        std::shared_ptr<RunningTask> task;
        Duration limit;
    };
    std::vector<Awaited> awaited() const;
    /// Goes on without those that have not caught up.
    void leave_behind();

private:
    class Feed;

    std::vector<std::shared_ptr<Feed>> streams_;
    bool has_ended_ = false;
};

}  // namespace smtpd::engine
