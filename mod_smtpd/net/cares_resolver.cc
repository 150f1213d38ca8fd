#include "net/cares_resolver.h"

#include "net/dns_cache.h"
#include "net/dns_message.h"
#include "net/udp_questions.h"
#include "support/file_descriptor.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
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

/// Ids have 16 bits, and guessing must stay hard: beyond this number the server is too slow, and questions fail.
constexpr std::size_t max_in_flight = 16384;

/// How many are sent in a millisecond: packets that come faster than a name server reads them are lost at its socket,
/// and repeated seconds later.
constexpr std::size_t questions_per_millisecond = 32;

/// The number of questions over TCP at the same time.
constexpr std::size_t max_tcp = 256;

/// The longest time that the thread waits in one call.
constexpr std::chrono::seconds longest_wait{60};

/// Sockets that were not needed for that long are closed, because others need descriptors too.
constexpr std::chrono::seconds tidy_interval{10};

constexpr int class_in = 1;

/// Why there is no reply over UDP.
DnsAnswer failure_of(UdpQuestions::Ending ending) {
    using Ending = UdpQuestions::Ending;
    if (ending == Ending::timed_out) return DnsAnswer::failure(DnsStatus::timed_out, "the DNS servers do not answer");
    if (ending == Ending::unreachable)
        return DnsAnswer::failure(DnsStatus::server_failure, "no DNS server can be reached, or all of them fail");
    return DnsAnswer(DnsStatus::server_failure);
}

/// Why c-ares gave up over TCP without a reply.
DnsAnswer failure_of(int status) {
    if (status == ARES_ETIMEOUT) return DnsAnswer::failure(DnsStatus::timed_out, "the DNS servers do not answer");
    // Releases before 1.29 also return this for servers that answer SERVFAIL or REFUSED.
    if (status == ARES_ECONNREFUSED)
        return DnsAnswer::failure(DnsStatus::server_failure, "no DNS server can be reached, or all of them fail");
    if (status == ARES_ESERVFAIL) return DnsAnswer::failure(DnsStatus::server_failure, "the server says SERVFAIL");
    if (status == ARES_EREFUSED) return DnsAnswer::failure(DnsStatus::server_failure, "the server says REFUSED");
    if (status == ARES_ENOTIMP) return DnsAnswer::failure(DnsStatus::server_failure, "the server says NOTIMP");
    return DnsAnswer::failure(DnsStatus::server_failure, ares_strerror(status));
}

/// The result over TCP for a question whose reply over UDP did not repeat it exactly.
DnsAnswer failure_after_mistrust(const DnsAnswer& over_tcp) {
    return DnsAnswer::failure(
        over_tcp.status(),
        format_text("a reply over UDP does not repeat the question exactly; over TCP: {}", over_tcp.error()));
}

/// A thread started in this scope has all signals blocked: they belong to the MPM.
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

}  // namespace

std::string ResolverSettings::Server::to_string() const { return address.with_port(port); }

