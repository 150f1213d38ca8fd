/// client_socket.h: a conversation with a back end, a daemon of this or another machine, that never takes longer than
/// it may.
///
///     auto daemon = ClientSocket::connect_local("/run/daemon.sock", std::min(options_.timeout, hook.time_left()));
///     if (!daemon) return error("{}", daemon.error().what);
///
/// The time is for the whole conversation: connecting, and all that is sent and received after it. When it has passed,
/// every call is an Error with ErrorCode::timeout; a peer that is not there, or closes too early, is
/// ErrorCode::unavailable. The thread waits meanwhile. The texts of errors name the peer. One thread at a time uses a
/// socket.
///
/// A peer on another machine, or one that asks for it, is spoken to through TLS, from the first octet or from where its
/// protocol has it:
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

/// Whose certificates are taken. Made while the configuration is read; a value that is copied cheaply, and that all
/// threads may use at once.
class SMTPD_API TlsTrust {
public:
    /// The certificates in a file (PEM): those of authorities, or the one that a peer itself shows. With "" it is the
    /// authorities that the system trusts. A file that cannot be read, or has none, is an Error.
    static Result<TlsTrust> load(const std::string& ca_file);

private:
    friend class ClientSocket;
    TlsTrust() = default;

    std::shared_ptr<ssl_ctx_st> context_;
};

class SMTPD_API ClientSocket {
public:
    /// A stream socket of this machine, by its path.
    static Result<ClientSocket> connect_local(const std::string& path, Duration time);
    static Result<ClientSocket> connect_tcp(const IpAddress& address, std::uint16_t port, Duration time);
    /// The first of these addresses that can be connected to; each has an equal share of the time that is left for
    /// that. The Error is that of the last one.
    static Result<ClientSocket> connect_tcp(const std::vector<IpAddress>& addresses, std::uint16_t port, Duration time);
    ~ClientSocket();
    ClientSocket(ClientSocket&& other) noexcept;
    ClientSocket& operator=(ClientSocket&& other) noexcept;

    /// Whom it is connected to: "192.0.2.1:25", "[2001:db8::1]:25", or the path of a local socket.
    const std::string& peer() const noexcept { return peer_; }

    /// Makes the handshake of TLS (1.2 or later, without renegotiation); all that is sent and received afterwards is
    /// encrypted. `name` is a host name without a final dot, or an address: what the peer's certificate has to be for
    /// (RFC 9525: among its alternative names), by an authority in `trust`, and if it is a host name, what the peer
    /// is asked for (SNI).
    ///
    /// A certificate that is not good, a peer that does not speak TLS, and octets that were received before the
    /// handshake and not read (they may be anybody's who can write into the connection) are an Error with
    /// ErrorCode::unavailable. Nothing but the destructor may be called after it.
    Result<void> start_tls(const TlsTrust& trust, const std::string& name);

    Result<void> send(std::string_view bytes);
    /// Exactly that many octets.
    Result<std::string> receive(std::size_t size);
    /// The next line without its LF or CRLF; one of more than `limit` octets, or cut short by the peer, is an Error.
    Result<std::string> receive_line(std::size_t limit);
    /// Nothing more will be sent; the peer sees the end. (TLS has an end of its own, which is sent here and when the
    /// socket is closed.)
    Result<void> finish_sending();
    /// All octets until the peer closes; more than `limit` are an Error. So is, with TLS, an end that the peer has not
    /// announced: anybody can make it.
    Result<std::string> receive_all(std::size_t limit);

    /// The rest of the conversation has to be over by then. `time` is what the text of a time-out says.
    void allow(MonotonicTime deadline, Duration time);
    /// Whether the connection stands, and the peer has sent nothing that was not read: it can be used for another
    /// question. Does not wait.
    bool is_quiet();
    /// Closes without a word to the peer: for a process that was forked, and has the connection of another one.
    void abandon() noexcept;
    /// Gives the connection, which is a blocking one then, to a library that talks to the peer by itself. Not after
    /// start_tls(), nor after receiving.
    FileDescriptor release() &&;

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
    /// The same on the wire, below TLS.
    Result<void> send_octets(std::string_view bytes);
    Result<std::size_t> receive_octets(char* buffer, std::size_t size);
    /// Whether what has come so far is for TLS itself: new keys, tickets.
    bool is_quiet_in_tls();
    /// Repeats a step of TLS until it is made, with what has to go out and come in for it; whether it is done, and not
    /// the end.
    template <class Operation>
    Result<bool> make_step(Operation operation);
    Error tls_failed() const;
    /// Tells the peer that nothing more comes, as far as that needs no waiting.
    void say_end() noexcept;

    FileDescriptor socket_;
    std::string peer_;  ///< how it is called in texts
    Duration time_;
    MonotonicTime deadline_;
    std::string ahead_;  ///< received behind the end of a line
    std::string name_;   ///< that the certificate has to be for
    std::unique_ptr<ClientTls> tls_;
};

}  // namespace smtpd
