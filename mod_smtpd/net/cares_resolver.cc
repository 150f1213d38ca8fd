#include "net/cares_resolver.h"

#include "net/dns_cache.h"
#include "net/dns_message.h"
#include "support/file_descriptor.h"
#include "support/random.h"

#include <smtpd/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <deque>
#include <exception>
#include <new>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#define CARES_NO_DEPRECATED  // what newer releases replace has to work with the older ones too
#include <ares.h>

namespace smtpd::net {
namespace {

using support::FileDescriptor;

/// Ids have 16 bits, and a guess must stay hard: beyond this the server is too slow for us, and a question fails.
constexpr std::size_t max_in_flight = 16384;

/// Channels for UDP. c-ares 1.18 has one socket for each server in a channel, and keeps it while any question of the
/// channel is on its way, so a port is fresh only if the question has the channel to itself. Each costs up to one
/// descriptor for each server, and about 75 KB once it was needed.
constexpr std::size_t max_udp = 128;

/// How many leave in a millisecond: what comes faster than a name server reads is lost at its socket, and asked again seconds later.
constexpr std::size_t questions_per_millisecond = 32;

/// Questions that are asked over TCP at a time.
constexpr std::size_t max_tcp = 256;

constexpr int receive_buffer = 1024 * 1024;

/// The thread looks around at least that often, whatever there is to do.
constexpr std::chrono::seconds longest_wait{60};

/// What fits into one packet nearly everywhere (DNS flag day 2020).
constexpr int edns_size = 1232;

/// Why c-ares gives up, when it has no reply to show.
DnsAnswer failure_of(int status) {
    if (status == ARES_ETIMEOUT) return DnsAnswer::failure(DnsStatus::timed_out, "the DNS servers do not answer");
    // Releases before 1.29 say this of servers that answer SERVFAIL or REFUSED, too.
    if (status == ARES_ECONNREFUSED) return DnsAnswer::failure(DnsStatus::server_failure, "no DNS server can be reached, or all of them fail");
    if (status == ARES_ESERVFAIL) return DnsAnswer::failure(DnsStatus::server_failure, "the server says SERVFAIL");
    if (status == ARES_EREFUSED) return DnsAnswer::failure(DnsStatus::server_failure, "the server says REFUSED");
    if (status == ARES_ENOTIMP) return DnsAnswer::failure(DnsStatus::server_failure, "the server says NOTIMP");
    return DnsAnswer::failure(DnsStatus::server_failure, ares_strerror(status));
}

/// Over TCP, of a question whose reply over UDP did not repeat it exactly.
DnsAnswer failure_after_mistrust(const DnsAnswer& over_tcp) {
    return DnsAnswer::failure(
        over_tcp.status(),
        format_text("a reply over UDP does not repeat the question exactly; over TCP: {}", over_tcp.error()));
}

/// A thread that begins meanwhile has all signals blocked: they belong to the MPM.
class SignalsBlocked {
public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

/// TC: there is more than fits into a datagram.
bool is_cut_off(std::span<const std::uint8_t> reply) { return reply.size() > 2 && (reply[2] & 0x02) != 0; }

}  // namespace

std::string ResolverSettings::Server::to_string() const {
    return address.with_port(port);
}

class CaresResolver::Core {
public:
    Core(ResolverSettings settings, const Clock& clock)
        : settings(std::move(settings)), cache_(clock, this->settings.cache_octets) { ares_library_init(ARES_LIB_INIT_ALL); }
    ~Core() {
        stop();
        tcp_.clear();
        udp_.clear();
        known_servers_.reset();
        ares_library_cleanup();
    }

    std::shared_ptr<Lookup> start(std::vector<DnsQuestion> questions, std::function<void()> done);
    void stop() noexcept;
    std::size_t in_flight() const {
        const std::lock_guard lock(mutex_);
        return queries_.size();
    }

    const ResolverSettings settings;

private:
    struct Query;

