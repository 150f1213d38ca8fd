/// loadcheck: defer clients while the machine is too busy.
///
/// The plugin tests the load before the greeting. If the load average of the last minute is above `max_load`, it tells
/// the client to come back later, and the server closes the connection. No client is exempt. Each process reads the
/// load at most once in `cache_time`.
///
/// ## Replies
///
/// `450 4.3.2 Server is too busy, try again later`.
///
/// ## Where the load comes from
///
/// The load comes from the system. If `file` is set, the load is the first number in that file, as in `/proc/loadavg`.
/// Use `file` in a container, or if another program measures the load. A load that cannot be read is an `error`, and
/// the plugin does not refuse the client unless the instance has `onerror=tempfail`.
///
/// ## Differences from qpsmtpd
///
/// The plugin reads the load without running a program, so the option `uptime` does not exist. It is a policy plugin,
/// with `reject`, `reject_type` and the other options.
#include <smtpd/base/files.h>
#include <smtpd/plugin.h>

#include <cstdlib>
#include <mutex>

namespace smtpd::plugins {

class LoadCheck final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject_type = Verdict::denysoft, .exempts_immune = false};

    struct Options {
        double max_load = 7;
        Duration cache_time = std::chrono::seconds(10);
        std::string file;

        static OptionTable table() {
            return {option("max_load", &Options::max_load, "defer clients while the load is above this")
                        .range("0", "100000"),
                    option("cache_time", &Options::cache_time, "how long a reading stays valid").range("0s", "1h"),
                    option("file", &Options::file,
                           "a file that begins with the load; without it, the load comes from the system")};
        }
    };

    LoadCheck(Setup& setup, const Options& options)
        : options_(options), file_(options.file.empty() ? std::string() : setup.path(options.file)) {
        setup.hooks.connect.decide([this](const ConnectHook& hook) { return judge(hook); });
    }

private:
    Finding judge(const ConnectHook& hook) {
        const auto load = current(hook.clock().now());
        if (!load) return error("{}", load.error().what);
        if (*load <= options_.max_load) return pass("load {}", *load);
        return fail("load {} is above {}", *load, options_.max_load)
            .reply("Server is too busy, try again later")
            .status(EnhancedCode{4, 3, 2});
    }

    /// The load. Reads it again if the last value is too old; a failed attempt counts as a value.
    Result<double> current(MonotonicTime now) {
        const std::lock_guard lock(mutex_);
        if (!read_at_ || now - *read_at_ >= options_.cache_time) {
            load_ = read();
            read_at_ = now;
        }
        return load_;
    }

    Result<double> read() const {
        double load = 0;
        if (file_.empty()) {
            if (getloadavg(&load, 1) == 1) return load;
            return Error{ErrorCode::unavailable, "the system does not report its load"};
        }
        const auto content = read_file(file_, 4096);
        if (!content) return content.error();
        const std::string first = content->substr(0, content->find_first_of(" \t\r\n"));
        if (!OptionType<double>::read(first, load).empty())
            return Error{ErrorCode::config, format_text("{} does not begin with a number", file_)};
        return load;
    }

    const Options options_;
    const std::string file_;
    std::mutex mutex_;
    std::optional<MonotonicTime> read_at_;
    Result<double> load_ = 0.0;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("loadcheck", smtpd::plugins::LoadCheck);
