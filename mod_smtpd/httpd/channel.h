/// channel.h: octets from and to a client through httpd.
///
/// Where nothing but httpd's own network filters stands between us and the socket, octets go to and from it directly:
/// no buckets, no second read to find out that there is no more. Otherwise (TLS, mod_dumpio, anything else) they go
/// through the filters.
#pragma once

#include "httpd/apache.h"
#include "httpd/gate.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace smtpd::httpd {

/// Whether connections have threads; under prefork they have processes, whose signals end them from within.
bool is_threaded() noexcept;

/// What is asked for at a time.
inline constexpr std::size_t thread_buffer_size = 128 * 1024;

/// A thread's buffer for direct reads: of the thread, not of the session, so that idle sessions hold none.
char* thread_buffer();

class Channel {
public:
    explicit Channel(conn_rec* connection);

    enum class Read { some, nothing, end };
    /// Gives `take` what has arrived, piece by piece, without waiting. `take` returns false to leave it at that; what
    /// it was given is used up.
    template <class Take>
    Read read(Take take);

    /// Waits for input; false when the time is over. Under prefork signals are let in here, and only here (see
    /// SignalsHeld). TLS may have input that this does not see: read() first.
    bool wait(std::chrono::milliseconds time) { return wait(time, descriptor(), -1); }
    /// The same, but a signal of `event_fd` ends it as well.
    bool wait(std::chrono::milliseconds time, int event_fd) { return wait(time, descriptor(), event_fd); }
    /// Waits only for a signal of `event_fd`, whatever the client does.
    bool wait_for_signal(std::chrono::milliseconds time, int event_fd) { return wait(time, -1, event_fd); }

    /// Sends and clears `octets`; waits for a slow client as long as the server's Timeout. False when the client is
    /// gone.
    bool write(std::string& octets);

    enum class Sent { all, some, gone };
    /// Sends what can be sent without waiting, and takes it off `octets`; `some`: the socket takes no more for the
    /// moment.
    Sent try_write(std::string& octets);

    /// Sends and clears the last octets of the connection, with what has to come behind them, and has httpd close it at
    /// once, without waiting for the client to do so first. False, and nothing has happened, if the socket does not
    /// take them at once.
    bool write_last(std::string& octets);
    /// The same, and waits for the client if it has to.
    void write_last_and_wait(std::string& octets);

    /// Whether something has arrived that nobody has read.
    bool has_input();
    /// Whether there is something in the socket.
    bool has_octets() const noexcept;
    /// Until look_again(), what is written goes out as it is, whatever filters come to be.
    void keep_clear();
    /// Filters were added.
    void look_again();

    /// Whether nothing stands between us and the socket: what is not in the socket has not come.
    bool is_direct() const noexcept { return direct_in_ && direct_out_; }
    /// -1 once the MPM has closed it, which it does in the middle of everything when httpd is stopped. Never to be
    /// kept: the number may be that of somebody else's file by now.
    int descriptor() const noexcept { return gate_.socket(); }
    Gate& gate() noexcept { return gate_; }
    bool is_open() const noexcept { return descriptor() >= 0; }

    /// Makes the MPM come back to this connection now, as if its client had closed. Any thread.
    void force_wakeup();

private:
    static bool wait(std::chrono::milliseconds time, int socket, int event_fd);
    Read read_socket(char* buffer, std::size_t size, std::size_t& length);
    apr_status_t read_filters();
    Sent try_write_filters(std::string& octets);
    bool has_room() const noexcept;
    bool write_socket(std::string_view octets);
    bool write_filters(std::string_view octets, bool is_last = false);

    conn_rec* connection_;
    Gate gate_;
    bool direct_in_ = false;
    bool direct_out_ = false;
    ap_filter_t* out_through_ = nullptr;  ///< instead of the connection's first
    apr_bucket_brigade* in_ = nullptr;
    apr_bucket_brigade* out_ = nullptr;
};

template <class Take>
Channel::Read Channel::read(Take take) {
    if (direct_in_) {
        std::size_t length = 0;
        const Read result = read_socket(thread_buffer(), thread_buffer_size, length);
        if (result == Read::some) take(std::string_view(thread_buffer(), length));
        return result;
    }
    const apr_status_t status = read_filters();
    if (APR_STATUS_IS_EAGAIN(status)) return Read::nothing;
    if (status != APR_SUCCESS) return Read::end;
    bool any = false;
    while (!APR_BRIGADE_EMPTY(in_)) {
        apr_bucket* bucket = APR_BRIGADE_FIRST(in_);
        if (APR_BUCKET_IS_EOS(bucket)) return any ? Read::some : Read::end;
        const char* data = nullptr;
        apr_size_t length = 0;
        if (apr_bucket_read(bucket, &data, &length, APR_BLOCK_READ) != APR_SUCCESS) return Read::end;
        if (length > 0) {
            any = true;
            take(std::string_view(data, length));
        }
        apr_bucket_delete(bucket);
    }
    return any ? Read::some : Read::nothing;
}

}  // namespace smtpd::httpd
