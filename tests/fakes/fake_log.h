/// fake_log.h: a log that keeps its lines for the test. Thread-safe.
#pragma once

#include <smtpd/base/log.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::fakes {

class FakeLog final : public LogSink {
public:
    /// A LogLine that owns its texts.
    struct Line {
        LogLevel level;
        std::string session, transaction, hook, plugin, text, client;

        /// "(rcpt) badrcptto: fail: …", without session and transaction.
        std::string to_string() const {
            return (hook.empty() ? "" : "(" + hook + ") ") + (plugin.empty() ? "" : plugin + ": ") + text;
        }
    };

    bool enabled(LogLevel level) const noexcept override { return level <= up_to_.load(); }
    /// If a test makes memory run out, the line is lost, as in the server's log.
    void write(const LogLine& line) noexcept override {
        const std::lock_guard lock(mutex_);
        try {
            lines_.push_back({line.level, std::string(line.session), std::string(line.transaction),
                              std::string(line.hook), std::string(line.plugin), text_of(line),
                              std::string(line.client)});
        } catch (const std::bad_alloc&) {}
    }

    static std::string text_of(const LogLine& line) {
        LogLine bare;
        bare.text = line.text;
        bare.peer = line.peer;
        return bare.to_string();
    }
    void set_level(LogLevel up_to) noexcept { up_to_ = up_to; }
    std::vector<Line> lines() const {
        const std::lock_guard lock(mutex_);
        return lines_;
    }
    /// The lines of that level only.
    std::vector<std::string> texts(LogLevel level) const {
        std::vector<std::string> out;
        for (const auto& line : lines())
            if (line.level == level) out.push_back(line.text);
        return out;
    }
    /// All lines as to_string() prints them, each with an LF.
    std::string to_string() const {
        std::string out;
        for (const auto& line : lines()) out += line.to_string() + "\n";
        return out;
    }
    /// The text of the newest line, "" if there is none.
    std::string last() const {
        const auto all = lines();
        return all.empty() ? std::string() : all.back().text;
    }
    bool contains(std::string_view text) const {
        const auto all = lines();
        return std::any_of(all.begin(), all.end(),
                           [text](const Line& line) { return line.to_string().find(text) != std::string::npos; });
    }
    /// How many lines contain the text.
    std::size_t count(std::string_view text) const {
        const auto all = lines();
        const auto has_text = [text](const Line& line) { return line.to_string().find(text) != std::string::npos; };
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), has_text));
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        lines_.clear();
    }

private:
    std::atomic<LogLevel> up_to_ = LogLevel::trace;
    mutable std::mutex mutex_;
    std::vector<Line> lines_;
};

}  // namespace smtpd::fakes
