/// client_socket.h: a conversation with a back end, a daemon of this or another machine, that never takes longer than it may.
///
///     auto daemon = ClientSocket::connect_local("/run/daemon.sock", std::min(options_.timeout, hook.time_left()));
///     if (!daemon) return error("{}", daemon.error().what);
///
/// The time is for the whole conversation: connecting, and all that is sent and received after it. When it has passed, every call is an Error with
/// ErrorCode::timeout; a peer that is not there, or closes too early, is ErrorCode::unavailable. The thread waits meanwhile. The texts of errors name
/// the peer. One thread at a time uses a socket.
#pragma once

#include <smtpd/api.h>
#include <smtpd/clock.h>
#include <smtpd/files.h>
#include <smtpd/ip.h>
#include <smtpd/result.h>
#include <smtpd/waiting.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace smtpd {

class SMTPD_API ClientSocket {
public:
    /// A stream socket of this machine, by its path.
    static Result<ClientSocket> connect_local(const std::string& path, Duration time);
    static Result<ClientSocket> connect_tcp(const IpAddress& address, std::uint16_t port, Duration time);

    Result<void> send(std::string_view bytes);
    /// Exactly that many octets.
    Result<std::string> receive(std::size_t size);
    /// The next line without its LF or CRLF; one of more than `limit` octets, or cut short by the peer, is an Error.
    Result<std::string> receive_line(std::size_t limit);
    /// Nothing more will be sent; the peer sees the end.
    Result<void> finish_sending();
    /// All octets until the peer closes; more than `limit` are an Error.
    Result<std::string> receive_all(std::size_t limit);

private:
    ClientSocket(FileDescriptor socket, std::string peer, Duration time);
    /// Waits for POLLIN or POLLOUT.
    Result<void> wait_for(short events);
    Error timed_out() const;
    Error unavailable(std::string_view what, int os_status) const;
    /// Connects to what `address` (a sockaddr) says.
    Result<void> connect(const void* address, unsigned size);
    /// What comes next, at most `size` octets; none when the peer has closed.
    Result<std::size_t> receive_some(char* buffer, std::size_t size);

    FileDescriptor socket_;
    std::string peer_;  ///< how it is called in texts
    Duration time_;
    MonotonicTime deadline_;
    std::string ahead_;  ///< received behind the end of a line
};

}  // namespace smtpd
