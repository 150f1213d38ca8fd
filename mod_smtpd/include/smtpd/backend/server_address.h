/// server_address.h: a server's address as an administrator writes it, and an option type for it.
///
///     struct Options {
///         std::vector<ServerAddress> server;
///         static OptionTable table() {
///             return {option("server", &Options::server, "the oracle").positional(0).rest()};
///         }
///     };
///
/// | written | meaning |
/// |---|---|
/// | `mail.example.com`, `mail.example.com:143` | the host of that name, which is looked up when it is needed |
/// | `192.0.2.1`, `192.0.2.1:143`, `2001:db8::1`, `[2001:db8::1]:143` | that address |
/// | `localhost`, `localhost:143` | 127.0.0.1, whatever the DNS and the hosts file say; for IPv6 write `[::1]` |
/// | `/run/daemon.sock`, `unix:/run/daemon.sock` | a local socket; the plugin resolves a path like `run/daemon.sock` |
///
/// Without a port, the plugin's usual port is used.
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/ip.h>
#include <smtpd/base/result.h>
#include <smtpd/options.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace smtpd {

/// A value type. Distinct objects may be used by different threads.
class SMTPD_API ServerAddress {
public:
    ServerAddress() = default;  ///< no server; for members that an option fills
    /// Parses the text. The Error says what is wrong with it: "the port of \"a:b\" is not a number from 1 to 65535".
    static Result<ServerAddress> parse(std::string_view text);
    static ServerAddress local(std::string path);
    /// `host` is a name or an address. If it can be neither, the result is an empty address.
    static ServerAddress tcp(std::string_view host, std::uint16_t port);

    bool is_local() const noexcept { return !path_.empty(); }
    const std::string& path() const noexcept { return path_; }
    /// The name in lower case without a final dot, or the address without brackets, as written; "" for a local socket.
    /// A certificate must be for this name.
    const std::string& host() const noexcept { return host_; }
    std::uint16_t port() const noexcept { return port_; }  ///< 0 if none was written
    /// The address if no DNS question is needed: for an IP address and for `localhost`.
    const std::optional<IpAddress>& address() const noexcept { return address_; }
    /// A local socket, or a loopback address.
    bool is_on_this_machine() const noexcept { return is_local() || (address_ && address_->is_loopback()); }

    /// The same address with that port, unless it already has one.
    ServerAddress with_default_port(std::uint16_t port) const;

    /// "mail.example.com:143", "[2001:db8::1]:143", "/run/daemon.sock": for messages, and readable by parse().
    std::string to_string() const;
    bool operator==(const ServerAddress&) const = default;

private:
    std::string path_;
    std::string host_;
    std::uint16_t port_ = 0;
    std::optional<IpAddress> address_;
};

template <>
struct SMTPD_API OptionType<ServerAddress> {
    static std::string read(std::string_view text, ServerAddress& value);
    static std::string show(const ServerAddress& value);
    static std::string name();
};

}  // namespace smtpd
