/// hands_on: forwards messages to a next hop that speaks LMTP (RFC 2033), for tests of a running server.
///
///     SmtpPlugin hands_on 127.0.0.1:24
///
/// The next hop's reply about a recipient becomes that recipient's fate. A recipient without a reply is deferred. The
/// plugin supports one extension, BODY=8BITMIME.
#include <smtpd/backend/backend.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <charconv>
#include <optional>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_line = 2048;

/// "550 5.1.1 No such user" as a Reply; the lines of one reply become lines of its text.
Result<Reply> read_reply(ClientSocket& socket) {
    Reply reply;
    for (bool is_last = false; !is_last;) {
        auto line = socket.receive_line(longest_line);
        if (!line) return line.error();
        std::string_view rest = *line;
        const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), reply.code);
        if (problem != std::errc() || end != rest.data() + 3)
            return Error{ErrorCode::unavailable, "no reply: " + quoted(*line), 0};
        is_last = rest.size() == 3 || rest[3] == ' ';
        rest.remove_prefix(std::min<std::size_t>(rest.size(), 4));
        unsigned parts[3] = {};
        const char* at = rest.data();
        const char* const stop = at + rest.size();
        for (unsigned i = 0; i < 3 && at; ++i) {
            const auto part = std::from_chars(at, stop, parts[i]);
            const bool is_good = part.ec == std::errc() && (i == 2 || (part.ptr != stop && *part.ptr == '.'));
            at = !is_good ? nullptr : i == 2 ? part.ptr : part.ptr + 1;
        }
        if (at) {
            reply.enhanced = {static_cast<std::uint8_t>(parts[0]), static_cast<std::uint16_t>(parts[1]),
                              static_cast<std::uint16_t>(parts[2])};
            rest.remove_prefix(std::min(rest.size(), static_cast<std::size_t>(at - rest.data()) + 1));
        }
        reply.text += (reply.text.empty() ? "" : "\n") + std::string(rest);
    }
    return reply;
}

Result<Reply> say(ClientSocket& socket, const std::string& command) {
    if (auto sent = socket.send(command + "\r\n"); !sent) return sent.error();
    return read_reply(socket);
}

/// The message, with a second dot before lines that begin with one, and the final dot.
class DotStuffing {
public:
    explicit DotStuffing(ClientSocket& socket) : socket_(socket) {}
    Result<void> write(std::string_view piece) {
        std::string out;
        for (const char c : piece) {
            if (c == '.' && is_at_begin_) out += '.';
            is_at_begin_ = c == '\n';
            out += c;
        }
        return socket_.send(out);
    }
    Result<void> finish() { return socket_.send(is_at_begin_ ? ".\r\n" : "\r\n.\r\n"); }

private:
    ClientSocket& socket_;
    bool is_at_begin_ = true;
};

}  // namespace

class HandsOn final : public Plugin {
public:
    static constexpr bool waits_for_backend = true;
    static constexpr bool delivers_to_each = true;

    struct Options {
        ServerAddress server;
        static OptionTable table() {
            return {option("server", &Options::server, "the next hop, host:port").positional(0).required()};
        }
    };

    HandsOn(Setup& setup, const Options& options)
        : own_name_(setup.server_name()),
          server_(options.server.to_string()),
          backend_(setup.instance(), {options.server}, {.default_port = 24}, setup.clock(), setup.log()) {
        setup.hooks.queue.ask([this](const Delivery&, Questions& questions) { backend_.ask(questions); })
            .deliver([this](const Delivery& delivery) { return deliver(delivery); });
    }

private:
    DeliveryResult deliver(const Delivery& delivery) const {
        if (delivery.envelope().requires_tls) return rejected(status::requiretls_unsupported);
        if (delivery.needs_smtputf8()) return rejected(status::utf8_address_unsupported);
        if (delivery.envelope().is_binarymime()) return rejected(status::media_unsupported);
        auto connection = backend_.open(delivery.answers(), delivery.deadline());
        if (!connection) return unreachable(connection.error());
        DeliveryResult result = deferred(status::net_unspecified).with_code(451);
        const auto outcome = converse(connection->socket(), delivery, result);
        if (!outcome) delivery.log(LogLevel::warning, "{}", outcome.error().what);
        connection->report(outcome);
        return result;
    }

    static Fate unreachable(const Error& error) {
        return deferred(status::net_unspecified).with_code(451).because("{}", error.what);
    }

    /// After an Error, recipients with a known fate keep it.
    Result<void> converse(ClientSocket& socket, const Delivery& delivery, DeliveryResult& result) const {
        const std::string body = delivery.envelope().is_8bitmime() ? " BODY=8BITMIME" : "";
        for (const std::string& command :
             {std::string(), "LHLO " + own_name_, "MAIL FROM:" + delivery.envelope().sender.path() + body}) {
            const auto reply = command.empty() ? read_reply(socket) : say(socket, command);
            if (!reply) return reply.error();
            if (reply->is_positive()) continue;
            result = replied(*reply, server_);
            return {};
        }
        std::vector<const Recipient*> accepted;
        for (const auto& recipient : delivery.recipients()) {
            const auto reply = say(socket, "RCPT TO:" + recipient.address().path());
            if (!reply) return reply.error();
            if (reply->is_positive()) accepted.push_back(&recipient);
            else result[recipient] = replied(*reply, server_);
        }
        return accepted.empty() ? Result<void>() : send_message(socket, delivery, accepted, result);
    }

    Result<void> send_message(ClientSocket& socket, const Delivery& delivery,
                              const std::vector<const Recipient*>& accepted, DeliveryResult& result) const {
        const auto go_ahead = say(socket, "DATA");
        if (!go_ahead) return go_ahead.error();
        if (go_ahead->code != 354) {
            for (const Recipient* recipient : accepted) result[*recipient] = replied(*go_ahead, server_);
            return {};
        }
        DotStuffing message(socket);
        if (auto written = delivery.message().write_to([&](std::string_view piece) { return message.write(piece); });
            !written)
            return written;
        if (auto ended = message.finish(); !ended) return ended;
        for (const Recipient* recipient : accepted) {
            const auto reply = read_reply(socket);
            if (!reply) return reply.error();
            result[*recipient] = replied(*reply, server_);
        }
        return socket.send("QUIT\r\n");
    }

    const std::string own_name_;
    const std::string server_;
    Backend backend_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("hands_on", smtpd::plugins::HandsOn);
