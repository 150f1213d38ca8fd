/// smtpd_karma.cc: the command smtpd-karma, which shows and changes the records of the plugin karma. See its man page,
/// docs/smtpd-karma.1.
#include "support/strings.h"
#include "tools/command.h"
#include "tools/opened_store.h"

#include <smtpd/base/format.h>
#include <smtpd/store/records.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

namespace smtpd::tools {

const char program[] = "smtpd-karma";

namespace {

constexpr const char* usage =
    "usage: smtpd-karma [-s \"STORE [OPTION=VALUE]...\"] [-n] COMMAND\n"
    "       smtpd-karma --version | --help\n"
    "\n"
    "  list                            lists all clients\n"
    "  search naughty|nice|both|CLIENT lists the naughty clients, the nice ones, those that are both, or CLIENT\n"
    "  get CLIENT                      prints one record\n"
    "  set CLIENT NAME=VALUE...        changes a record: naughty=N, nice=N, connects=N, penalty=now or penalty=none\n"
    "  capture CLIENT...               starts a penalty and counts a naughty connection\n"
    "  release CLIENT...               ends the penalty and forgets naughty connections\n"
    "  remove CLIENT...                removes the whole record\n"
    "  prune [DAYS]                    removes clients that were not seen for DAYS days (7)\n"
    "\n"
    "CLIENT is an address or a network; an IPv6 address stands for its /64. -n shows host names. STORE is the argument "
    "of SmtpStore.\n";

using Records = Store<KarmaRecord>;
using Row = StoreEntry<KarmaRecord>;

int unknown(const std::string& client) { return complain(format_text("nothing is known about {}", client), not_all); }

/// The key that the plugin uses with its default options. With other options, callers write the network.
std::optional<std::string> key_of(const std::string& client) {
    if (const auto address = IpAddress::parse(client)) return client_key(*address, address->is_v6() ? 64 : 32);
    if (const auto network = IpNetwork::parse(client)) return client_key(network->address(), network->bits());
    return std::nullopt;
}

std::string shown(WallTime time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    char text[32] = "";
    if (::gmtime_r(&seconds, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%dT%H:%MZ", &parts);
    return text;
}

/// The host name of a single address; "-" for a network or without a name.
std::string name_of(const std::string& client) {
    const auto address = IpAddress::parse(client);
    if (!address) return "-";
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_in);
    if (address->is_v4()) {
        auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
        v4.sin_family = AF_INET;
        std::copy_n(address->bytes().begin(), 4, reinterpret_cast<std::uint8_t*>(&v4.sin_addr));
    } else {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
        v6.sin6_family = AF_INET6;
        std::copy_n(address->bytes().begin(), 16, reinterpret_cast<std::uint8_t*>(&v6.sin6_addr));
        size = sizeof(sockaddr_in6);
    }
    char host[NI_MAXHOST] = "-";
    ::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), size, host, sizeof host, nullptr, 0, NI_NAMEREQD);
    return support::escape_for_log(host, sizeof host);
}

class Command {
public:
    Command(const Records& records, const Clock& clock, bool with_names)
        : records_(records), clock_(clock), with_names_(with_names) {}

    int list(const std::function<bool(const Row&)>& is_wanted) const {
        std::printf("%-39s  %-17s  %8s  %8s  %8s%s\n", "CLIENT", "PENALTY SINCE", "NAUGHTY", "NICE", "CONNECTS",
                    with_names_ ? "  HOST" : "");
        std::size_t clients = 0, penalties = 0;
        unsigned long long naughty = 0, nice = 0, connects = 0;
        const auto status = for_each([&](const Row& row) {
            if (!is_wanted(row)) return;
            show(row);
            ++clients;
            penalties += row.value.has_penalty();
            naughty += row.value.naughty;
            nice += row.value.nice;
            connects += row.value.connects;
        });
        if (status == good)
            std::printf("%-39s  %-17zu  %8llu  %8llu  %8llu\n", format_text("{} clients", clients).c_str(), penalties,
                        naughty, nice, connects);
        return status;
    }

