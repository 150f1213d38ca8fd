/// client_tls.cc: see client_tls.h; and TlsTrust of client_socket.h.
#include "net/client_tls.h"

#include <smtpd/backend/client_socket.h>
#include <smtpd/base/format.h>
#include <smtpd/base/ip.h>
#include <smtpd/dns/dns.h>

#include <system_error>

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace smtpd {
namespace {

/// OpenSSL's text for the failure of its last call.
std::string openssl_reason() {
    const unsigned long code = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
    const char* const text = ERR_reason_error_string(code);
    return text != nullptr ? text : code != 0 ? format_text("error {} of OpenSSL", code) : "";
}

/// Requires that the certificate be for that name (RFC 9525: for one of its alternative names; wildcards are whole
/// labels) or that address.
bool expect(SSL* ssl, const std::string& name) {
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
    if (const auto address = IpAddress::parse(name))
        return X509_VERIFY_PARAM_set1_ip(wanted, address->bytes().data(), address->bits() / 8) == 1;
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    // To OpenSSL, "" means any name, and a name with a leading dot any subdomain.
    const auto possible = DnsQuestion::make(DnsType::a, name);
    if (!possible) return false;
    const std::string& host = possible->name;  // certificates and SNI have A-labels (RFC 9525 6.3, RFC 6066 3)
    return X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) == 1 &&
           SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

Result<TlsTrust> TlsTrust::load(const std::string& ca_file) {
    ERR_clear_error();
    TlsTrust trust;
    trust.context_ = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX* const context = trust.context_.get();
    const auto load = [&] {
        return ca_file.empty() ? SSL_CTX_set_default_verify_paths(context)
                               : SSL_CTX_load_verify_file(context, ca_file.c_str());
    };
    if (context == nullptr || load() != 1) {
        const std::string why = openssl_reason();
        ERR_clear_error();
        return Error{
            ErrorCode::unavailable,
            format_text("cannot read certificates from {}: {}", ca_file.empty() ? "the system's folder" : ca_file, why),
            0};
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    // So that a certificate can vouch for itself.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    return trust;
}

std::unique_ptr<ClientTls> ClientTls::make(SSL_CTX* context, const std::string& name) {
    std::unique_ptr<ClientTls> tls(new ClientTls(SSL_new(context)));
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (!tls->ssl_ || in == nullptr || out == nullptr || !expect(tls->ssl_.get(), name)) {
        BIO_free(in);
        BIO_free(out);
        ERR_clear_error();
        return {};
    }
    SSL_set_bio(tls->ssl_.get(), in, out);
    SSL_set_connect_state(tls->ssl_.get());
    return tls;
}

template <class Operation>
ClientTls::Step ClientTls::step(Operation operation) {
    ERR_clear_error();  // SSL_get_error() reads the error queue
    const int result = operation();
    const int kind = SSL_get_error(ssl_.get(), result);
    Step made = Step::failed;
    if (result == 1) made = Step::done;
    else if (kind == SSL_ERROR_WANT_READ) made = Step::needs_input;
    else if (kind == SSL_ERROR_ZERO_RETURN) made = Step::ended;
    else note_failure();
    ERR_clear_error();
    return made;
}

void ClientTls::note_failure() {
    const long verified = SSL_get_verify_result(ssl_.get());
    is_about_certificate_ = verified != X509_V_OK;
    why_ = is_about_certificate_ ? X509_verify_cert_error_string(verified) : openssl_reason();
    if (why_.empty()) why_ = "OpenSSL gives no reason";
}

ClientTls::Step ClientTls::handshake() {
    return step([this] { return SSL_do_handshake(ssl_.get()); });
}

ClientTls::Step ClientTls::send(std::string_view octets) {
    std::size_t sent = 0;  // all of them, because the output is kept in memory
    return step([&] { return SSL_write_ex(ssl_.get(), octets.data(), octets.size(), &sent); });
}

ClientTls::Step ClientTls::receive(char* buffer, std::size_t size, std::size_t& got) {
    return step([&] { return SSL_read_ex(ssl_.get(), buffer, size, &got); });
}

void ClientTls::finish_sending() {
    ERR_clear_error();
    if (why_.empty() && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

void ClientTls::feed(std::string_view octets) {
    BIO_write(SSL_get_rbio(ssl_.get()), octets.data(), static_cast<int>(octets.size()));
}

std::string ClientTls::take_output() {
    BIO* const out = SSL_get_wbio(ssl_.get());
    char* octets = nullptr;
    const long size = BIO_get_mem_data(out, &octets);
    std::string taken(octets, size > 0 ? static_cast<std::size_t>(size) : 0);
    (void)BIO_reset(out);
    return taken;
}

}  // namespace smtpd