class CaresResolver::Core {
public:
    Core(ResolverSettings settings, const Clock& clock)
        : settings(std::move(settings)), cache_(clock, this->settings.cache_octets) {
        ares_library_init(ARES_LIB_INIT_ALL);
    }
    ~Core() {
        stop();
        tcp_.clear();
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
    /// A channel of c-ares: for one question, over TCP. (If the server closes a connection, every question of its
    /// channel loses a try, even unrelated ones.)
    struct Channel {
        explicit Channel(Core& core) : core(core) {}
        ~Channel() {
            if (handle != nullptr) ares_destroy(handle);
        }
        Channel(const Channel&) = delete;
        Channel& operator=(const Channel&) = delete;
        void process_timeouts() { ares_process_fd(handle, ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

        Core& core;
        ares_channel handle = nullptr;
        bool is_done = false;
    };

    /// A pending question. queries_ owns it; udp_ or c-ares have the pointer until answered().
    struct Query final : UdpQuestions::Question {
        struct Waiter {
            std::weak_ptr<Lookup> lookup;
            std::size_t index;
        };
        Query(Core& core, DnsQuestion question, Waiter waiter)
            : core(core), question(std::move(question)), waiters{std::move(waiter)} {}
        void over(UdpQuestions::Ending ending, std::span<const std::uint8_t> packet) noexcept override {
            core.udp_is_over(*this, ending, packet);
        }
        bool is_wanted() const noexcept {
            return std::any_of(waiters.begin(), waiters.end(),
                               [](const Waiter& waiter) { return !waiter.lookup.expired(); });
        }

        Core& core;
        const DnsQuestion question;
        std::vector<Waiter> waiters;
        Channel* tcp = nullptr;      ///< set when it is asked over TCP
        bool is_mistrusted = false;  ///< a reply over UDP did not repeat the question exactly
    };
    using Queries = std::unordered_map<DnsQuestion, std::unique_ptr<Query>, DnsQuestionHash>;

    std::string open();
    std::string open_thread();
    int open(Channel& channel);
    std::string find_servers();
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
    void udp_is_over(Query& query, UdpQuestions::Ending ending, std::span<const std::uint8_t> packet) noexcept;
    void ask_over_tcp(Query& query);
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

    // Used by the thread only
    ResolverSettings known_;  ///< the settings, with the servers of /etc/resolv.conf if they name none
    std::unique_ptr<UdpQuestions> udp_;
    std::vector<std::unique_ptr<Channel>> tcp_;
    std::unordered_map<int, Channel*> sockets_;      ///< the sockets of the channels
    std::vector<std::shared_ptr<Lookup>> complete_;  ///< complete, but not notified yet
    FileDescriptor poll_;
    FileDescriptor wakeup_;                                 ///< signalled by other threads
    std::chrono::steady_clock::time_point next_timeout_{};  ///< no question over TCP times out before
    std::chrono::steady_clock::time_point next_tidy_{};
    std::chrono::steady_clock::time_point pace_since_{};
    std::size_t sent_ = 0;  ///< in the current millisecond
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
            const std::string why = stopping_          ? "the server is shutting down"
                                    : !defect_.empty() ? defect_
                                                       : "too many questions are pending";
            lookup->answer_at_once(i, DnsAnswer::failure(DnsStatus::server_failure, why));
            continue;
        }
        put(question, lookup, i);
    }
    return lookup;
}

/// A question that is not pending. If memory runs out, it leaves nothing behind.
void CaresResolver::Core::put(const DnsQuestion& question, const std::shared_ptr<Lookup>& lookup, std::size_t index) {
    const auto place =
        queries_.emplace(question, std::make_unique<Query>(*this, question, Query::Waiter{lookup, index})).first;
    try {
        unsent_.push_back(place->second.get());
    } catch (...) {
        queries_.erase(place);
        throw;
    }
    if (unsent_.size() == 1)
        eventfd_write(wakeup_.get(), 1);  // otherwise the thread was woken before, or checks by itself
}

/// Creates sockets and the thread; returns the error, if any. The next question tries again.
std::string CaresResolver::Core::open() {
    poll_ = FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    wakeup_ = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event wanted{EPOLLIN, {.fd = wakeup_.get()}};
    if (!poll_ || !wakeup_ || epoll_ctl(poll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &wanted) != 0)
        return "no descriptors for DNS: " + support::os_message(errno);

    known_ = settings;
    if (std::string problem = find_servers(); !problem.empty()) return problem;
    udp_ = std::make_unique<UdpQuestions>(known_, poll_.get());
    std::string problem = open_thread();
    is_open_ = problem.empty();
    return problem;
}

/// c-ares knows where the system configures its servers. All questions go to the same servers, even if that changes
/// meanwhile.
std::string CaresResolver::Core::find_servers() {
    if (!known_.servers.empty()) return {};
    Channel channel(*this);
    int status = open(channel);
    ares_addr_port_node* first = nullptr;
    if (status == ARES_SUCCESS) status = ares_get_servers_ports(channel.handle, &first);
    if (status != ARES_SUCCESS) return std::string("DNS cannot be set up: ") + ares_strerror(status);
    const std::unique_ptr<ares_addr_port_node, decltype(&ares_free_data)> servers{first, ares_free_data};
    for (const auto* server = first; server != nullptr; server = server->next) {
        if (known_.servers.size() == ResolverSettings::max_servers) break;
        std::array<std::uint8_t, 4> v4{};
        std::array<std::uint8_t, 16> v6{};
        std::memcpy(v4.data(), &server->addr, v4.size());
        std::memcpy(v6.data(), &server->addr, v6.size());
        known_.servers.push_back({server->family == AF_INET6 ? IpAddress::v6(v6) : IpAddress::v4(v4),
                                  static_cast<std::uint16_t>(server->udp_port != 0 ? server->udp_port : 53)});
    }
    return known_.servers.empty() ? "DNS cannot be set up: there is no server to ask" : "";
}

std::string CaresResolver::Core::open_thread() {
    const SignalsBlocked while_it_begins;
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::exception& failure) { return std::string("no thread for DNS: ") + failure.what(); }
    return {};
}

