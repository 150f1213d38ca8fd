#include "httpd/channel.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>

#include <poll.h>
#include <sys/socket.h>

namespace smtpd::httpd {
namespace {

bool is_core_only(const ap_filter_t* first, const ap_filter_rec_t* core) {
    return first != nullptr && first->frec == core && first->next == nullptr;
}

/// Removes filters that only make sense for HTTP: mod_reqtimeout's would cut sessions, and mod_logio's counts bytes for
/// access logs.
void remove_http_filters(conn_rec* connection) {
    for (ap_filter_t* filter = connection->input_filters; filter != nullptr;) {
        ap_filter_t* next = filter->next;
        const std::string_view name = filter->frec->name;
        if (name == "reqtimeout" || name == "log_input_output") ap_remove_input_filter(filter);
        filter = next;
    }
}

apr_status_t read_nothing(apr_bucket*, const char** data, apr_size_t* length, apr_read_type_e) {
    *data = nullptr;
    *length = 0;
    return APR_SUCCESS;
}

/// Makes filters that collect small writes (mod_ssl has one) pass on what they have: an empty bucket does that, and
/// unlike a flush it does not wait.
const apr_bucket_type_t push_type = {"SMTPD_PUSH",
                                     5,
                                     apr_bucket_type_t::APR_BUCKET_METADATA,
                                     apr_bucket_destroy_noop,
                                     read_nothing,
                                     apr_bucket_setaside_noop,
                                     apr_bucket_split_notimpl,
                                     apr_bucket_simple_copy};

apr_bucket* push_bucket(apr_bucket_alloc_t* allocator) {
    auto* bucket = static_cast<apr_bucket*>(apr_bucket_alloc(sizeof(apr_bucket), allocator));
    APR_BUCKET_INIT(bucket);
    bucket->free = apr_bucket_free;
    bucket->list = allocator;
    bucket->type = &push_type;
    bucket->length = 0;
    bucket->start = 0;
    bucket->data = nullptr;
    return bucket;
}

}  // namespace

bool is_threaded() noexcept {
    int threaded = 0;
    return ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded) == APR_SUCCESS && threaded != AP_MPMQ_NOT_SUPPORTED;
}

char* thread_buffer() {
    thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(thread_buffer_size);
    return buffer.get();
}

Channel::Channel(conn_rec* connection) : connection_(connection), gate_(connection) {
    remove_http_filters(connection);
    look_again();
}

void Channel::look_again() {
    out_through_ = nullptr;
    direct_in_ = is_open() && is_core_only(connection_->input_filters, ap_core_input_filter_handle);
    direct_out_ = is_open() && is_core_only(connection_->output_filters, ap_core_output_filter_handle);
    if (!direct_in_ && in_ == nullptr) in_ = apr_brigade_create(connection_->pool, connection_->bucket_alloc);
    if (!direct_out_ && out_ == nullptr) out_ = apr_brigade_create(connection_->pool, connection_->bucket_alloc);
}

/// Sends directly to the socket if possible, otherwise past the filters in front of httpd's own.
void Channel::keep_clear() {
    ap_filter_t* filter = connection_->output_filters;
    while (filter != nullptr && filter->frec != ap_core_output_filter_handle) filter = filter->next;
    out_through_ = filter;
}

bool Channel::has_input() {
    if (has_octets()) return true;
    if (direct_in_) return false;
    apr_brigade_cleanup(in_);
    const bool any = ap_get_brigade(connection_->input_filters, in_, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, 1) ==
                         APR_SUCCESS &&
                     !APR_BRIGADE_EMPTY(in_);
    apr_brigade_cleanup(in_);
    return any;
}