    /// A channel of c-ares. Over UDP, a question gets an idle one, which opens a new socket for it. A question whose
    /// reply over UDP cannot be used gets one of its own, over TCP: a connection that the server closes costs each
    /// question of its channel a try, also those that have nothing to do with it.
    struct Channel {
        explicit Channel(Core& core) : core(core) {}
        ~Channel() {
            if (handle != nullptr) ares_destroy(handle);
        }
        Channel(const Channel&) = delete;
        Channel& operator=(const Channel&) = delete;
        void ask(Query& query, const std::string& name);
        void process_timeouts() { ares_process_fd(handle, ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

        Core& core;
        ares_channel handle = nullptr;
        std::size_t questions = 0;  ///< on their way, over UDP
        bool is_done = false;       ///< over TCP
    };

    /// A question on its way. Owned by queries_; c-ares has the pointer from Channel::ask() to answered().
    struct Query {
        struct Waiter {
            std::weak_ptr<Lookup> lookup;
            std::size_t index;
        };
        Core& core;
        DnsQuestion question;
        std::vector<Waiter> waiters;
        std::string sent_name = {};  ///< its letters in random case, over UDP
        Channel* udp = nullptr;      ///< while it is asked over UDP
        Channel* tcp = nullptr;      ///< since it is asked over TCP
        bool is_mistrusted = false;  ///< a reply over UDP did not repeat the question exactly

        bool is_wanted() const noexcept {
            return std::any_of(waiters.begin(), waiters.end(), [](const Waiter& waiter) { return !waiter.lookup.expired(); });
        }
    };
    using Queries = std::unordered_map<DnsQuestion, std::unique_ptr<Query>, DnsQuestionHash>;

    std::string open();
    std::string open_thread();
    int open(Channel& channel, int flags, unsigned tries);
    int set_servers(Channel& channel);
    void put(const DnsQuestion& question, const std::shared_ptr<Lookup>& lookup, std::size_t index);
    void run();
    bool is_stopping() const;
    bool send_some(std::size_t at_most);
    bool send_at_pace();
    void wait_for_sockets(bool more_to_send);
    void process_timeouts();
    void note_timeout(const Channel& channel);
    int milliseconds_to_wait() const;
    void watch(Channel& channel, int socket, bool readable, bool writable) noexcept;
    Channel* channel_for_udp();
    void ask_over_udp(Query& query) noexcept;
    void ask_over_tcp(Query& query);
    void leave_udp(Query& query) noexcept;
    static void reply_came(void* query, int status, int timeouts, unsigned char* reply, int length) noexcept;
    void answered(Query& query, const DnsAnswer& answer) noexcept;
    void tell() noexcept;

    // Shared, under the mutex
    mutable std::mutex mutex_;
    DnsCache cache_;
    Queries queries_;
    std::deque<Query*> unsent_;
    bool stopping_ = false;
    bool is_open_ = false;
    std::string defect_;  ///< why there is no thread
    std::thread thread_;

    // Of the thread
    std::vector<std::unique_ptr<Channel>> udp_;
    std::vector<Channel*> idle_udp_;  ///< has room for all
    std::vector<std::unique_ptr<Channel>> tcp_;
    std::unique_ptr<ares_addr_port_node, decltype(&ares_free_data)> known_servers_{
        nullptr, ares_free_data};  ///< those of the first channel
    std::unordered_map<int, Channel*> sockets_;
    std::vector<std::shared_ptr<Lookup>> complete_;  ///< and not told yet
    FileDescriptor poll_;
    FileDescriptor bell_;  ///< rung by others
    std::chrono::steady_clock::time_point next_timeout_{};  ///< nothing times out before
    std::chrono::steady_clock::time_point pace_since_{};
    std::size_t sent_ = 0;  ///< since then
};

std::shared_ptr<Lookup> CaresResolver::Core::start(std::vector<DnsQuestion> questions, std::function<void()> done) {
    auto lookup = std::make_shared<Lookup>(std::move(questions), std::move(done));
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < lookup->questions().size(); ++i) {
        const DnsQuestion& question = lookup->questions()[i];
        if (const auto known = cache_.find(question)) {
            lookup->answer_at_once(i, *known);
            continue;
        }
        if (const auto asked = queries_.find(question); asked != queries_.end()) {
            asked->second->waiters.push_back({lookup, i});
            continue;
        }
        if (!stopping_ && !is_open_) defect_ = open();
        if (stopping_ || !defect_.empty() || queries_.size() >= max_in_flight) {
            const std::string why = stopping_ ? "the server is shutting down" : !defect_.empty() ? defect_ : "too many questions are on their way";
            lookup->answer_at_once(i, DnsAnswer::failure(DnsStatus::server_failure, why));
            continue;
        }
        put(question, lookup, i);
    }
    return lookup;
}

/// A question that is not on its way yet. Where memory is lacking, it leaves nothing behind.
void CaresResolver::Core::put(const DnsQuestion& question, const std::shared_ptr<Lookup>& lookup, std::size_t index) {
    const auto place =
        queries_.emplace(question, std::make_unique<Query>(Query{*this, question, {{lookup, index}}})).first;
    try {
        unsent_.push_back(place->second.get());
    } catch (...) {
        queries_.erase(place);
        throw;
    }
    if (unsent_.size() == 1)
        eventfd_write(bell_.get(), 1);  // otherwise the thread has been rung for, or looks by itself
}

/// Makes channel and thread; gives what went wrong. The next question tries again.
std::string CaresResolver::Core::open() {
    poll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    bell_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event wanted{EPOLLIN, {.fd = bell_.get()}};
    if (!poll_ || !bell_ || epoll_ctl(poll_.get(), EPOLL_CTL_ADD, bell_.get(), &wanted) != 0) return "no descriptors for DNS: " + support::os_message(errno);

    udp_.clear();
    idle_udp_.reserve(max_udp);
    auto first = std::make_unique<Channel>(*this);
    if (const int status = open(*first, ARES_FLAG_IGNTC, settings.tries); status != ARES_SUCCESS)
        return std::string("DNS cannot be set up: ") + ares_strerror(status);
    ares_addr_port_node* servers = nullptr;
    if (ares_get_servers_ports(first->handle, &servers) == ARES_SUCCESS) known_servers_.reset(servers);
    idle_udp_.assign(1, first.get());
    udp_.push_back(std::move(first));
    std::string problem = open_thread();
    is_open_ = problem.empty();
    if (!is_open_) udp_.clear();
    return problem;
}

std::string CaresResolver::Core::open_thread() {
    const SignalsBlocked while_it_begins;
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::exception& failure) {
        return std::string("no thread for DNS: ") + failure.what();
    }
    return {};
}

int CaresResolver::Core::open(Channel& channel, int flags, unsigned tries) {
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS | flags;
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = static_cast<int>(tries);
    options.socket_receive_buffer_size = receive_buffer;
    options.ednspsz = edns_size;
    char lookups[] = "b";
    options.lookups = lookups;
    int more = 0;
#ifdef ARES_OPT_QUERY_CACHE  // since 1.23: the cache here is the only one
    options.qcache_max_ttl = 0;
    more = ARES_OPT_QUERY_CACHE;
#endif
    options.sock_state_cb = [](void* argument, ares_socket_t socket, int readable, int writable) {
        auto& channel = *static_cast<Channel*>(argument);
        channel.core.watch(channel, socket, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = &channel;
    const int status =
        ares_init_options(&channel.handle, &options,
                          ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_RCVBUF |
                              ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS | ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB | more);
    if (status != ARES_SUCCESS) channel.handle = nullptr;
    return status == ARES_SUCCESS ? set_servers(channel) : status;
}

/// All channels ask the same servers, also when /etc/resolv.conf has changed meanwhile.
int CaresResolver::Core::set_servers(Channel& channel) {
    if (known_servers_) return ares_set_servers_ports(channel.handle, known_servers_.get());
    if (settings.servers.empty()) return ARES_SUCCESS;
    std::string servers;
    for (const auto& server : settings.servers) servers += (servers.empty() ? "" : ",") + server.to_string();
    return ares_set_servers_ports_csv(channel.handle, servers.c_str());
}

void CaresResolver::Core::stop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        if (bell_) eventfd_write(bell_.get(), 1);
    }
    if (thread_.joinable()) thread_.join();
}

bool CaresResolver::Core::is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

// ---- the thread

void CaresResolver::Core::run() {
    while (!is_stopping()) {
        bool more_to_send = true;
        try {
            more_to_send = send_at_pace();
        } catch (const std::bad_alloc&) {
            // nothing was taken yet; perhaps there is memory in a millisecond
        }
        tell();  // what failed at once
        wait_for_sockets(more_to_send);
        tell();
    }
    tcp_.clear();
    udp_.clear();
}

bool CaresResolver::Core::send_at_pace() {
    const auto now = std::chrono::steady_clock::now();
    if (now - pace_since_ >= std::chrono::milliseconds(1)) {
        pace_since_ = now;
        sent_ = 0;
    }
    return send_some(questions_per_millisecond - sent_);
}

/// Hands new questions to c-ares, but for those that nobody waits for any more; true when there are more.
bool CaresResolver::Core::send_some(std::size_t at_most) {
    std::vector<Query*> queries;
    bool more = false;
    {
        const std::lock_guard lock(mutex_);
        queries.reserve(std::min(at_most, unsent_.size()));
        for (; queries.size() < at_most && !unsent_.empty(); unsent_.pop_front()) {
            Query* const query = unsent_.front();
            if (query->is_wanted()) queries.push_back(query);
            else queries_.erase(queries_.find(query->question));
        }
        more = !unsent_.empty();
    }
    sent_ += queries.size();
    for (Query* const query : queries) ask_over_udp(*query);
    return more;
}

void CaresResolver::Core::Channel::ask(Query& query, const std::string& name) {
    ares_query(handle, name.c_str(), 1, static_cast<int>(query.question.type), reply_came, &query);
    core.note_timeout(*this);
}

/// One that is idle, a new one, or, where there are as many as there may be, any: then a guess must find out which.
/// Null where none can be made.
CaresResolver::Core::Channel* CaresResolver::Core::channel_for_udp() {
    if (!idle_udp_.empty()) {
        Channel* const idle = idle_udp_.back();
        idle_udp_.pop_back();
        return idle;
    }
    if (udp_.size() < max_udp) {
        auto channel = std::make_unique<Channel>(*this);
        if (open(*channel, ARES_FLAG_IGNTC, settings.tries) == ARES_SUCCESS)
            return udp_.emplace_back(std::move(channel)).get();
    }
    return udp_[support::random_bits() % udp_.size()].get();
}

void CaresResolver::Core::ask_over_udp(Query& query) noexcept {
    try {
        query.sent_name = with_random_case(query.question.name);
        query.udp = channel_for_udp();
    } catch (const std::exception&) {  // no memory, or no random numbers
        return answered(query, DnsAnswer(DnsStatus::server_failure));
    }
    ++query.udp->questions;
    query.udp->ask(query, query.sent_name);
}

void CaresResolver::Core::leave_udp(Query& query) noexcept {
    Channel* const channel = std::exchange(query.udp, nullptr);
    if (channel != nullptr && --channel->questions == 0) idle_udp_.push_back(channel);
}

void CaresResolver::Core::wait_for_sockets(bool more_to_send) {
    std::array<epoll_event, 32> events{};
    const int count = epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), more_to_send ? 1 : milliseconds_to_wait());
    for (int i = 0; i < count; ++i) {
        const int socket = events[static_cast<std::size_t>(i)].data.fd;
        const auto happened = events[static_cast<std::size_t>(i)].events;
        if (socket == bell_.get()) {
            eventfd_t ignored = 0;
            eventfd_read(bell_.get(), &ignored);
        } else if (const auto owner = sockets_.find(socket); owner != sockets_.end()) {
            Channel& channel = *owner->second;
            ares_process_fd(channel.handle, happened & ~static_cast<unsigned>(EPOLLOUT) ? socket : ARES_SOCKET_BAD,
                            happened & EPOLLOUT ? socket : ARES_SOCKET_BAD);
            note_timeout(channel);
        }
    }
    if (std::chrono::steady_clock::now() >= next_timeout_) process_timeouts();
    std::erase_if(tcp_, [](const auto& channel) { return channel->is_done; });
}