    int get(const std::string& key) const {
        const auto found = records_.get(key);
        if (!found) return complain(found.error().what);
        if (!*found) return unknown(key);
        const KarmaRecord& record = **found;
        say(format_text("penalty={} naughty={} nice={} connects={} history={}",
                        record.has_penalty() ? shown(record.penalty_start) : "none", record.naughty, record.nice,
                        record.connects, record.history()));
        return good;
    }

    int set(const std::string& key, const std::vector<std::string>& changes) const {
        KarmaRecord checked;
        for (const auto& change : changes)
            if (!apply(change, checked))
                return complain(
                    format_text("\"{}\" must be naughty, nice or connects=NUMBER, or penalty=now or none", change));
        const auto saved = records_.update(key, karma_lifetime, [&](KarmaRecord& record) {
            for (const auto& change : changes) (void)apply(change, record);
        });
        return saved ? good : complain(saved.error().what);
    }

    int capture(const std::string& key) const {
        const auto saved = records_.update(key, karma_lifetime, [&](KarmaRecord& record) {
            record.penalty_start = clock_.wall();
            ++record.naughty;
        });
        return saved ? good : complain(saved.error().what);
    }

    int release(const std::string& key) const {
        bool is_known = false;
        const auto saved = records_.update(key, karma_lifetime, [&](KarmaRecord& record) {
            is_known = record.has_penalty() || record.naughty > 0 || record.nice > 0 || record.connects > 0;
            record.penalty_start = WallTime();
            record.naughty = 0;
            return is_known;
        });
        if (!saved) return complain(saved.error().what);
        return is_known ? good : unknown(key);
    }

    int remove(const std::string& key) const {
        const auto removed = records_.remove(key);
        if (!removed) return complain(removed.error().what);
        return *removed ? good : unknown(key);
    }

    /// The remaining lifetime of a record tells how long ago its client was seen.
    int prune(Duration age) const {
        std::vector<std::string> keys;
        const int status = for_each([&](const Row& row) {
            if (row.left <= karma_lifetime - age) keys.push_back(row.key);
        });
        if (status != good) return status;
        for (const auto& key : keys)
            if (const auto removed = records_.remove(key); !removed) return complain(removed.error().what);
        say(format_text("{} forgotten", keys.size()));
        return good;
    }

private:
    template <class F>
    int for_each(F look) const {
        std::string from;
        do {
            const auto page = records_.list({}, 500, from);
            if (!page) return complain(page.error().what);
            for (const auto& row : page->entries) look(row);
            from = page->next;
        } while (!from.empty());
        return good;
    }

    void show(const Row& row) const {
        const KarmaRecord& record = row.value;
        std::printf("%-39s  %-17s  %8u  %8u  %8u%s\n", row.key.c_str(),
                    record.has_penalty() ? shown(record.penalty_start).c_str() : "-", record.naughty, record.nice,
                    record.connects, with_names_ ? ("  " + name_of(row.key)).c_str() : "");
    }

