/// server_address.h: where a server listens, as an administrator writes it, and a type of options for that.
///
///     struct Options {
///         std::vector<ServerAddress> server;
///         static OptionTable table() { return {option("server", &Options::server, "the oracle").positional(0).rest()};
///         }
///     };
///
/// | written | meaning |
/// |---|---|
/// | `mail.example.com`, `mail.example.com:143` | the host of that name, which is looked up when it is needed |
/// | `192.0.2.1`, `192.0.2.1:143`, `2001:db8::1`, `[2001:db8::1]:143` | that address |
/// | `localhost`, `localhost:143` | 127.0.0.1, whatever the DNS and the file of hosts say; `[::1]` is the other one |
/// | `/run/daemon.sock`, `unix:/run/daemon.sock` | a local socket; the plugin resolves a path like `run/daemon.sock` |
///
/// Without a port it is the plugin's usual one.
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

/// A value. Thread-safe as values are.
class SMTPD_API ServerAddress {
public:
    ServerAddress() = default;  ///< nowhere; for members that an option fills
    /// An Error says what is wrong with the text: "the port of \"a:b\" is not a number from 1 to 65535".
    static Result<ServerAddress> parse(std::string_view text);
    static ServerAddress local(std::string path);
    /// `host` is a name or an address; one that can be neither is nowhere.
    static ServerAddress tcp(std::string_view host, std::uint16_t port);

    bool is_local() const noexcept { return !path_.empty(); }
    const std::string& path() const noexcept { return path_; }
    /// In lower case without a final dot, or the address without brackets, as it was written; "" for a local socket. A
    /// certificate has to be for this name.
    const std::string& host() const noexcept { return host_; }
    std::uint16_t port() const noexcept { return port_; }  ///< 0 where none was written
    /// The address that needs no question: that of a host which is called by it, and of `localhost`.
    const std::optional<IpAddress>& address() const noexcept { return address_; }
    /// A local socket, or a loopback address.
    bool is_on_this_machine() const noexcept { return is_local() || (address_ && address_->is_loopback()); }

    /// The same with that port, unless it has one.
    ServerAddress with_default_port(std::uint16_t port) const;

    /// "mail.example.com:143", "[2001:db8::1]:143", "/run/daemon.sock": as it is called in texts, and can be written.
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
