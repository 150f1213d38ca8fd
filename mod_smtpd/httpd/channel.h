/// channel.h: octets from and to a client through httpd.
///
/// If only httpd's own network filters are between us and the socket, octets go directly to and from the socket:
/// without buckets, and without a second read to find out that there is no more. Otherwise (TLS, mod_dumpio, other
/// filters) they go through the filters.
#pragma once

#include "httpd/apache.h"
#include "httpd/gate.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace smtpd::httpd {

/// Whether connections have threads. Under prefork they have processes, which signals end from within.
bool is_threaded() noexcept;

/// The size of one read.
inline constexpr std::size_t thread_buffer_size = 128 * 1024;

/// A thread's buffer for direct reads. It belongs to the thread, not to the session, so that idle sessions need none.
char* thread_buffer();

class Channel {
public:
    explicit Channel(conn_rec* connection);

    enum class Read { some, nothing, end };
    /// Passes the input that has arrived to `take`, piece by piece, without waiting. `take` returns false to stop; the
    /// pieces that it was given are consumed.
    template <class Take>
    Read read(Take take);

    /// Waits for input; false on time-out. Under prefork, signals are delivered here and nowhere else (see
    /// SignalsHeld). TLS may hold input that this does not see: call read() first.
    bool wait(std::chrono::milliseconds time) { return wait(time, descriptor(), -1); }
    /// The same, but a signal on `event_fd` also ends the wait.
    bool wait(std::chrono::milliseconds time, int event_fd) { return wait(time, descriptor(), event_fd); }
    /// Waits for a signal on `event_fd` only, whatever the client does.
    bool wait_for_signal(std::chrono::milliseconds time, int event_fd) { return wait(time, -1, event_fd); }

    /// Sends and clears `octets`. Waits for a slow client, at most for the server's Timeout. False if the client is
    /// gone.
    bool write(std::string& octets);

    enum class Sent { all, some, gone };
    /// Sends what can be sent without waiting and removes it from `octets`. `some`: the socket takes no more at
    /// present.
    Sent try_write(std::string& octets);

    /// Sends and clears the last octets of the connection, including what the filters append, and makes httpd close the
    /// connection at once, without waiting for the client to close first. False, and nothing is sent, if the socket
    /// does not take them at once.
    bool write_last(std::string& octets);
    /// The same, but waits for the client if necessary.
    void write_last_and_wait(std::string& octets);

    /// Whether there is unread input.
    bool has_input();
    /// Whether the socket has input.
    bool has_octets() const noexcept;
    /// Until look_again(), output is sent unencrypted, even if filters are added.
    void keep_clear();
    /// Filters were added: looks at them again.
    void look_again();

    /// No filter is between us and the socket: all unread input is in the socket.
    bool is_direct() const noexcept { return direct_in_ && direct_out_; }
    /// -1 after the MPM has closed it, which happens at any moment when httpd is stopped. Do not store it: the number
    /// may soon belong to another file.
    int descriptor() const noexcept { return gate_.socket(); }
    Gate& gate() noexcept { return gate_; }
    bool is_open() const noexcept { return descriptor() >= 0; }

    /// Makes the MPM return to this connection now, as if its client had closed. Any thread may call it.
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
    ap_filter_t* out_through_ = nullptr;  ///< used instead of the connection's first filter
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