    bool apply(std::string_view change, KarmaRecord& record) const {
        const auto sign = std::min(change.find('='), change.size());
        const auto name = change.substr(0, sign);
        const auto value = change.substr(std::min(sign + 1, change.size()));
        if (name == "penalty") {
            record.penalty_start = value == "now" ? clock_.wall() : WallTime();
            return value == "now" || value == "none";
        }
        unsigned* const count = name == "naughty"    ? &record.naughty
                                : name == "nice"     ? &record.nice
                                : name == "connects" ? &record.connects
                                                     : nullptr;
        const auto number = support::parse_unsigned(value);
        if (count == nullptr || !number || *number > 1'000'000'000) return false;
        *count = static_cast<unsigned>(*number);
        return true;
    }

    const Records records_;
    const Clock& clock_;
    const bool with_names_;
};

struct Call {
    std::vector<std::string> store = default_store();
    bool with_names = false;
    std::string command;
    std::vector<std::string> words;
};

constexpr Form forms[] = {{"list", "", 0, 0},
                          {"search", "naughty, nice, both or a CLIENT", 1, 1},
                          {"get", "CLIENT", 1, 1},
                          {"set", "CLIENT NAME=VALUE...", 2, any_number},
                          {"capture", "CLIENT...", 1, any_number},
                          {"release", "CLIENT...", 1, any_number},
                          {"remove", "CLIENT...", 1, any_number},
                          {"prune", "[DAYS]", 0, 1}};

/// The mistake in the call; "" if the call is right.
std::string read_call(std::vector<std::string> words, Call& call) {
    while (!words.empty() && words.front().starts_with("-")) {
        if (take_store_option(words, call.store)) continue;
        if (words.front() != "-n") break;
        call.with_names = true;
        words.erase(words.begin());
    }
    if (words.empty()) return "a command is missing; --help lists the commands";
    call.command = words.front();
    call.words.assign(words.begin() + 1, words.end());
    return mistake_in(forms, call.command, call.words);
}

/// Runs a command that takes clients.
int run_on_clients(const Command& command, const Call& call, const std::vector<std::string>& keys) {
    if (call.command == "get") return command.get(keys.front());
    if (call.command == "set") return command.set(keys.front(), {call.words.begin() + 1, call.words.end()});
    int status = good;
    for (const auto& key : keys) {
        const int done = call.command == "capture"   ? command.capture(key)
                         : call.command == "release" ? command.release(key)
                                                     : command.remove(key);
        if (done == failed) return failed;
        status = std::max(status, done);
    }
    return status;
}

int search(const Command& command, const std::string& what) {
    if (what == "naughty") return command.list([](const Row& row) { return row.value.naughty > 0; });
    if (what == "nice") return command.list([](const Row& row) { return row.value.nice > 0; });
    if (what == "both") return command.list([](const Row& row) { return row.value.naughty > 0 && row.value.nice > 0; });
    return command.list([key = key_of(what)](const Row& row) { return row.key == key; });
}

int run(const Call& call) {
    const bool is_search = call.command == "search" && call.words.front() != "naughty" &&
                           call.words.front() != "nice" && call.words.front() != "both";
    const bool is_set = call.command == "set";
    std::vector<std::string> keys;
    std::optional<std::uint64_t> days = 7;
    if (call.command == "prune") {
        if (!call.words.empty()) days = support::parse_unsigned(call.words.front());
        if (!days || *days > 90)
            return complain(format_text("\"{}\" is not a number of days from 0 to 90", call.words.front()));
    } else if (call.command != "search" || is_search) {
        for (std::size_t i = 0; i < (is_set ? 1 : call.words.size()); ++i) {
            const auto key = key_of(call.words[i]);
            if (!key) return complain(format_text("\"{}\" is neither an IP address nor a network", call.words[i]));
            keys.push_back(*key);
        }
    }
    const auto opened = OpenedStore::open(call.store);
    if (!opened) return complain(opened.error().what);
    const auto space = (*opened)->space(karma_space);
    if (!space) return complain(space.error().what);
    const Command command(Records(**space), (*opened)->clock(), call.with_names);
    if (call.command == "list") return command.list([](const Row&) { return true; });
    if (call.command == "search") return search(command, call.words.front());
    if (call.command == "prune") return command.prune(std::chrono::hours(24) * *days);
    return run_on_clients(command, call, keys);
}

}  // namespace
}  // namespace smtpd::tools

int main(int argc, char** argv) {
    using namespace smtpd::tools;
    return run_command(argc, argv, usage, [](std::vector<std::string> words) {
        Call call;
        const std::string wrong = read_call(std::move(words), call);
        return wrong.empty() ? run(call) : complain(wrong);
    });
}
