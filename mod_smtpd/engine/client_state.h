/// client_state.h: everything that STARTTLS and XCLIENT must forget, as one value.
///
/// Forgetting means replacing: both make a new ClientState and take over what they name. A member that nobody names is
/// forgotten, so a new member cannot be forgotten by mistake: a login, or a right to relay, that survived STARTTLS
/// would belong to whoever spoke first in the clear.
///
/// Not in here is what belongs to the connection whoever the client is: its id, age, addresses, TLS and history, the
/// number of commands, and the transaction. No thread-safety of its own; a Session owns it.
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
    /// A client of which nothing is known but its address.
    ClientState(const Settings& settings, const IpAddress& address)
        : max_message_size(settings.max_message_size), bare_newline(settings.bare_newline_for(address)) {}

    // What it has said
    std::vector<std::string> capabilities;  ///< lines that plugins have added to the reply to its last EHLO
    bool secrets_may_follow = false;        ///< what comes next may be a password, even if the exchange of AUTH is over

    // How it has behaved
    unsigned exchanges = 0;           ///< of AUTH, begun
    std::uint32_t junk_commands = 0;  ///< since the last message: NOOP, RSET and the like
    std::uint32_t mail_commands = 0;
    std::vector<std::string> recipient_domains;  ///< of accepted recipients, where their number has a limit

    // What holds for it
    std::uint64_t max_message_size;
    smtp::BareNewline bare_newline;
    std::unique_ptr<const smtp::ChannelBindings> channel_bindings;  ///< of its TLS; null = there are none

    /// What was known of the client before its first HELO or EHLO, so not from its words.
    struct BeforeHello {
        bool is_relay_client = false;
        std::string whitelisted;
        std::vector<Complaint> complaints;
        std::size_t results = 0;  ///< how many of authentication_results
    };
    std::unique_ptr<const BeforeHello> before_hello;  ///< null where STARTTLS cannot follow, or nothing was said
    int hello_karma = 0;                              ///< what HELO and EHLO have earned

    /// RFC 8601 2.7.4: what a login is to the Authentication-Results field.
    void record_login();
    /// A transaction is over, and with it what plugins hold against it but do not tell.
    void forget_complaints_of_transaction() noexcept;

    /// Before HELO or EHLO has any effect: what is known now is kept over STARTTLS. The first call counts.
    void remember_before_hello();
};

/// RFC 3207 4.2: the client as it is known after STARTTLS. What it has said in the clear is forgotten, with all that
/// plugins have made of it. Who it is by its address, and how it has behaved, is known by other means, and stays.
ClientState after_starttls(ClientState&& clear, const Settings& settings, const IpAddress& address);

/// XCLIENT: a client that `proxy` speaks for. Nothing of the one before is its own, and neither the certificate nor the
/// channel of the proxy is; only the number of sessions holds until the register of clients says otherwise.
ClientState after_xclient(const ClientState& before, const Settings& settings, const IpAddress& address,
                          const IpAddress& proxy);

}  // namespace smtpd::engine