void CaresResolver::Core::process_timeouts() {
    next_timeout_ = std::chrono::steady_clock::now() + longest_wait;
    for (std::size_t i = 0; i < udp_.size(); ++i) {
        if (udp_[i]->questions == 0) continue;
        udp_[i]->process_timeouts();
        note_timeout(*udp_[i]);
    }
    for (std::size_t i = 0; i < tcp_.size(); ++i) {
        tcp_[i]->process_timeouts();
        note_timeout(*tcp_[i]);
    }
}

/// To be called after a channel has asked, read or tried again: only then its next time-out changes.
void CaresResolver::Core::note_timeout(const Channel& channel) {
    timeval longest{longest_wait.count(), 0};
    timeval next{};
    const timeval* const wait = ares_timeout(channel.handle, &longest, &next);
    const auto at = std::chrono::steady_clock::now() + std::chrono::seconds(wait->tv_sec) +
                    std::chrono::microseconds(wait->tv_usec);
    next_timeout_ = std::min(next_timeout_, at);
}

int CaresResolver::Core::milliseconds_to_wait() const {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(next_timeout_ - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000 * longest_wait.count()));
}

/// From c-ares: which sockets it has, and what for. One that it closes leaves epoll by itself.
void CaresResolver::Core::watch(Channel& channel, int socket, bool readable, bool writable) noexcept {
    epoll_event wanted{(readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U), {.fd = socket}};
    if (!readable && !writable) {
        epoll_ctl(poll_.get(), EPOLL_CTL_DEL, socket, nullptr);
        sockets_.erase(socket);
        return;
    }
    if (epoll_ctl(poll_.get(), EPOLL_CTL_MOD, socket, &wanted) != 0) epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket, &wanted);
    try {
        sockets_[socket] = &channel;
    } catch (const std::bad_alloc&) {
        epoll_ctl(poll_.get(), EPOLL_CTL_DEL, socket, nullptr);  // its questions time out
    }
}

