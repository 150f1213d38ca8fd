/// client_socket.h: a conversation with a back end, a daemon on this or another machine, with a limit on its total
/// time.
///
///     auto daemon = ClientSocket::connect_local("/run/daemon.sock", std::min(options_.timeout, hook.time_left()));
///     if (!daemon) return error("{}", daemon.error().what);
///
/// The time covers the whole conversation: connecting and everything sent and received after it. When it has passed,
/// every call returns an Error with ErrorCode::timeout. A peer that cannot be reached or closes too early gives
/// ErrorCode::unavailable. Calls block the thread. Error texts name the peer. Only one thread at a time may use a
/// socket.
///
/// To encrypt the conversation, call start_tls() right after connecting, or later where the protocol allows it:
///
///     const auto trust = TlsTrust::load("");                                      // while the configuration is read
///     if (auto begun = daemon->start_tls(*trust, "imap.example.com"); !begun) return error("{}", begun.error().what);
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/clock.h>
#include <smtpd/base/files.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/result.h>
#include <smtpd/waiting.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;

namespace smtpd {

class ClientTls;

/// Whose certificates are trusted. Made while the configuration is read; cheap to copy, and thread-safe.
class SMTPD_API TlsTrust {
public:
    /// Loads the certificates in a file (PEM): those of authorities, or the peer's own. "" means the authorities that
    /// the system trusts. An Error if the file cannot be read or has no certificate.
    static Result<TlsTrust> load(const std::string& ca_file);

private:
    friend class ClientSocket;
    TlsTrust() = default;

    std::shared_ptr<ssl_ctx_st> context_;
};

class SMTPD_API ClientSocket {
public:
    /// Connects to a Unix-domain stream socket.
    static Result<ClientSocket> connect_local(const std::string& path, Duration time);
    static Result<ClientSocket> connect_tcp(const IpAddress& address, std::uint16_t port, Duration time);
    /// Tries the addresses in turn; each gets an equal share of the remaining time. The Error is the last address's.
    static Result<ClientSocket> connect_tcp(const std::vector<IpAddress>& addresses, std::uint16_t port, Duration time);
    ~ClientSocket();
    ClientSocket(ClientSocket&& other) noexcept;
    ClientSocket& operator=(ClientSocket&& other) noexcept;

    /// The peer: "192.0.2.1:25", "[2001:db8::1]:25", or the path of a local socket.
    const std::string& peer() const noexcept { return peer_; }

    /// Performs the TLS handshake (1.2 or later, without renegotiation); everything sent and received afterwards is
    /// encrypted. `name` is a host name without a final dot, or an address. The peer's certificate must list it among
    /// its alternative names (RFC 9525) and be issued by an authority in `trust`. A host name is also sent as SNI.
    ///
    /// An Error with ErrorCode::unavailable if the certificate is not valid, if the peer does not speak TLS, or if
    /// octets that were received before the handshake are unread (an attacker on the path may have injected them).
    /// After an Error, only the destructor may be called.
    Result<void> start_tls(const TlsTrust& trust, const std::string& name);

    Result<void> send(std::string_view bytes);
    /// Receives exactly `size` octets.
    Result<std::string> receive(std::size_t size);
    /// The next line without its LF or CRLF. An Error if it is longer than `limit` octets or the peer closes before its
    /// end.
    Result<std::string> receive_line(std::size_t limit);
    /// Ends the sending direction; the peer sees the end of the stream. (With TLS, sends close_notify, as closing the
    /// socket does.)
    Result<void> finish_sending();
    /// All octets until the peer closes. An Error if there are more than `limit`, or, with TLS, if the peer closes
    /// without close_notify, because an attacker can cause that.
    Result<std::string> receive_all(std::size_t limit);

    /// The rest of the conversation must end by `deadline`. `time` appears in the text of a time-out.
    void allow(MonotonicTime deadline, Duration time);
    /// Whether the connection is open and has no unread input, so that it can be used for another request. Does not
    /// wait.
    bool is_quiet();
    /// Closes without notifying the peer: for a forked process that inherited its parent's connection.
    void abandon() noexcept;
    /// Releases the descriptor, in blocking mode, to a library that talks to the peer by itself. Not allowed after
    /// start_tls() or after receiving.
    FileDescriptor release() &&;

private:
    ClientSocket(FileDescriptor socket, std::string peer, Duration time);
    /// Waits for POLLIN or POLLOUT.
    Result<void> wait_for(short events);
    Error timed_out() const;
    Error unavailable(std::string_view what, int os_status) const;
    /// Connects to `address` (a sockaddr).
    Result<void> connect(const void* address, unsigned size);
    /// The next octets, at most `size`; none if the peer has closed.
    Result<std::size_t> receive_some(char* buffer, std::size_t size);
    /// The same without TLS, on the wire.
    Result<void> send_octets(std::string_view bytes);
    Result<std::size_t> receive_octets(char* buffer, std::size_t size);
    /// Whether the pending input belongs to TLS itself: new keys, session tickets.
    bool is_quiet_in_tls();
    /// Repeats a TLS operation until it is complete, waiting for input and output as needed. False at the end of the
    /// stream.
    template <class Operation>
    Result<bool> make_step(Operation operation);
    Error tls_failed() const;
    /// Sends close_notify if that is possible without waiting.
    void say_end() noexcept;

    FileDescriptor socket_;
    std::string peer_;  ///< the peer's name in error texts
    Duration time_;
    MonotonicTime deadline_;
    std::string ahead_;  ///< received after the end of a line
    std::string name_;   ///< the name that the certificate must be for
    std::unique_ptr<ClientTls> tls_;
};

}  // namespace smtpd
