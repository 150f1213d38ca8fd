/// auth/auth_pam: check passwords as the system does, through PAM.
///
/// The plugin asks PAM for the service `smtp`, unless `service` names another one. A service is a file in /etc/pam.d:
///
///     auth    required pam_sss.so
///     account required pam_sss.so
///
///     SmtpPlugin auth/auth_pam domain=example.com
///
/// The password must be right (`auth`), and the account must be valid (`account`). The plugin does not open sessions.
/// Modules get the client's address as the remote host. They may ask for the name and the password. The plugin ignores
/// their messages, and refuses to answer any other question.
///
/// PAM runs in httpd, as httpd's user. `pam_unix.so` must read /etc/shadow, so it cannot check passwords there. Use a
/// daemon with more rights, such as SSSD, or auth/auth_dovecot, or auth/auth_checkpassword with a suitable program. If
/// PAM has no file for a service, it uses the file `other`; configtest then warns.
///
/// ## Domains
///
/// Users of a system have no domain, but mail programs often send one. The plugin removes `domain` from a login before
/// it asks PAM. The login stays as the client gave it, and sender_login compares that login. It does not change names
/// with another domain.
///
/// ## Time
///
/// A PAM call cannot be interrupted, and the thread waits for it. Modules that use the network have their own time
/// limits; set these to a few seconds. `max` limits how many calls a process may make at once. A client above that
/// limit gets 454 at once, so a directory that hangs does not hold all of httpd's threads. The plugin omits the delays
/// that pam_unix and pam_faildelay request after wrong passwords. Use auth/auth_delay, which delays clients without a
/// thread.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0` if PAM says that it cannot decide. If PAM does not know the user, the
/// next plugin decides. The system's log says why PAM cannot decide (for example, because a module is missing).
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
///
/// ## Limits
///
/// A mod_smtpd that was built without libpam says so at configtest.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

struct AuthPamOptions {
    std::string service = "smtp";
    std::string confdir;
    std::vector<std::string> domain;
    unsigned max = 8;

    static OptionTable table() {
        return {
            option("service", &AuthPamOptions::service, "the name of the service").positional(0),
            option("confdir", &AuthPamOptions::confdir,
                   "the folder with the service's file, if it is not in the system's folder"),
            option("domain", &AuthPamOptions::domain, "a domain that the plugin removes from logins"),
            option("max", &AuthPamOptions::max, "how many calls of PAM a process may make at once").range("1", "1000")};
    }
};

}  // namespace smtpd::plugins

#ifdef HAVE_PAM

#include <smtpd/base/domain.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include <security/pam_appl.h>
#include <unistd.h>