bool Channel::has_octets() const noexcept {
    char octet = 0;
    return ::recv(descriptor(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

Channel::Read Channel::read_socket(char* buffer, std::size_t size, std::size_t& length) {
    for (;;) {
        const ssize_t got = ::recv(descriptor(), buffer, size, MSG_DONTWAIT);
        if (got > 0) {
            length = static_cast<std::size_t>(got);
            return Read::some;
        }
        if (got == 0) return Read::end;
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Read::nothing;
        connection_->aborted = 1;
        return Read::end;
    }
}

apr_status_t Channel::read_filters() {
    apr_brigade_cleanup(in_);
    const apr_status_t status = ap_get_brigade(connection_->input_filters, in_, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                                               thread_buffer_size);
    if (status == APR_SUCCESS && APR_BRIGADE_EMPTY(in_)) return APR_EAGAIN;
    return status;
}

bool Channel::wait(std::chrono::milliseconds time, int socket, int event_fd) {
    pollfd wanted[] = {{socket, POLLIN, 0}, {event_fd, POLLIN, 0}};  // poll() ignores negative ones
    if (is_threaded()) return ::poll(wanted, 2, static_cast<int>(time.count())) > 0;
    const timespec limit{time.count() / 1000, time.count() % 1000 * 1000000};
    sigset_t none;
    sigemptyset(&none);
    return ::ppoll(wanted, 2, &limit, &none) > 0;
}

bool Channel::write(std::string& octets) {
    if (octets.empty()) return connection_->aborted == 0;
    const bool sent = connection_->aborted == 0 && (direct_out_ ? write_socket(octets) : write_filters(octets));
    octets.clear();
    return sent;
}

Channel::Sent Channel::try_write(std::string& octets) {
    if (connection_->aborted != 0) return Sent::gone;
    if (!direct_out_) return try_write_filters(octets);
    while (!octets.empty()) {
        const ssize_t sent = ::send(descriptor(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            octets.erase(0, static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Sent::some;
        connection_->aborted = 1;
        return Sent::gone;
    }
    return Sent::all;
}

bool Channel::has_room() const noexcept {
    pollfd wanted{descriptor(), POLLOUT, 0};
    return ::poll(&wanted, 1, 0) > 0;
}

/// httpd's own filter writes without waiting unless told to flush. It keeps what the socket does not take and sends
/// that when called without data. It is given no more than it keeps without waiting.
Channel::Sent Channel::try_write_filters(std::string& octets) {
    constexpr std::size_t at_once = 16 * 1024;
    ap_filter_t* core = connection_->output_filters;
    while (core != nullptr && core->frec != ap_core_output_filter_handle) core = core->next;
    if (core == nullptr) return write(octets) ? Sent::all : Sent::gone;
    for (;;) {
        if (connection_->data_in_output_filters != 0 && core->frec->filter_func.out_func(core, nullptr) != APR_SUCCESS)
            return Sent::gone;
        if (connection_->data_in_output_filters != 0) return Sent::some;
        if (octets.empty()) return Sent::all;
        const std::size_t size = std::min(octets.size(), at_once);
        apr_brigade_cleanup(out_);
        if (apr_brigade_write(out_, nullptr, nullptr, octets.data(), size) != APR_SUCCESS) return Sent::gone;
        APR_BRIGADE_INSERT_TAIL(out_, push_bucket(connection_->bucket_alloc));
        const apr_status_t status = ap_pass_brigade(
            out_through_ != nullptr ? out_through_ : connection_->output_filters, out_);
        apr_brigade_cleanup(out_);
        if (status != APR_SUCCESS || connection_->aborted != 0) return Sent::gone;
        octets.erase(0, size);
    }
}

/// A socket that poll() calls writable takes this much at once.
bool Channel::write_last(std::string& octets) {
    constexpr std::size_t at_once = 4096;
    if (connection_->aborted != 0 || octets.size() > at_once || connection_->data_in_output_filters != 0 || !has_room())
        return false;
    write_last_and_wait(octets);
    return true;
}

void Channel::write_last_and_wait(std::string& octets) {
    if (connection_->aborted == 0) static_cast<void>(direct_out_ ? write_socket(octets) : write_filters(octets, true));
    octets.clear();
    connection_->aborted = 1;
}

bool Channel::write_socket(std::string_view octets) {
    apr_interval_time_t timeout = connection_->base_server->timeout;
    while (!octets.empty()) {
        const ssize_t sent = ::send(descriptor(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            octets.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) continue;
        pollfd wanted{descriptor(), POLLOUT, 0};
        const bool full = errno == EAGAIN || errno == EWOULDBLOCK;
        if (full && ::poll(&wanted, 1, static_cast<int>(apr_time_as_msec(timeout))) > 0) continue;
        connection_->aborted = 1;
        return false;
    }
    return true;
}

/// After the last octets mod_ssl sends close_notify, so that the client does not suspect a truncation attack.
bool Channel::write_filters(std::string_view octets, bool is_last) {
    apr_brigade_cleanup(out_);
    if (apr_brigade_write(out_, nullptr, nullptr, octets.data(), octets.size()) != APR_SUCCESS) return false;
    if (is_last) APR_BRIGADE_INSERT_TAIL(out_, ap_bucket_eoc_create(connection_->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(out_, apr_bucket_flush_create(connection_->bucket_alloc));
    const apr_status_t status = ap_pass_brigade(out_through_ != nullptr ? out_through_ : connection_->output_filters,
                                                out_);
    apr_brigade_cleanup(out_);
    return status == APR_SUCCESS && connection_->aborted == 0;
}

void Channel::force_wakeup() {
    if (const int open = descriptor(); open >= 0) ::shutdown(open, SHUT_RD);
}

}  // namespace smtpd::httpd
