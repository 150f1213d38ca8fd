/// ident/p0f: ask p0f which operating system a client runs.
///
/// p0f (version 3) watches the network and recognizes systems by the form of their packets. The plugin asks p0f about
/// each client before the greeting, through p0f's API socket (`p0f -s /run/p0f.sock 'tcp dst port 25'`). It keeps the
/// answer for other plugins (greylisting), and adds it to the message as
///
///     X-P0F-Genre: Windows XP
///     X-P0F-Link-Type: DSL
///
/// The plugin removes fields of these names that came with the message. It does not ask about clients that are exempt
/// from policies.
///
///     SmtpPlugin ident/p0f /run/p0f.sock smite_os=windows
///
/// ## Consequences
///
/// `smite_os` is a regular expression, which ignores case. If it matches the name of a client's system, the client
/// loses `karma_fail` points (-1 unless the instance says otherwise).
///
/// The control file `p0f_blocked_operating_systems` lists systems whose mail is refused, one a line. An entry is the
/// name as in X-P0F-Genre, or a regular expression between slashes. Case does not matter.
///
///     Windows XP
///     /^windows (95|98|nt)/
///
/// ## Replies
///
/// `550 5.7.1 OS Blocked` to RCPT.
///
/// ## When p0f does not answer
///
/// p0f has `timeout` to answer. A missing socket, no answer or a wrong answer is an `error`, never a `fail`: the plugin
/// does not refuse the client unless the instance has `onerror=tempfail`. httpd's user needs permission to use the
/// socket.
///
/// ## Differences from qpsmtpd
///
/// The plugin asks about each client once, and about IPv6 clients by the right address. The protocol of p0f 2 is not
/// supported, so `local_ip`, which only that protocol needs, does not exist. `version` can only be 3.
#include <smtpd/backend/client_socket.h>
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <cstring>

namespace smtpd::plugins {
namespace {

constexpr std::uint32_t query_magic = 0x50304601;
constexpr std::uint32_t reply_magic = 0x50304602;
constexpr std::size_t reply_size = 232;
constexpr std::size_t name_size = 32;

/// 21 bytes. Numbers are in the byte order of this machine, because p0f runs here too.
std::string query_about(const IpAddress& address) {
    std::string query(sizeof query_magic, '\0');
    std::memcpy(query.data(), &query_magic, sizeof query_magic);
    query += address.is_v6() ? '\6' : '\4';
    query.append(reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size());
    return query;
}

/// Reads the members of a reply one after the other. The reply must have its full length.
class Reply {
public:
    explicit Reply(std::string_view octets) : octets_(octets) {}

    template <class Number>
    Number number() {
        Number value{};
        std::memcpy(&value, octets_.data(), sizeof value);
        octets_.remove_prefix(sizeof value);
        return value;
    }
    std::chrono::sys_seconds time() { return std::chrono::sys_seconds(std::chrono::seconds(number<std::uint32_t>())); }
    /// A name, padded with NUL.
    std::string name() {
        const std::string_view text = octets_.substr(0, name_size);
        octets_.remove_prefix(name_size);
        return std::string(text.substr(0, text.find('\0')));
    }
    /// Two names: "Windows XP"; "Linux" if the second is empty.
    std::string names() {
        const std::string first = name(), second = name();
        return second.empty() ? first : first.empty() ? second : first + " " + second;
    }

private:
    std::string_view octets_;
};

enum class Status : std::uint32_t { bad_query = 0x00, ok = 0x10, no_match = 0x20 };

notes::P0f fingerprint(Reply reply) {
    notes::P0f found;
    found.first_seen = reply.time();
    found.last_seen = reply.time();
    found.connections = reply.number<std::uint32_t>();
    if (const auto minutes = reply.number<std::uint32_t>(); minutes > 0) found.uptime = std::chrono::minutes(minutes);
    (void)reply.number<std::uint32_t>();  // up_mod_days: after how many days the client's uptime counter wraps
    found.last_nat = reply.time();
    found.last_change = reply.time();
    if (const auto hops = reply.number<std::int16_t>(); hops >= 0) found.distance = static_cast<unsigned>(hops);
    found.bad_software = reply.number<std::uint8_t>();
    found.match_quality = reply.number<std::uint8_t>();
    found.genre = reply.names();
    found.http = reply.names();
    found.link = reply.name();
    found.language = reply.name();
    return found;
}

}  // namespace

class P0fPlugin final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.karma_fail = -1};
    static constexpr bool reads_body = false;
    static constexpr HookSet waits_for_backend{HookId::connect};

    struct Options {
        std::string socket;
        int version = 3;
        std::string smite_os;
        bool add_headers = true;
        Duration timeout = std::chrono::seconds(1);

        static OptionTable table() {
            return {option("socket", &Options::socket, "p0f's API socket").positional(0).required(),
                    option("version", &Options::version, "p0f's version").choices({{"3", 3}}),
                    option("smite_os", &Options::smite_os, "a regular expression for systems whose clients lose karma"),
                    option("add_headers", &Options::add_headers, "whether to add the X-P0F fields to messages"),
                    option("timeout", &Options::timeout, "how long to wait for p0f").range("10ms", "1min")};
        }
    };

    P0fPlugin(Setup& setup, const Options& options)
        : options_(options),
          socket_(setup.path(options.socket)),
          smite_karma_(setup.policy().karma_fail),
          blocked_(setup.control().parsed<std::vector<Block>>("p0f_blocked_operating_systems", parse)) {
        if (!options.smite_os.empty()) {
            auto pattern = Pattern::compile(options.smite_os, Pattern::Case::folded);
            if (pattern) smite_os_ = std::move(*pattern);
            else setup.error("smite_os: {}", pattern.error().what);
        }
        setup.hooks.connect.decide([this](const ConnectHook& hook) { return identify(hook); });
        setup.hooks.rcpt.decide(
            [this](const RcptHook& hook) { return judge(hook.connection.notes().find(notes::p0f)); });
        if (options.add_headers) setup.hooks.data_post.observe([](const DataPostHook& hook) { add_fields(hook); });
    }