namespace smtpd::plugins {
namespace {

/// More questions than any real module asks.
constexpr unsigned most_messages = 16;

/// The answers for the modules.
struct Client {
    const std::string& user;
    const std::string& password;
    unsigned messages = 0;
};

/// PAM's callback: answers a question with echo with the name, and a question without echo with the password. PAM owns
/// the answers.
int converse(int count, const pam_message** messages, pam_response** responses, void* data) {
    auto& client = *static_cast<Client*>(data);
    client.messages += static_cast<unsigned>(std::max(count, 1));
    if (count < 1 || client.messages > most_messages) return PAM_CONV_ERR;
    auto* const out = static_cast<pam_response*>(std::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    if (out == nullptr) return PAM_BUF_ERR;
    for (int i = 0; i < count; ++i) {
        const int style = messages[i]->msg_style;
        if (style == PAM_PROMPT_ECHO_OFF) out[i].resp = strdup(client.password.c_str());
        else if (style == PAM_PROMPT_ECHO_ON) out[i].resp = strdup(client.user.c_str());
    }
    *responses = out;
    return PAM_SUCCESS;
}

void no_delay(int, unsigned, void*) {}

/// One PAM transaction.
class Transaction {
public:
    Transaction(const AuthPamOptions& options, const std::string& confdir, const std::string& user,
                const std::string& password)
        : client_{user, password} {
#ifdef HAVE_PAM_START_CONFDIR
        if (!confdir.empty()) {
            status_ = pam_start_confdir(options.service.c_str(), user.c_str(), &conversation_, confdir.c_str(),
                                        &handle_);
            return;
        }
#else
        (void)confdir;
#endif
        status_ = pam_start(options.service.c_str(), user.c_str(), &conversation_, &handle_);
    }
    ~Transaction() {
        if (handle_ != nullptr) pam_end(handle_, status_);
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    /// PAM's status.
    int ask(const std::string& address) {
        if (status_ == PAM_SUCCESS) status_ = pam_set_item(handle_, PAM_RHOST, address.c_str());
        if (status_ == PAM_SUCCESS) status_ = pam_set_item(handle_, PAM_TTY, "smtp");
#ifdef PAM_FAIL_DELAY
        if (status_ == PAM_SUCCESS)
            status_ = pam_set_item(handle_, PAM_FAIL_DELAY, reinterpret_cast<const void*>(&no_delay));
#endif
        if (status_ == PAM_SUCCESS) status_ = pam_authenticate(handle_, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
        if (status_ == PAM_SUCCESS) status_ = pam_acct_mgmt(handle_, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
        return status_;
    }
    std::string text() const {
        return handle_ != nullptr ? pam_strerror(handle_, status_) : "PAM could not be started";
    }

private:
    Client client_;
    const pam_conv conversation_{&converse, &client_};
    pam_handle_t* handle_ = nullptr;
    int status_ = PAM_SUCCESS;
};

/// Counts the running calls.
class Place {
public:
    Place(std::atomic<unsigned>& taken, unsigned max) : taken_(taken), is_free_(taken.fetch_add(1) < max) {}
    ~Place() { --taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    explicit operator bool() const noexcept { return is_free_; }

private:
    std::atomic<unsigned>& taken_;
    const bool is_free_;
};

}  // namespace

class AuthPam final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    using Options = AuthPamOptions;

    AuthPam(Setup& setup, const Options& options)
        : options_(options), confdir_(options.confdir.empty() ? std::string() : setup.path(options.confdir)) {
        check_service(setup);
        setup.hooks.auth_plain.add([this](const AuthHook& hook) { return judge(hook); });
        setup.hooks.auth_login.add([this](const AuthHook& hook) { return judge(hook); });
    }

private:
    void check_service(Setup& setup) const {
        if (options_.service.empty() || options_.service.find('/') != std::string::npos)
            return setup.error("service: \"{}\" is not a name", quoted(options_.service));
        const auto exists = [&](const std::string& folder) {
            return access((folder + "/" + options_.service).c_str(), F_OK) == 0;
        };
        if (confdir_.empty()) {
            const bool is_known = exists("/etc/pam.d") || exists("/usr/lib/pam.d") || exists("/usr/share/pam.d");
            if (!is_known) setup.warning("PAM has no service {}, and will use the service other", options_.service);
            return;
        }
#ifdef HAVE_PAM_START_CONFDIR
        if (!exists(confdir_)) setup.error("there is no {} in {}", options_.service, confdir_);
#else
        setup.error("confdir: this system's PAM reads its own folder only");
#endif
    }

    Response judge(const AuthHook& hook) {
        const Place place(taken_, options_.max);
        if (!place) {
            hook.log(LogLevel::error, "error: {} calls of PAM are already running", options_.max);
            return denysoft();
        }
        const std::string user = without_domain(hook.user());
        Transaction pam(options_, confdir_, user, hook.password()->reveal());
        switch (pam.ask(hook.connection.address().to_string())) {
            case PAM_SUCCESS: return ok();
            case PAM_USER_UNKNOWN: return declined();
            case PAM_AUTH_ERR:
            case PAM_MAXTRIES:
            case PAM_PERM_DENIED:
            case PAM_CRED_INSUFFICIENT:
            case PAM_ACCT_EXPIRED:
            case PAM_CRED_EXPIRED:
            case PAM_AUTHTOK_EXPIRED:
            case PAM_NEW_AUTHTOK_REQD: hook.log(LogLevel::info, "{}", pam.text()); return deny();
            default: hook.log(LogLevel::error, "error: PAM: {}", pam.text()); return denysoft();
        }
    }

    std::string without_domain(const std::string& user) const {
        const auto at = user.rfind('@');
        if (at == std::string::npos) return user;
        const auto is_ours = [domain = std::string_view(user).substr(at + 1)](const std::string& own) {
            return is_same_domain(own, domain);
        };
        return std::any_of(options_.domain.begin(), options_.domain.end(), is_ours) ? user.substr(0, at) : user;
    }

    const Options options_;
    const std::string confdir_;
    std::atomic<unsigned> taken_ = 0;
};

}  // namespace smtpd::plugins

#else

namespace smtpd::plugins {

class AuthPam final : public Plugin {
public:
    using Options = AuthPamOptions;

    AuthPam(Setup& setup, const Options&) {
        setup.error("mod_smtpd was built without libpam, which this plugin needs");
    }
};

}  // namespace smtpd::plugins

#endif

SMTPD_PLUGIN("auth/auth_pam", smtpd::plugins::AuthPam);