/// From c-ares, which no exception may get into: where memory is lacking, the question has failed.
void CaresResolver::Core::reply_came(void* argument, int status, int, unsigned char* reply, int length) noexcept {
    if (status == ARES_EDESTRUCTION) return;  // the end
    Query& query = *static_cast<Query*>(argument);
    query.core.leave_udp(query);
    const std::span<std::uint8_t> octets(reply, reply != nullptr && length > 0 ? static_cast<std::size_t>(length) : 0);
    DnsAnswer answer(DnsStatus::server_failure);
    try {
        if (!query.tcp && !octets.empty()) query.is_mistrusted = !take_back_random_case(octets, query.sent_name);
        if (!query.tcp && (query.is_mistrusted || is_cut_off(octets))) return query.core.ask_over_tcp(query);
        answer = octets.empty() ? failure_of(status) : read_dns_reply(octets, query.question);
        if (query.is_mistrusted && octets.empty()) answer = failure_after_mistrust(answer);
    } catch (const std::bad_alloc&) {
        // as it was set
    }
    query.core.answered(query, answer);
}

void CaresResolver::Core::ask_over_tcp(Query& query) {
    auto channel = std::make_unique<Channel>(*this);
    if (tcp_.size() >= max_tcp) return answered(query, DnsAnswer::failure(DnsStatus::server_failure, "too many replies over TCP are on their way"));
    if (const int status = open(*channel, ARES_FLAG_USEVC, std::min(settings.tries, 2U)); status != ARES_SUCCESS) return answered(query, failure_of(status));
    tcp_.push_back(std::move(channel));
    query.tcp = tcp_.back().get();
    query.tcp->ask(query, query.question.name);
}

