#include "httpd/gate.h"

#include <apr_portable.h>

#include <sys/epoll.h>

namespace smtpd::httpd {
namespace {

void set_descriptor(apr_socket_t* socket, int descriptor, apr_pool_t* pool) noexcept {
    apr_os_sock_t number = descriptor;
    apr_os_sock_put(&socket, &number, pool);
}

epoll_event wish(Gate::Passes passes) noexcept {
    epoll_event event{};
    switch (passes) {
        case Gate::Passes::nothing: break;
        case Gate::Passes::input: event.events = EPOLLIN; break;
        case Gate::Passes::room: event.events = EPOLLOUT; break;
    }
    return event;
}

}  // namespace

Gate::Gate(conn_rec* connection) : connection_(connection), mpm_socket_(ap_get_conn_socket(connection)) {}

int Gate::current() const noexcept {
    apr_os_sock_t descriptor = -1;
    return mpm_socket_ != nullptr && apr_os_sock_get(&descriptor, mpm_socket_) == APR_SUCCESS ? descriptor : -1;
}

int Gate::socket() const noexcept {
    const std::lock_guard lock(mutex_);
    return epoll_ ? real_ : current();
}

bool Gate::is_installed() const noexcept {
    const std::lock_guard lock(mutex_);
    return static_cast<bool>(epoll_);
}

bool Gate::install(Passes passes) noexcept {
    const std::lock_guard lock(mutex_);
    if (epoll_) {
        let_locked(passes);
        return true;
    }
    const int socket = current();
    support::FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event = wish(passes);
    // If no event may pass, the socket is left out: an epoll set reports errors and hang-ups of all that it holds.
    if (socket < 0 || !epoll || (event.events != 0 && ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket, &event) != 0))
        return false;
    set_descriptor(mpm_socket_, epoll.get(), connection_->pool);
    real_ = socket;
    epoll_ = std::move(epoll);
    return true;
}

void Gate::let(Passes passes) noexcept {
    const std::lock_guard lock(mutex_);
    if (epoll_) let_locked(passes);
}

void Gate::let_locked(Passes passes) noexcept {
    epoll_event event = wish(passes);
    if (event.events == 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, real_, nullptr);
    else if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, real_, &event) != 0)
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, real_, &event);
}

void Gate::remove() noexcept {
    const std::lock_guard lock(mutex_);
    if (!epoll_) return;
    set_descriptor(mpm_socket_, real_, connection_->pool);
    epoll_ = support::FileDescriptor();
    real_ = -1;
}

/// httpd's core filters share a state that contains the socket.
Gate::OwnSocket::OwnSocket(Gate& gate) noexcept : gate_(gate) {
    core_net_rec* net = nullptr;
    for (ap_filter_t* filter = gate.connection_->output_filters; filter != nullptr && net == nullptr;
         filter = filter->next)
        if (filter->frec == ap_core_output_filter_handle) net = static_cast<core_net_rec*>(filter->ctx);
    apr_os_sock_t number = gate.socket();
    if (net == nullptr || net->client_socket != gate.mpm_socket_ || number < 0)
        return;  // another module has arranged this; leave it alone
    const bool is_new = gate.own_socket_ == nullptr;
    if (apr_os_sock_put(&gate.own_socket_, &number, gate.connection_->pool) != APR_SUCCESS) return;
    if (is_new) apr_socket_timeout_set(gate.own_socket_, gate.connection_->base_server->timeout);
    net_ = net;
    net_->client_socket = gate.own_socket_;
}

Gate::OwnSocket::~OwnSocket() {
    if (net_ != nullptr) net_->client_socket = gate_.mpm_socket_;
}

}  // namespace smtpd::httpd
