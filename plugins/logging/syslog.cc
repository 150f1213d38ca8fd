/// logging/syslog: log to the system's log.
///
/// The plugin sends each line up to a level as one datagram in syslog's format (RFC 3164): `<priority>Mon dd hh:mm:ss
/// ident[process]: text`. It sends to the log daemon directly, because syslog(3) has one identity for the whole
/// process, which belongs to httpd. After a restart of the daemon, the next line reconnects. A line that cannot be sent
/// goes to the server's own log.
///
/// ## Options
///
/// `priority` gives all lines one priority; without it each line has the priority of its level. `logsock` lists
/// transports to the daemon, separated by blanks or commas. The plugin tries them in that order. A transport is
/// `native` or `unix` (the socket /dev/log), `udp` (port 514 of 127.0.0.1), or the path of another socket.
///
///     SmtpPlugin logging/syslog loglevel=info facility=mail ident=mx1
///
/// Levels, priorities and facilities may be written as in qpsmtpd (`LOGINFO`, `LOG_MAIL`).
///
/// ## Differences from qpsmtpd
///
/// `ident` is `smtpd` unless you say otherwise. Of Perl's mechanisms for `logsock`, tcp, stream, pipe, console, inet
/// and eventlog do not exist.
///
/// ## Limits
///
/// The plugin cuts a line after 1000 bytes. Mail never waits for the daemon: lines go through a queue (up to `queue`
/// bytes of memory in each process), and a thread sends them. While the queue is full, the plugin drops new lines and
/// counts them, as logging/file does. The page of logging/file describes the warnings in the server's log and the end
/// of a process.
#include <smtpd/base/files.h>
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>
#include <smtpd/server/log_queue.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t longest_text = 1000;
constexpr std::uint16_t syslog_port = 514;

struct Facility {
    const char* name;
    int number;  ///< RFC 3164 4.1.1
};
constexpr Facility facilities[] = {{"kern", 0},      {"user", 1},    {"mail", 2},    {"daemon", 3},  {"auth", 4},
                                   {"syslog", 5},    {"lpr", 6},     {"news", 7},    {"uucp", 8},    {"cron", 9},
                                   {"authpriv", 10}, {"ftp", 11},    {"local0", 16}, {"local1", 17}, {"local2", 18},
                                   {"local3", 19},   {"local4", 20}, {"local5", 21}, {"local6", 22}, {"local7", 23}};

/// A socket that is connected to the daemon.
FileDescriptor connect_to(const sockaddr* address, socklen_t size) {
    FileDescriptor socket(::socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket || connect(socket.get(), address, size) != 0) return {};
    return socket;
}

FileDescriptor connect_to_path(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return {};
    std::memcpy(address.sun_path, path.data(), path.size());
    return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

FileDescriptor connect_to_local_udp() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(syslog_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// "Nov  5 09:07:01": English whatever the locale is.
std::string timestamp(std::chrono::system_clock::time_point when) {
    constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return std::string(months[parts.tm_mon]) + local_time(" %e %H:%M:%S", when);
}

/// Sends each line as a datagram.
class DatagramWriter final : public LogQueue::Writer {
public:
    struct Form {
        std::string ident;
        int facility = 0;
        std::optional<LogLevel> priority;  ///< of all lines; without it, each line has its own
    };

    /// The transports to the daemon: "udp", or the path of a socket.
    DatagramWriter(Form form, std::vector<std::string> ways) : form_(std::move(form)), ways_(std::move(ways)) {}

    bool write(const LogQueue::Line& line, LogQueue::Wait& wait) override {
        const std::string text = text_of(line);
        if (send(text, wait)) return true;
        socket_ = {};
        for (const auto& way : ways_) {
            socket_ = way == "udp" ? connect_to_local_udp() : connect_to_path(way);
            if (send(text, wait)) return true;
        }
        return false;
    }

private:
    std::string text_of(const LogQueue::Line& line) const {
        const int severity = std::min(static_cast<int>(form_.priority.value_or(line.line.level)),
                                      static_cast<int>(LogLevel::debug));
        return format_text("<{}>{} {}[{}]: {}", form_.facility * 8 + severity, timestamp(line.when), form_.ident,
                           getpid(), std::string_view(line.line.to_string()).substr(0, longest_text));
    }

    bool send(std::string_view text, LogQueue::Wait& wait) const {
        while (socket_) {
            if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) >= 0) return true;
            if (errno == EINTR) continue;
            if ((errno != EAGAIN && errno != ENOBUFS) || !wait.until_writable(socket_.get())) return false;
        }
        return false;
    }

    const Form form_;
    const std::vector<std::string> ways_;
    FileDescriptor socket_;
};

}  // namespace

class LogToSyslog final : public Plugin {
public:
    struct Options {
        LogLevel loglevel = LogLevel::warning;
        std::string priority;
        std::string ident = "smtpd";
        int facility = 2;
        std::vector<std::string> logsock = {"native"};
        ByteCount queue{1 << 20};

        static OptionTable table() {
            std::vector<std::pair<std::string, int>> names;
            for (const auto& facility : facilities) {
                names.emplace_back(facility.name, facility.number);
                names.emplace_back(std::string("log_") + facility.name, facility.number);
            }
            return {option("loglevel", &Options::loglevel, "the least severe level to send").positional(0),
                    option("priority", &Options::priority, "one priority for all lines, with the name of a level"),
                    option("ident", &Options::ident, "the program's name in the lines"),
                    option("facility", &Options::facility, "syslog's facility").choices(std::move(names)),
                    option("logsock", &Options::logsock, "native, unix, udp, or the path of a socket"),
                    option("queue", &Options::queue,
                           "memory for waiting lines in each process; when it is full, the plugin drops lines")
                        .range("16k", "1g")};
        }
    };

    LogToSyslog(Setup& setup, const Options& options)
        : clock_(setup.clock()),
          writer_({options.ident, options.facility, read_priority(setup, options.priority)},
                  read_ways(setup, options.logsock)),
          queue_(setup.instance(), writer_, setup.server_log(), options.queue) {
        setup.hooks.logging.add(options.loglevel, [this](const LogLine& line) { queue_.add(clock_.wall(), line); });
    }

    void child_start() override { queue_.start(); }

private:
    static std::optional<LogLevel> read_priority(Setup& setup, std::string_view text) {
        if (text.empty()) return {};
        const auto level = parse_log_level(text.starts_with("LOG_") ? text.substr(4) : text);
        if (level == LogLevel::trace && is_ascii_digit(text.back())) return LogLevel::debug;  // syslog's lowest
        if (!level || *level == LogLevel::trace)
            setup.error(
                "option \"priority\": \"{}\" must be one of emerg, alert, crit, error, warning, notice, info, debug",
                text);
        return level;
    }

    static std::vector<std::string> read_ways(Setup& setup, const std::vector<std::string>& options) {
        std::vector<std::string> ways;
        for (std::string_view words : options)
            while (!words.empty()) {
                const auto word = words.substr(0, words.find(','));
                words.remove_prefix(std::min(word.size() + 1, words.size()));
                if (word == "native" || word == "unix") ways.emplace_back("/dev/log");
                else if (word == "udp" || word.starts_with('/')) ways.emplace_back(word);
                else setup.error("option \"logsock\": \"{}\" must be native, unix, udp, or the path of a socket", word);
            }
        return ways;
    }

    const Clock& clock_;
    DatagramWriter writer_;
    LogQueue queue_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("logging/syslog", smtpd::plugins::LogToSyslog);
