/// gate.h: what the MPM polls instead of a client's socket while events of that socket must not wake it.
///
/// mpm_event waits for a connection by polling its socket, for input or for room to write. If a session works in
/// another thread, or holds as much input as it may, the MPM must not call for either: the poll is level-triggered, so
/// the MPM would call again and again, or a thread would have to wait. So while the MPM has the connection, its
/// apr_socket_t contains the number of another descriptor: an epoll set that holds the real socket and becomes readable
/// on the events that we choose, or on none. Any thread can change that choice, without the MPM.
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

    /// The events that make the MPM return to the connection.
    enum class Passes : unsigned char { nothing, input, room };

    /// Puts the gate in front of the socket. Call it in process_connection only. False if no descriptor is left.
    bool install(Passes passes) noexcept;
    /// Changes which events pass; no effect if the gate is not installed.
    void let(Passes passes) noexcept;
    /// Puts the socket back. Call it in process_connection, or when the connection is about to be closed.
    void remove() noexcept;

    bool is_installed() const noexcept;
    /// The client's socket, even while the gate is installed; -1 after the MPM has closed it.
    int socket() const noexcept;

    /// While it exists, httpd's core output filter writes to the client through a separate apr_socket_t that the gate
    /// does not affect. For threads that work on a connection while the MPM has it; one at a time.
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
    apr_socket_t* own_socket_ = nullptr;  ///< created once
    mutable std::mutex mutex_;            ///< guards the members below, and the number in mpm_socket_
    support::FileDescriptor epoll_;
    int real_ = -1;
};

}  // namespace smtpd::httpd
