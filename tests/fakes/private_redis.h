/// private_redis.h: a private Redis server for the test, on a socket in a temporary directory, without files and
/// without a port. It ends with the test program, even if that crashes.
#pragma once

#include "fakes/temp_directory.h"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace smtpd::fakes {

class PrivateRedis {
public:
    /// Debian's package redis-tools has the server's program under another name, and does not start a server.
    static bool is_installed() {
        return ::access("/usr/bin/redis-server", X_OK) == 0 || ::access("/usr/bin/redis-check-rdb", X_OK) == 0;
    }

    explicit PrivateRedis(const std::vector<std::string>& options = {}) : options_(options) { start(); }
    ~PrivateRedis() { stop(); }
    PrivateRedis(const PrivateRedis&) = delete;
    PrivateRedis& operator=(const PrivateRedis&) = delete;

    std::string path() const { return directory_.path("redis.sock"); }
    pid_t process() const noexcept { return process_; }

    void start() {
        std::vector<std::string> words{"redis-server", "--port", "0",     "--unixsocket",   path(), "--save", "",
                                       "--appendonly", "no",     "--dir", directory_.path()};
        words.insert(words.end(), options_.begin(), options_.end());
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        process_ = ::fork();
        if (process_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int null = ::open("/dev/null", O_RDWR);
            for (int descriptor = 0; descriptor < 3; ++descriptor) ::dup2(null, descriptor);
            ::execv("/usr/bin/redis-server", arguments.data());
            ::execv("/usr/bin/redis-check-rdb", arguments.data());
            ::_exit(127);
        }
        for (int tries = 0; !answers(); ++tries) {
            if (tries == 500) throw std::runtime_error("the private Redis does not start");
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    void stop() {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        process_ = -1;
        ::unlink(path().c_str());
    }

private:
    bool answers() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool is_up = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(descriptor);
        return is_up;
    }

    TempDirectory directory_;
    const std::vector<std::string> options_;
    pid_t process_ = -1;
};

}  // namespace smtpd::fakes
