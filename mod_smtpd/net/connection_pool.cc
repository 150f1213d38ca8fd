/// connection_pool.cc: see connection_pool.h.
#include "net/connection_pool.h"

#include <algorithm>

namespace smtpd::net {

std::optional<ConnectionPool::Idle> ConnectionPool::take(std::string_view tls_name, std::string_view identity,
                                                         MonotonicTime now) {
    close_old(now);
    const auto fits = [&](const Idle& idle) { return idle.tls_name == tls_name && idle.identity->equals(identity); };
    const auto found = std::find_if(idle_.rbegin(), idle_.rend(), fits);
    if (found == idle_.rend()) return {};
    std::optional<Idle> taken(std::move(*found));
    idle_.erase(std::next(found).base());
    return taken;
}

void ConnectionPool::put(Idle idle, MonotonicTime now) {
    idle.left = now;
    idle_.push_back(std::move(idle));
    close_old(now);
    if (idle_.size() > limits_.most) idle_.erase(idle_.begin());
}

void ConnectionPool::abandon() noexcept {
    for (auto& idle : idle_) idle.socket.abandon();
    idle_.clear();
}

void ConnectionPool::close_old(MonotonicTime now) {
    std::erase_if(idle_, [&](const Idle& idle) {
        return now - idle.left >= limits_.idle_time || now - idle.made >= limits_.lifetime;
    });
}

}  // namespace smtpd::net
