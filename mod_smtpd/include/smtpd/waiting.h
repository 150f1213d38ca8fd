/// waiting.h: what a plugin wants to wait for before it decides, and what came of it.
///
/// Before the chain of a stage runs, every plugin that has an `ask` handler there names what it needs. The session is then parked, without a
/// thread under the event MPM, until everything is there or the deadline of whoever asked has passed; after that the chain runs without waiting.
#pragma once

#include <smtpd/api.h>

#include <chrono>

namespace smtpd {

using Duration = std::chrono::milliseconds;

/// Collects wishes. All are counted from the beginning of the stage, so asking for the same twice changes nothing.
class SMTPD_API Questions {
public:
    virtual ~Questions() = default;
    /// Not before that long after the stage began.
    virtual void delay(Duration duration) = 0;
    /// That long, or until the client sends something (or already did), whichever is first.
    virtual void silence(Duration duration) = 0;
};

/// What came of it.
class SMTPD_API Answers {
public:
    /// The client sent something while it was its turn to wait.
    bool client_spoke() const noexcept { return client_spoke_; }
    /// How long the session was parked.
    Duration waited() const noexcept { return waited_; }

    Answers() = default;
    Answers(bool client_spoke, Duration waited) : client_spoke_(client_spoke), waited_(waited) {}

private:
    bool client_spoke_ = false;
    Duration waited_{0};
};

}  // namespace smtpd