int CaresResolver::Core::open(Channel& channel) {
    ares_options options{};
    // No EDNS: over TCP it is not needed, and if a server does not support it, c-ares stops using it on
    // the whole channel and gives up the other questions that were sent with it.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_USEVC;
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = static_cast<int>(std::min(settings.tries, 2U));
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
    const int status = ares_init_options(&channel.handle, &options,
                                         ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                             ARES_OPT_NOROTATE | ARES_OPT_SOCK_STATE_CB | more);
    if (status != ARES_SUCCESS) channel.handle = nullptr;
    if (status != ARES_SUCCESS || known_.servers.empty()) return status;
    std::string servers;
    for (const auto& server : known_.servers) servers += (servers.empty() ? "" : ",") + server.to_string();
    return ares_set_servers_ports_csv(channel.handle, servers.c_str());
}

void CaresResolver::Core::stop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        if (wakeup_) eventfd_write(wakeup_.get(), 1);
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
            // nothing was taken yet; perhaps memory is available in a millisecond
        }
        tell();  // questions that failed at once
        wait_for_sockets(more_to_send);
        tell();
    }
    tcp_.clear();
    udp_.reset();
}

bool CaresResolver::Core::send_at_pace() {
    const auto now = std::chrono::steady_clock::now();
    if (now - pace_since_ >= std::chrono::milliseconds(1)) {
        pace_since_ = now;
        sent_ = 0;
    }
    return send_some(questions_per_millisecond - sent_);
}

/// Sends new questions, except those that no caller waits for any more; true if there are more.
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
    for (Query* const query : queries) udp_->ask(*query, query->question);
    return more;
}

void CaresResolver::Core::wait_for_sockets(bool more_to_send) {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()),
                                 more_to_send ? 1 : milliseconds_to_wait());
    for (int i = 0; i < count; ++i) {
        const int socket = events[static_cast<std::size_t>(i)].data.fd;
        const auto happened = events[static_cast<std::size_t>(i)].events;
        if (socket == wakeup_.get()) {
            eventfd_t ignored = 0;
            eventfd_read(wakeup_.get(), &ignored);
        } else if (udp_->read(socket)) {
            continue;
        } else if (const auto owner = sockets_.find(socket); owner != sockets_.end()) {
            Channel& channel = *owner->second;
            ares_process_fd(channel.handle, happened & ~static_cast<unsigned>(EPOLLOUT) ? socket : ARES_SOCKET_BAD,
                            happened & EPOLLOUT ? socket : ARES_SOCKET_BAD);
            note_timeout(channel);
        }
    }
    const auto now = std::chrono::steady_clock::now();
    if (now >= udp_->next_timeout()) udp_->expire(now);
    if (now >= next_tidy_) {
        udp_->close_unused();
        next_tidy_ = now + tidy_interval;
    }
    if (now >= next_timeout_) process_timeouts();
    std::erase_if(tcp_, [](const auto& channel) { return channel->is_done; });
}

void CaresResolver::Core::process_timeouts() {
    next_timeout_ = std::chrono::steady_clock::now() + longest_wait;
    for (std::size_t i = 0; i < tcp_.size(); ++i) {
        tcp_[i]->process_timeouts();
        note_timeout(*tcp_[i]);
    }
}

/// Call it after a channel has asked, read or tried again: only then does its next time-out change.
void CaresResolver::Core::note_timeout(const Channel& channel) {
    timeval longest{longest_wait.count(), 0};
    timeval next{};
    const timeval* const wait = ares_timeout(channel.handle, &longest, &next);
    const auto at = std::chrono::steady_clock::now() + std::chrono::seconds(wait->tv_sec) +
                    std::chrono::microseconds(wait->tv_usec);
    next_timeout_ = std::min(next_timeout_, at);
}

int CaresResolver::Core::milliseconds_to_wait() const {
    const auto now = std::chrono::steady_clock::now();
    const auto next = std::clamp(std::min(next_timeout_, udp_->next_timeout()), now, now + longest_wait);
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
}

