/// body_stream.h: what sees a message while it arrives, so that a scanner is nearly done when the message is.
///
///     const NoteKey<std::shared_ptr<Scan>> scan_note{"scanner.scan"};
///
///     setup.hooks.data_chunk.stream([this](MessageHook& hook) -> std::shared_ptr<BodyStream> {
///         if (hook.connection.is_relay_client()) return nullptr;           // this message is of no interest
///         auto scan = std::make_shared<Scan>(scanners_);
///         hook.transaction.notes().set(scan_note, scan);
///         return scan;
///     });
///     setup.hooks.data_post.decide([](const DataPostHook& hook) { …
///     (*hook.transaction.notes().find(scan_note))->verdict() … });
///
/// A plugin makes one object for each message, when DATA, or the first chunk of BDAT, is accepted. The object may
/// outlive the session, so it keeps nothing that belongs to the hook's argument. Its members are called in this order,
/// never two at a time: chunk() any number of times, then end() or abort(), once. What one throws is a fault of the
/// plugin: then abort() follows, and this object sees nothing more.
///
/// If the plugin waits for something at data_chunk (`waits_for_backend`), they are called in threads of their own, and
/// the stream may lag behind the client by max_lag octets. Beyond that, nothing more is read from the client until the
/// stream has caught up. Before data_post_headers, the session is parked until end() has returned. A stream that takes
/// longer than the plugin's deadline is left behind: the message goes on without it, has_ended() is false, and abort()
/// is called when the present call returns, unless that is end(). Without waits_for_backend they are called by the
/// thread that serves the client, and must not wait.
#pragma once

#include <smtpd/base/api.h>

#include <atomic>
#include <cstddef>
#include <string_view>

namespace smtpd {

class SMTPD_API BodyStream {
public:
    /// In octets.
    static constexpr std::size_t max_lag = 256 * 1024;

    virtual ~BodyStream() = default;
    BodyStream(const BodyStream&) = delete;
    BodyStream& operator=(const BodyStream&) = delete;

    /// Octets of the message, header block included, with DATA dot-unstuffed, in order, in pieces of any size.
    virtual void chunk(std::string_view octets) = 0;
    /// All have come.
    virtual void end() {}
    /// The message will not be complete, or is refused, or the session goes on without this stream.
    virtual void abort() noexcept {}

    /// end() has returned: what the stream has found out may be read by the session. Thread-safe.
    bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }

protected:
    BodyStream() = default;

private:
    friend struct ServerAccess;
    std::atomic<bool> has_ended_{false};
};

}  // namespace smtpd