/// Keeps the answer, and gives it to all who wait for it; tell() tells them.
void CaresResolver::Core::answered(Query& query, const DnsAnswer& answer) noexcept {
    if (query.tcp) query.tcp->is_done = true;
    Queries::node_type held;
    {
        const std::lock_guard lock(mutex_);
        held = queries_.extract(queries_.find(query.question));
        try {
            cache_.put(query.question, answer);
        } catch (const std::bad_alloc&) {
            // it is asked again next time
        }
    }
    for (const auto& waiter : query.waiters) {
        const auto lookup = waiter.lookup.lock();
        if (!lookup) continue;
        try {
            if (lookup->answer_later(waiter.index, answer)) complete_.push_back(lookup);
        } catch (...) {
            // whoever waits finds the answer when its deadline comes
        }
    }
}

/// After all that has come was read: who waits for several lookups finds them all.
void CaresResolver::Core::tell() noexcept {
    for (const auto& lookup : complete_) try {
            lookup->tell();
        } catch (...) {
            // likewise
        }
    complete_.clear();
}

// ---- the outside

CaresResolver::CaresResolver(ResolverSettings settings, const Clock& clock) : core_(std::make_unique<Core>(std::move(settings), clock)) {}
CaresResolver::~CaresResolver() = default;
const ResolverSettings& CaresResolver::settings() const noexcept { return core_->settings; }
std::shared_ptr<Lookup> CaresResolver::start(std::vector<DnsQuestion> questions, std::function<void()> done) {
    return core_->start(std::move(questions), std::move(done));
}
void CaresResolver::stop() noexcept { core_->stop(); }
std::size_t CaresResolver::in_flight() const { return core_->in_flight(); }

}  // namespace smtpd::net
