/// body_stream.h: processes a message while it arrives, so that a scanner is nearly done when the message is complete.
///
///     const NoteKey<std::shared_ptr<Scan>> scan_note{"scanner.scan"};
///
///     setup.hooks.data_chunk.stream([this](MessageHook& hook) -> std::shared_ptr<BodyStream> {
///         if (hook.connection.is_relay_client()) return nullptr;  // not interested in this message
///         auto scan = std::make_shared<Scan>(scanners_);
///         hook.transaction.notes().set(scan_note, scan);
///         return scan;
///     });
///     setup.hooks.data_post.decide([](const DataPostHook& hook) {
///         … (*hook.transaction.notes().find(scan_note))->verdict() …
///     });
///
/// A plugin makes one object for each message when the server accepts DATA, or the first chunk of BDAT. The object may
/// outlive the session, so it must not refer to anything that belongs to the hook's argument. The server calls its
/// members one at a time, in this order: chunk() any number of times, then end() or abort(), once. An exception from
/// any of them counts as a fault of the plugin: the server calls abort() and nothing after it.
///
/// If the plugin waits for something at data_chunk (`waits_for_backend`), its stream runs in other threads and may lag
/// behind the client by max_lag bytes. Beyond that, the server reads nothing more from the client until the stream has
/// caught up. Before data_post_headers, the session is parked until end() has returned. A stream that takes longer than
/// the plugin's deadline is left behind: the message goes on without it, has_ended() is false, and abort() is called
/// when the current call returns, unless that is end(). Without waits_for_backend, the thread that serves the client
/// calls the stream, which must not wait.
#pragma once

#include <smtpd/base/api.h>

#include <atomic>
#include <cstddef>
#include <string_view>

namespace smtpd {

class SMTPD_API BodyStream {
public:
    /// In bytes.
    static constexpr std::size_t max_lag = 256 * 1024;

    virtual ~BodyStream() = default;
    BodyStream(const BodyStream&) = delete;
    BodyStream& operator=(const BodyStream&) = delete;

    /// The next bytes of the message, in pieces of any size: header block included, DATA already dot-unstuffed.
    virtual void chunk(std::string_view octets) = 0;
    /// The message has arrived completely.
    virtual void end() {}
    /// The message will not be completed or is refused, or the session goes on without this stream.
    virtual void abort() noexcept {}

    /// end() has returned, so the session may read the stream's results. Thread-safe.
    bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }

protected:
    BodyStream() = default;

private:
    friend struct ServerAccess;
    std::atomic<bool> has_ended_{false};
};

}  // namespace smtpd
