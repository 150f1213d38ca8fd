/// auth/auth_certificate: log in clients by their TLS certificates.
///
/// The plugin provides the mechanism EXTERNAL: a client needs no password if mod_ssl has verified its certificate. Next
/// to the directives for the server's certificate, tell mod_ssl to ask for client certificates, and which authorities
/// to trust:
///
///     SSLVerifyClient      optional
///     SSLCACertificateFile /etc/smtpd/users-ca.pem
///
///     SmtpPlugin auth/auth_certificate
///
/// Every client with a certificate from one of these authorities can log in, under the names in the certificate.
/// Therefore use your own authority, for your users only, never a public authority.
///
/// ## Names
///
/// `login` says which part of a certificate is the login:
///
/// - `email`: the e-mail addresses of its subjectAltName. An address in the subject does not count;
/// - `cn`: the common name of its subject;
/// - `subject`: the whole subject as mod_ssl shows it. It looks as in the example below.
///
/// The control file `certificate_logins` assigns other logins to certificates. Each line has a login, then the subject
/// or the fingerprint (SHA-256, 64 hexadecimal digits) of a certificate.
///
///     joe@example.com      CN=Joe Doe,O=Example
///     printer@example.com  3f1c9a0be25a6c2fd0aa4d4ae7e4bb1f0c6f0a5d1a7a77e0a0b5f0cc0e4fd9a1
///
/// A listed certificate has the logins of its lines and no others. With `login=listed`, only listed certificates have
/// logins.
///
/// A client may request a login, which must be one of the logins of its certificate; case does not matter. If the
/// client requests none, it gets the first one.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`, unless another plugin accepts the client. The server does not offer EXTERNAL to
/// clients that have shown no certificate, nor to clients that connect through a proxy.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
#include <smtpd/base/text.h>
#include <smtpd/plugin.h>

#include <algorithm>
#include <unordered_map>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace smtpd::plugins {
namespace {

using Names = std::vector<std::string>;
using Listed = std::unordered_map<std::string, Names>;  ///< subject or fingerprint → logins

struct Free {
    void operator()(BIO* object) const noexcept { BIO_free(object); }
    void operator()(X509* object) const noexcept { X509_free(object); }
    void operator()(GENERAL_NAMES* object) const noexcept { GENERAL_NAMES_free(object); }
};
using Certificate = std::unique_ptr<X509, Free>;

Certificate read_pem(const std::string& pem) {
    const std::unique_ptr<BIO, Free> octets(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return Certificate(octets ? PEM_read_bio_X509(octets.get(), nullptr, nullptr, nullptr) : nullptr);
}

/// Adds the value if it can be a name. A value with a NUL, for example, is an attack.
void add(Names& names, const ASN1_STRING* text) {
    unsigned char* utf8 = nullptr;
    const int size = ASN1_STRING_to_UTF8(&utf8, text);
    if (size < 0) return;
    std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
    const bool is_printable = std::none_of(name.begin(), name.end(),
                                           [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
    if (!name.empty() && is_printable) names.push_back(std::move(name));
}

Names email_addresses(const X509& certificate) {
    Names out;
    const std::unique_ptr<GENERAL_NAMES, Free> all(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i)
        if (const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i); name->type == GEN_EMAIL)
            add(out, name->d.rfc822Name);
    return out;
}

Names common_names(const X509& certificate) {
    Names out;
    const X509_NAME* const subject = X509_get_subject_name(&certificate);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        add(out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return out;
}

bool is_fingerprint(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

Result<Listed> parse_listed(const ControlText& text) {
    Listed listed;
    for (const auto& line : text) {
        auto [login, whose] = line.split();
        if (is_fingerprint(whose)) whose = ascii_lower(whose);
        else if (whose.find('=') == std::string::npos)
            return Error{ErrorCode::config,
                         format_text("{}: expected a login, then a subject or a fingerprint", line.position()), 0};
        listed[whose].push_back(std::move(login));
    }
    return listed;
}

}  // namespace

class AuthCertificate final : public Plugin {
public:
    static constexpr bool reads_body = false;

    enum class Login { email, cn, subject, listed };
    struct Options {
        Login login = Login::email;
        static OptionTable table() {
            return {option("login", &Options::login, "which part of an unlisted certificate is the login")
                        .choices({{"email", Login::email},
                                  {"cn", Login::cn},
                                  {"subject", Login::subject},
                                  {"listed", Login::listed}})
                        .positional(0)};
        }
    };

    AuthCertificate(Setup& setup, const Options& options)
        : options_(options), listed_(setup.control().parsed<Listed>("certificate_logins", parse_listed)) {
        setup.hooks.auth_external.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    Response judge(const AuthHook& hook) const {
        const auto& certificate = hook.connection.tls().certificate;
        if (!certificate || !certificate->is_verified) return declined();
        const Names logins = logins_of(*certificate);
        const auto login = std::find_if(logins.begin(), logins.end(), [&](const std::string& name) {
            return hook.user().empty() || ascii_equal(name, hook.user());
        });
        if (login == logins.end()) {
            hook.log(LogLevel::info, "the certificate of {} has {} logins, but not the requested one",
                     quoted(certificate->subject), logins.size());
            return declined();
        }
        hook.set_login(*login);
        return ok();
    }

    Names logins_of(const ClientCertificate& certificate) const {
        const auto listed = listed_.get();
        for (const auto& key : {certificate.fingerprint, certificate.subject})
            if (const auto found = listed->find(key); found != listed->end()) return found->second;
        if (options_.login == Login::listed) return {};
        if (options_.login == Login::subject) return certificate.subject.empty() ? Names() : Names{certificate.subject};
        const Certificate parsed = read_pem(certificate.pem);
        if (!parsed) return {};
        return options_.login == Login::email ? email_addresses(*parsed) : common_names(*parsed);
    }

    const Options options_;
    const Watched<Listed> listed_;
};

}  // namespace smtpd::plugins

SMTPD_PLUGIN("auth/auth_certificate", smtpd::plugins::AuthCertificate);
