/// client_state.h: everything that STARTTLS and XCLIENT must forget, as one value.
///
/// Both forget by replacing: they create a new ClientState and copy the members that they name. Any other member is
/// forgotten, so that forgetting a new member cannot be overlooked: a login, or a right to relay, that survived
/// STARTTLS would belong to whoever injected it before encryption.
///
/// Not included are properties of the connection that do not depend on the client: its id, age, addresses, TLS and
/// history, the number of commands, and the transaction. Not thread-safe; a Session owns it.
#pragma once

#include "engine/settings.h"
#include "smtp/channel_bindings.h"

#include <smtpd/connection.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace smtpd::engine {

struct ClientState : ClientRecord {
    /// A client of which only the address is known.
    ClientState(const Settings& settings, const IpAddress& address)
        : max_message_size(settings.max_message_size), bare_newline(settings.bare_newline_for(address)) {}

    // What the client has said
    std::vector<std::string> capabilities;  ///< lines that plugins added to the reply to its last EHLO
    bool secrets_may_follow = false;        ///< the next input may be a password, even if the AUTH exchange has ended

    // How the client has behaved
    unsigned exchanges = 0;           ///< number of AUTH exchanges begun
    std::uint32_t junk_commands = 0;  ///< since the last message: NOOP, RSET and the like
    std::uint32_t mail_commands = 0;
    std::vector<std::string> recipient_domains;  ///< of accepted recipients, if their number is limited

    // Settings that apply to the client
    std::uint64_t max_message_size;
    smtp::BareNewline bare_newline;
    std::unique_ptr<const smtp::ChannelBindings> channel_bindings;  ///< of its TLS; null = none

    /// What was known about the client before its first HELO or EHLO, and so not from its own claims.
    struct BeforeHello {
        bool is_relay_client = false;
        std::string whitelisted;
        std::vector<Complaint> complaints;
        std::size_t results = 0;  ///< number of authentication_results
    };
    std::unique_ptr<const BeforeHello> before_hello;  ///< null if STARTTLS cannot follow, or before HELO and EHLO
    int hello_karma = 0;                              ///< the karma for HELO and EHLO

    /// Adds the result of a login for the Authentication-Results field (RFC 8601 2.7.4).
    void record_login();
    /// A transaction has ended: removes the complaints about it that the client is not told.
    void forget_complaints_of_transaction() noexcept;

    /// Called before HELO or EHLO has any effect: saves what is known now, for STARTTLS. Only the first call has an
    /// effect.
    void remember_before_hello();
};

/// RFC 3207 4.2: the client's state after STARTTLS. What the client said without encryption is forgotten, together with
/// what plugins concluded from it. What is known from its address and its behaviour stays.
ClientState after_starttls(ClientState&& clear, const Settings& settings, const IpAddress& address);

/// XCLIENT: the state of a client that `proxy` announces. It inherits nothing from the previous client, and neither the
/// certificate nor the channel bindings of the proxy; only the number of sessions stays until the register of clients
/// updates it.
ClientState after_xclient(const ClientState& before, const Settings& settings, const IpAddress& address,
                          const IpAddress& proxy);

}  // namespace smtpd::engine
