/// gate.h: what the MPM polls in place of a client's socket while nobody is to hear of the client.
///
/// mpm_event waits for a connection by polling its socket, for input or for room to write. A session that works in
/// another thread, or that keeps as much input as it may, must not be called for either: the poll is level-triggered,
/// so it would be called over and over, or a thread would have to wait. So the number of another descriptor is put into
/// the MPM's apr_socket_t while the connection is in its hands: an epoll set that holds the real socket, and that
/// becomes readable when what we choose happens to it, or nothing. Which that is can be changed by any thread, without
/// the MPM.
#pragma once

#include "httpd/apache.h"

#include "support/file_descriptor.h"

#include <mutex>

namespace smtpd::httpd {

/// Thread-safe.
class Gate {
public:
    explicit Gate(conn_rec* connection);
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    /// What makes the MPM come back to the connection.
    enum class Passes : unsigned char { nothing, input, room };

    /// Puts the gate before the socket. In process_connection only. False if there is no descriptor left for it.
    bool install(Passes passes) noexcept;
    /// Changes what passes; without effect if the gate is not installed.
    void let(Passes passes) noexcept;
    /// Puts the socket back. In process_connection, or when the connection is about to be closed.
    void remove() noexcept;

    bool is_installed() const noexcept;
    /// The client's socket, whatever the MPM takes for it; -1 once the MPM has closed it.
    int socket() const noexcept;

    /// As long as it lives, httpd's core output filter writes to the client through an apr_socket_t of its own, which
    /// no gate concerns. For threads that work on a connection while the MPM has it; one at a time.
    class OwnSocket {
    public:
        explicit OwnSocket(Gate& gate) noexcept;
        ~OwnSocket();
        OwnSocket(const OwnSocket&) = delete;
        OwnSocket& operator=(const OwnSocket&) = delete;

    private:
        Gate& gate_;
        core_net_rec* net_ = nullptr;
    };

private:
    int current() const noexcept;
    void let_locked(Passes passes) noexcept;

    conn_rec* const connection_;
    apr_socket_t* const mpm_socket_;
    apr_socket_t* own_socket_ = nullptr;  ///< made once
    mutable std::mutex mutex_;            ///< guards what follows, and the number in mpm_socket_
    support::FileDescriptor epoll_;
    int real_ = -1;
};

}  // namespace smtpd::httpd