/// Called by c-ares: its sockets, and the events that it needs. A closed socket leaves epoll automatically.
void CaresResolver::Core::watch(Channel& channel, int socket, bool readable, bool writable) noexcept {
    epoll_event wanted{(readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U), {.fd = socket}};
    if (!readable && !writable) {
        epoll_ctl(poll_.get(), EPOLL_CTL_DEL, socket, nullptr);
        sockets_.erase(socket);
        return;
    }
    if (epoll_ctl(poll_.get(), EPOLL_CTL_MOD, socket, &wanted) != 0)
        epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket, &wanted);
    try {
        sockets_[socket] = &channel;
    } catch (const std::bad_alloc&) {
        epoll_ctl(poll_.get(), EPOLL_CTL_DEL, socket, nullptr);  // its questions time out
    }
}

/// Called by udp_. If memory runs out, the question fails.
void CaresResolver::Core::udp_is_over(Query& query, UdpQuestions::Ending ending,
                                      std::span<const std::uint8_t> packet) noexcept {
    using Ending = UdpQuestions::Ending;
    DnsAnswer answer(DnsStatus::server_failure);
    try {
        query.is_mistrusted = ending == Ending::in_other_case;
        if (query.is_mistrusted || ending == Ending::cut_off) return ask_over_tcp(query);
        answer = ending == Ending::reply ? read_dns_reply(packet, query.question) : failure_of(ending);
    } catch (const std::bad_alloc&) {
        // as it was set
    }
    answered(query, answer);
}

void CaresResolver::Core::ask_over_tcp(Query& query) {
    auto channel = std::make_unique<Channel>(*this);
    if (tcp_.size() >= max_tcp)
        return answered(query,
                        DnsAnswer::failure(DnsStatus::server_failure, "too many questions over TCP are pending"));
    if (const int status = open(*channel); status != ARES_SUCCESS) return answered(query, failure_of(status));
    tcp_.push_back(std::move(channel));
    query.tcp = tcp_.back().get();
    ares_query(query.tcp->handle, query.question.name.c_str(), class_in, static_cast<int>(query.question.type),
               reply_came, &query);
    note_timeout(*tcp_.back());
}

/// Called by c-ares, which must not see an exception: if memory runs out, the question fails.
void CaresResolver::Core::reply_came(void* argument, int status, int, unsigned char* reply, int length) noexcept {
    if (status == ARES_EDESTRUCTION) return;  // shutdown
    Query& query = *static_cast<Query*>(argument);
    const std::span<const std::uint8_t> octets(reply,
                                               reply != nullptr && length > 0 ? static_cast<std::size_t>(length) : 0);
    DnsAnswer answer(DnsStatus::server_failure);
    try {
        answer = octets.empty() ? failure_of(status) : read_dns_reply(octets, query.question);
        if (query.is_mistrusted && octets.empty()) answer = failure_after_mistrust(answer);
    } catch (const std::bad_alloc&) {
        // as it was set
    }
    query.core.answered(query, answer);
}

/// Caches the answer, and passes it to all lookups that wait for it; tell() notifies them.
void CaresResolver::Core::answered(Query& query, const DnsAnswer& answer) noexcept {
    if (query.tcp) query.tcp->is_done = true;
    Queries::node_type held;
    {
        const std::lock_guard lock(mutex_);
        held = queries_.extract(queries_.find(query.question));
        try {
            cache_.put(query.question, answer);
        } catch (const std::bad_alloc&) {
            // not cached: it is asked again next time
        }
    }
    for (const auto& waiter : query.waiters) {
        const auto lookup = waiter.lookup.lock();
        if (!lookup) continue;
        try {
            if (lookup->answer_later(waiter.index, answer)) complete_.push_back(lookup);
        } catch (...) {
            // the waiting session finds the answer at its deadline
        }
    }
}

/// Called after all input was read: a session that waits for several lookups finds them all.
void CaresResolver::Core::tell() noexcept {
    for (const auto& lookup : complete_) try {
            lookup->tell();
        } catch (...) {
            // likewise
        }
    complete_.clear();
}

// ---- the outside

CaresResolver::CaresResolver(ResolverSettings settings, const Clock& clock)
    : core_(std::make_unique<Core>(std::move(settings), clock)) {}
CaresResolver::~CaresResolver() = default;
const ResolverSettings& CaresResolver::settings() const noexcept { return core_->settings; }
std::shared_ptr<Lookup> CaresResolver::start(std::vector<DnsQuestion> questions, std::function<void()> done) {
    return core_->start(std::move(questions), std::move(done));
}
void CaresResolver::stop() noexcept { core_->stop(); }
std::size_t CaresResolver::in_flight() const { return core_->in_flight(); }

}  // namespace smtpd::net