private:
    /// A system whose mail is refused.
    struct Block {
        std::string name;
        std::optional<Pattern> pattern;

        bool matches(const std::string& genre) const { return pattern ? pattern->matches(genre) : genre == name; }
    };

    static Result<std::vector<Block>> parse(const ControlText& text) {
        std::vector<Block> blocks;
        for (const auto& line : text) {
            const std::string_view entry = line.text;
            Block block{line.text, {}};
            if (entry.size() >= 2 && entry.starts_with('/') && entry.ends_with('/')) {
                auto pattern = Pattern::compile(entry.substr(1, entry.size() - 2), Pattern::Case::folded);
                if (!pattern)
                    return Error{ErrorCode::config, format_text("{}: {}", line.position(), pattern.error().what)};
                block.pattern = std::move(*pattern);
            }
            blocks.push_back(std::move(block));
        }
        return blocks;
    }

    Finding identify(const ConnectHook& hook) const {
        const auto reply = ask(hook.connection.address(), std::min(options_.timeout, hook.time_left()));
        if (!reply) return error("{}", reply.error().what);
        Reply members(*reply);
        if (members.number<std::uint32_t>() != reply_magic)
            return error("{} does not speak the protocol of p0f 3", socket_);
        switch (static_cast<Status>(members.number<std::uint32_t>())) {
            case Status::ok: break;
            case Status::no_match: return skip("p0f has not seen {}", hook.connection.address());
            case Status::bad_query:
                return error("p0f does not understand the question about {}", hook.connection.address());
            default: return error("{} answers with an unknown status", socket_);
        }
        const auto& found = hook.connection.notes().get(notes::p0f) = fingerprint(members);
        if (found.genre.empty()) return skip("not recognised");
        const bool smitten = smite_os_ && smite_os_->matches(found.genre);
        return pass("{}{}{}", quoted(found.genre), found.link.empty() ? "" : ", " + quoted(found.link),
                    smitten ? ", smitten" : "")
            .karma(smitten ? smite_karma_ : 0);
    }

    Result<std::string> ask(const IpAddress& client, Duration time) const {
        auto p0f = ClientSocket::connect_local(socket_, time);
        if (!p0f) return p0f.error();
        if (auto sent = p0f->send(query_about(client)); !sent) return sent.error();
        return p0f->receive(reply_size);
    }

    Finding judge(const notes::P0f* found) const {
        const auto blocked = blocked_.get();
        if (!found || found->genre.empty()) return skip("the system is not known");
        for (const auto& block : *blocked)
            if (block.matches(found->genre))
                return fail("{} is listed as {}", quoted(found->genre), quoted(block.name))
                    .reply("OS Blocked")
                    .karma(0);
        return pass();
    }

    static void add_fields(const DataPostHook& hook) {
        const auto* const found = hook.connection.notes().find(notes::p0f);
        add_field(hook.message().headers(), "X-P0F-Genre", found ? found->genre : std::string());
        add_field(hook.message().headers(), "X-P0F-Link-Type", found ? found->link : std::string());
    }
    static void add_field(Headers& headers, std::string_view name, const std::string& value) {
        headers.remove(name);
        if (!value.empty()) headers.append(name, quoted(value));
    }

    const Options options_;
    const std::string socket_;
    const int smite_karma_;
    std::optional<Pattern> smite_os_;
    Watched<std::vector<Block>> blocked_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("ident/p0f", smtpd::plugins::P0fPlugin);
