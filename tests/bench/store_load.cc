/// store_load.cc: measures how many increments a second the store can do, and how long the slowest one waits.
///
/// store_load [--redis SOCKET] [--seconds S]
///
/// Each row runs some processes of some threads that add 1 to 5000 keys in turn, in a file, in memory, and in the Redis
/// that listens on SOCKET. The sum of what is there afterwards is compared with what was answered: a row that lost an
/// increment says so, and the status is 1.
#include "store/address.h"
#include "store/file_store.h"
#include "store/memory_store.h"
#include "store/stores.h"
#include "support/clock.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace smtpd;
using namespace smtpd::store;
using Clock = std::chrono::steady_clock;

constexpr int keys = 5000;
constexpr auto lifetime = std::chrono::hours(1);

class NoEvents final : public Events {
    void damaged(const std::string& what) noexcept override { std::fprintf(stderr, "%s\n", what.c_str()); }
    void unreachable(const std::string& what) noexcept override { std::fprintf(stderr, "%s\n", what.c_str()); }
    void reachable(const std::string&) noexcept override {}
};

/// The common counters of all processes.
struct Totals {
    std::atomic<long> done{0};
    std::atomic<long> errors{0};
    std::atomic<long> slowest{0};  ///< microseconds
};

struct Setting {
    Address address;
    int processes;
    int threads;
    double seconds;
};

std::string key_of(int number) { return "192.0.2." + std::to_string(number); }

class Bench {
public:
    explicit Bench(const Setting& setting)
        : setting_(setting), shared_(make_backend(setting_.address, clock_, events_)) {
        if (setting_.address.kind == Address::Kind::memory) table_ = MemoryStore::map(setting_.address.size);
        if (table_ != nullptr) static_cast<MemoryStore&>(*shared_).attach(table_);
        if (setting_.address.kind == Address::Kind::file) static_cast<FileStore&>(*shared_).share();
        totals_ = new (mmap(nullptr, sizeof(Totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Totals;
    }
    ~Bench() { MemoryStore::unmap(table_); }

    /// False if an increment was lost.
    bool run() {
        const long before = sum();
        const auto began = Clock::now();
        std::vector<pid_t> processes;
        for (int i = 0; i < setting_.processes; ++i) {
            const pid_t process = fork();
            if (process == 0) work(i);
            processes.push_back(process);
        }
        for (const pid_t process : processes) waitpid(process, nullptr, 0);
        const double took = std::chrono::duration<double>(Clock::now() - began).count();
        const long found = sum() - before;
        const bool is_good = found >= totals_->done && found <= totals_->done + totals_->errors;
        std::printf("| %s | %d | %d | %.0f | %.1f | %ld |%s\n",
                    setting_.address.kind == Address::Kind::redis  ? "redis"
                    : setting_.address.kind == Address::Kind::file ? "file"
                                                                   : "memory",
                    setting_.processes, setting_.threads, static_cast<double>(totals_->done) / took,
                    static_cast<double>(totals_->slowest) / 1000, totals_->errors.load(),
                    is_good ? "" : " INCREMENTS LOST");
        std::fflush(stdout);
        return is_good;
    }

private:
    std::shared_ptr<Backend> start() {
        auto backend = make_backend(setting_.address, clock_, events_);
        if (table_ != nullptr) static_cast<MemoryStore&>(*backend).attach(table_);
        backend->start();
        return backend;
    }
    long sum() {
        const auto backend = start();
        long all = 0;
        std::string from;
        do {
            const auto page = backend->list({"bench", ""}, 1000, from, Clock::now() + std::chrono::seconds(30));
            if (!page) return -1;
            for (const auto& entry : page->entries) all += std::atol(entry.value.c_str());
            from = page->next;
        } while (!from.empty());
        return all;
    }
    [[noreturn]] void work(int process) {
        shared_->start();
        const auto end = Clock::now() + std::chrono::duration<double>(setting_.seconds);
        std::vector<std::thread> threads;
        for (int i = 0; i < setting_.threads; ++i)
            threads.emplace_back([&, i] {
                unsigned seed = static_cast<unsigned>(process * 1000 + i);
                while (Clock::now() < end) {
                    const auto before = Clock::now();
                    const auto sum = shared_->add({"bench", key_of(rand_r(&seed) % keys)}, 1, lifetime, {},
                                                  before + setting_.address.timeout);
                    (sum ? totals_->done : totals_->errors)++;
                    const long took =
                        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - before).count();
                    for (long known = totals_->slowest;
                         took > known && !totals_->slowest.compare_exchange_weak(known, took);) {}
                }
            });
        for (auto& thread : threads) thread.join();
        shared_->stop();
        _exit(0);
    }

    const Setting setting_;
    support::SystemClock clock_;
    NoEvents events_;
    const std::shared_ptr<Backend> shared_;  ///< created before the children, as in httpd; each child starts it
    void* table_ = nullptr;
    Totals* totals_;
};

Address address_of(const std::string& text) {
    auto address = Address::parse({text, "timeout=5s"}, {});
    if (address) return *address;
    std::fprintf(stderr, "store_load: %s\n", address.error().what.c_str());
    std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
    std::string redis;
    double seconds = 2;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::string_view(argv[i]) == "--redis") redis = argv[i + 1];
        if (std::string_view(argv[i]) == "--seconds") seconds = std::atof(argv[i + 1]);
    }
    char folder[] = "/var/tmp/smtpd-store-XXXXXX";
    if (mkdtemp(folder) == nullptr) return 2;
    const std::string path = std::string(folder) + "/store";
    std::vector<std::string> places{"file:" + path, "memory:16m"};
    if (!redis.empty()) places.push_back("redis:" + redis);
    std::printf(
        "| kept in | processes | threads of each | increments/s | slowest, ms | errors |\n|---|---|---|---|---|---|\n");
    bool is_good = true;
    for (const auto& place : places)
        for (const int processes : {1, 2, 4})
            for (const int threads : {1, 8, 64})
                is_good = Bench({address_of(place), processes, threads, seconds}).run() && is_good;
    for (const char* suffix : {"", "-wal", "-shm"}) unlink((path + suffix).c_str());
    rmdir(folder);
    return is_good ? 0 : 1;
}
