/// fake_session.h: a connection and a transaction whose properties a test can set, and which record what plugins do to
/// them.
#pragma once

#include "engine/server_access.h"
#include "message/stored_message.h"

#include <smtpd/connection.h>
#include <smtpd/transaction.h>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::fakes {

/// A FakeConnection's data about its client; a base class, so that it is constructed first.
struct FakeClientRecord {
    ClientRecord record;
};

/// A client at 192.0.2.1:49152 that has connected to mx.example.com at 192.0.2.25:25 and has sent nothing yet.
class FakeConnection final : private FakeClientRecord, public Connection {
public:
    FakeConnection(const Clock& clock, LogSink& log) : Connection(record), clock_(clock), log_(log) {
        id_ = "session";
        client_ = {ip("192.0.2.1"), 49152};
        local_ = {ip("192.0.2.25"), 25};
        server_name_ = "mx.example.com";
        started_ = clock.now();
        record_.sessions_of_client = 1;
    }

    static IpAddress ip(std::string_view text) {
        const auto address = IpAddress::parse(text);
        if (!address) throw std::runtime_error("no IP address: " + std::string(text));
        return *address;
    }

    void set_client(std::string_view address, std::uint16_t port = 49152) { client_ = {ip(address), port}; }
    void set_local(std::string_view address, std::uint16_t port = 25) { local_ = {ip(address), port}; }
    void set_host(std::string host) { record_.host = std::move(host); }
    void set_greeted(Greeted greeted, std::string host) {
        record_.greeted = greeted;
        record_.hello_host = std::move(host);
    }
    void set_lmtp(bool on = true) noexcept { is_lmtp_ = on; }
    void set_tls(std::string protocol, std::string cipher) {
        tls_ = {};
        tls_.protocol = std::move(protocol);
        tls_.cipher = std::move(cipher);
    }
    void set_tls(Tls tls) { tls_ = std::move(tls); }
    void set_authenticated(std::string user, std::string mechanism) {
        record_.auth_user = std::move(user);
        record_.auth_mechanism = std::move(mechanism);
    }
    void set_server_name(std::string name) { server_name_ = std::move(name); }
    void set_last_line(std::string line) { record_.last_line = std::move(line); }
    void set_unread(std::size_t octets) noexcept { unread_ = octets; }
    void set_counts(std::uint32_t commands, std::uint32_t errors, std::uint32_t messages) noexcept {
        commands_ = commands;
        record_.errors = errors;
        record_.messages = messages;
    }
    void set_sessions_of_client(std::uint32_t count) noexcept { record_.sessions_of_client = count; }
    void set_karma(int karma) noexcept { record_.karma = karma; }

    /// The results of config() by name; `other_config`, if set, answers for other names.
    std::map<std::string, std::vector<std::string>, std::less<>> configured;
    std::function<std::vector<std::string>(std::string_view)> other_config;
    /// The results of user_config hooks for a user and a name; without one, the next table applies.
    std::function<std::vector<std::string>(std::string_view, const Address&)> own_config;
    /// The results of user_config hooks for a name and any user.
    std::map<std::string, std::vector<std::string>, std::less<>> configured_by_users;

    std::vector<Reply> sent;                ///< by plugins
    std::vector<std::string> capabilities;  ///< added by plugins

    void send(const Reply& reply) override { sent.push_back(reply); }
    void add_capability(std::string line) override { capabilities.push_back(std::move(line)); }
    std::vector<std::string> config(std::string_view name) override {
        const auto known = configured.find(name);
        if (known != configured.end()) return known->second;
        return other_config ? other_config(name) : std::vector<std::string>();
    }
    std::vector<std::string> config(std::string_view name, const Address& user) override {
        if (own_config)
            if (auto own = own_config(name, user); !own.empty()) return own;
        const auto known = configured_by_users.find(name);
        return known != configured_by_users.end() ? known->second : config(name);
    }
    std::size_t unread() const noexcept override { return unread_; }
    const Clock& clock() const noexcept override { return clock_; }
    LogSink& log() const noexcept override { return log_; }

private:
    const Clock& clock_;
    LogSink& log_;
    std::size_t unread_ = 0;
};

/// A transaction without sender, recipients and message. The message is a real one, kept in memory.
class FakeTransaction final : public Transaction {
public:
    explicit FakeTransaction(std::string id = "session.1") {
        id_ = std::move(id);
        spool_.threshold = ~std::uint64_t(0);
        forget_message();
    }

    /// "" is the null sender.
    static Address address(std::string_view mailbox, LocalPartCase rule = LocalPartCase::insensitive) {
        if (mailbox.empty()) return {};
        auto parsed = Address::parse(mailbox, {.smtputf8 = true, .local_part_case = rule});
        if (!parsed) throw std::runtime_error("no address: " + std::string(mailbox));
        return *parsed;
    }
    using Transaction::envelope;
    Envelope& envelope() noexcept { return envelope_; }
    void set_prdr(bool on = true) noexcept { prdr_ = on; }
    /// `rcpt_number`: the number of its RCPT; 0 as if a plugin had added it.
    Recipient& add_recipient(std::string_view mailbox, std::uint32_t rcpt_number = 0) {
        Recipient& added = recipients_.emplace_back(address(mailbox), Parameters());
        ServerAccess::set_rcpt_number(added, rcpt_number);
        return added;
    }

    /// The whole message as it arrived, lines ended by CRLF.
    void set_message(std::string_view text) {
        forget_message();
        auto& stored = static_cast<message::StoredMessage&>(*message_);
        if (!stored.append(text) || !stored.finish()) throw std::runtime_error("the message cannot be kept");
    }
    /// Sets the test's own message, for example an unreadable one.
    void set_message(std::unique_ptr<Message> message) { message_ = std::move(message); }
    void forget_message() { message_ = std::make_unique<message::StoredMessage>(spool_); }

    Message& message() override { return *message_; }
    const Message& message() const override { return *message_; }

private:
    message::SpoolSettings spool_;
    std::unique_ptr<Message> message_;
};

}  // namespace smtpd::fakes
