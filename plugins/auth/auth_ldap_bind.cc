/// auth/auth_ldap_bind: check passwords with an LDAP directory.
///
/// The plugin searches for the user's entry, and then tries a bind with the entry's name and the client's password. If
/// the bind succeeds, the user is logged in.
///
///     SmtpPlugin auth/auth_ldap_bind ldap://ldap.example.com base=ou=people,dc=example,dc=com starttls=yes
///
/// The plugin searches below `base` for the entry that has the login's local part as its `attribute` (`uid` unless you
/// name another). With `filter` it uses the entry that this filter (RFC 4515) finds. In the filter, `%u` stands for the
/// local part of the login, `%d` for its domain (in lower case, and in the xn-- form if it is non-ASCII) and `%l` for
/// the whole login. The values are escaped. If the directory does not answer anonymous searches, set `bind_dn` and
/// `bind_password_file`. The plugin reads that file when httpd starts, so only root needs to be able to read it.
///
/// If the entry's name follows from the login, the plugin needs no search: set `dn` to the name, with the same
/// placeholders. The second example here uses a filter instead.
///
///     SmtpPlugin auth/auth_ldap_bind ldapi:/// "dn=uid=%u,ou=people,dc=example,dc=com"
///     SmtpPlugin auth/auth_ldap_bind ldaps://ldap.example.com base=dc=example,dc=com "filter=(|(uid=%u)(mail=%l))"
///
/// With several directories (`uri` more than once), the plugin asks the first directory that answers, or each in turn
/// (`balance`):
///
///     SmtpPlugin auth/auth_ldap_bind ldaps://ldap1.example.com ldaps://ldap2.example.com base=dc=example,dc=com
///
/// The server offers PLAIN and LOGIN. The plugin refuses an empty password before it asks the directory, because to
/// LDAP an empty password means an anonymous login. If the directory has no entry for the login, or if the login has no
/// domain and `%d` needs one, the next plugin decides.
///
/// ## TLS
///
/// With `ldaps://` or `starttls=yes`, the directory must show a certificate for its name. The certificate must be from
/// an authority in `ca_file`, or from an authority that the system's ldap.conf names. Over `ldap://` without TLS,
/// passwords are not encrypted: use it only for a directory on this machine.
///
/// ## When the directory fails
///
/// The reply is 454 4.7.0 if the directory is down or slow (`timeout`), does not permit the search, has two entries for
/// a login, or gives any other unexpected answer. The thread waits for the directory. The plugin looks up the name of a
/// host in `/etc/hosts`, which it reads when httpd starts, and in the DNS (`SmtpResolver`). The name must be complete:
/// the search list of resolv.conf is not used.
///
/// If a directory fails three times in a row to accept a connection, to begin TLS or to answer the search, the plugin
/// does not ask it for five seconds. That time grows with further failures, to at most five minutes.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0`.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd's plugin cannot be loaded. If the configuration has neither `base` nor `dn`, this plugin reads the control
/// file `ldap` of qpsmtpd's plugin when httpd starts: lines with `ldap_base`, `ldap_host`, `ldap_port`, `ldap_timeout`
/// and `ldap_auth_filter_attr`. A wrong password is refused; in qpsmtpd, the next plugin decides.
///
/// ## Limits
///
/// A mod_smtpd that was built without libldap says so at configtest. The plugin does not follow referrals to other
/// directories.
#include <smtpd/backend/backend.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

struct AuthLdapBindOptions {
    std::vector<std::string> uri = {"ldap://127.0.0.1"};
    std::string base;
    std::string attribute = "uid";
    std::string filter;
    std::string dn;
    std::string bind_dn;
    std::string bind_password_file;
    bool starttls = false;
    std::string ca_file;
    Balance balance = Balance::failover;
    Duration timeout = std::chrono::seconds(5);
    std::string ldap_host;
    unsigned ldap_port = 389;

    static OptionTable table() {
        using O = AuthLdapBindOptions;
        return {
            option("uri", &O::uri, "the directory: ldap://, ldaps:// or ldapi://; or several").positional(0).rest(),
            option("base", &O::base, "the entry below which the plugin searches for users").alias("ldap_base"),
            option("attribute", &O::attribute, "the attribute that holds the local part of the login")
                .alias("ldap_auth_filter_attr"),
            option("filter", &O::filter, "the search filter, instead of attribute"),
            option("dn", &O::dn, "the name of a user's entry, instead of a search"),
            option("bind_dn", &O::bind_dn, "the name to bind with before a search; without it, searches are anonymous"),
            option("bind_password_file", &O::bind_password_file,
                   "the file whose first line is the password for bind_dn"),
            option("starttls", &O::starttls, "whether to begin TLS on ldap:// connections"),
            option("ca_file", &O::ca_file, "the certificates of the authorities that you trust"),
            option("balance", &O::balance, "which of several directories to ask").choices(balance_words()),
            option("timeout", &O::timeout, "how long a login may take").range("100ms", "50s").alias("ldap_timeout"),
            option("ldap_host", &O::ldap_host, "qpsmtpd's name for the host of a uri with ldap://"),
            option("ldap_port", &O::ldap_port, "qpsmtpd's name for the port of that uri").range("1", "65535")};
    }
};

}  // namespace smtpd::plugins

#ifdef HAVE_LDAP

#include <smtpd/base/clock.h>
#include <smtpd/base/domain.h>
#include <smtpd/base/files.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <dlfcn.h>
#include <ldap.h>
#include <openldap.h>
#include <poll.h>

namespace smtpd::plugins {
namespace {

/// qpsmtpd's control file.
struct FileOptions {
    std::string base, host = "127.0.0.1", attribute = "uid";
    unsigned port = 389;
    Duration timeout = std::chrono::seconds(5);
    static OptionTable table() {
        using O = FileOptions;
        return {option("ldap_base", &O::base, "base"), option("ldap_host", &O::host, "host"),
                option("ldap_port", &O::port, "port").range("1", "65535"),
                option("ldap_timeout", &O::timeout, "time").range("100ms", "50s"),
                option("ldap_auth_filter_attr", &O::attribute, "attribute")};
    }
};

std::string hexadecimal(char c) {
    constexpr char digits[] = "0123456789abcdef";
    const auto octet = static_cast<unsigned char>(c);
    return {'\\', digits[octet >> 4], digits[octet & 15]};
}

/// A value, escaped for a filter (RFC 4515 3).
std::string in_filter(std::string_view value) {
    std::string out;
    for (const char c : value)
        out += std::string_view("*()\\").find(c) != std::string_view::npos || c == '\0' ? hexadecimal(c)
                                                                                        : std::string(1, c);
    return out;
}

/// A value, escaped for a distinguished name (RFC 4514 2.4).
std::string in_name(std::string_view value) {
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const bool is_at_an_end = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
        const bool is_special = std::string_view("\"+,;<>=\\").find(c) != std::string_view::npos || c == '\0';
        out += is_at_an_end || is_special ? hexadecimal(c) : std::string(1, c);
    }
    return out;
}

/// A filter or a name with placeholders for parts of the login.
class Template {
public:
    explicit Template(std::string text) : text_(std::move(text)) {}

    /// What is wrong with the pattern; "" if it is valid.
    std::string problem() const {
        bool has_user = false;
        for (std::size_t at = 0; (at = text_.find('%', at)) != std::string::npos; at += 2) {
            const char sign = at + 1 < text_.size() ? text_[at + 1] : '\0';
            if (sign != 'u' && sign != 'd' && sign != 'l' && sign != '%') return "only %u, %d, %l and %% are allowed";
            has_user |= sign == 'u' || sign == 'l';
        }
        return has_user ? "" : "it contains neither %u nor %l";
    }

    /// Nothing if the login has no domain and a placeholder needs one.
    std::optional<std::string> fill(std::string_view login, std::string (*escape)(std::string_view)) const {
        const auto at_sign = login.rfind('@');
        const auto local = login.substr(0, at_sign);
        const std::string domain = at_sign == login.npos ? std::string() : ascii_domain(login.substr(at_sign + 1));
        std::string out;
        for (std::size_t i = 0; i < text_.size(); ++i) {
            if (text_[i] != '%') {
                out += text_[i];
                continue;
            }
            const char sign = text_[++i];
            if (sign == 'd' && domain.empty()) return {};
            out += sign == '%' ? "%" : escape(sign == 'u' ? local : sign == 'd' ? std::string_view(domain) : login);
        }
        return out;
    }

private:
    std::string text_;
};

/// Keeps libldap loaded when the plugin is unloaded: libldap and its libraries initialize themselves at first use, and
/// do not clean up when they are unloaded.
bool keep_library() {
    Dl_info library{};
    if (dladdr(reinterpret_cast<const void*>(&ldap_initialize), &library) == 0) return false;
    void* const handle = dlopen(library.dli_fname, RTLD_LAZY | RTLD_NODELETE);
    return handle != nullptr && dlclose(handle) == 0;
}

/// A directory as the configuration names it.
struct Place {
    std::string uri;
    ServerAddress server;  ///< for ldapi:// the URI: without a path, libldap knows the socket

    /// One text may have several URIs, as with libldap. Nothing if the text has anything else.
    static std::optional<std::vector<Place>> read(const std::string& uris) {
        std::vector<Place> places;
        for (std::size_t at = 0; (at = uris.find_first_not_of(" ,", at)) != std::string::npos;) {
            const auto end = std::min(uris.find_first_of(" ,", at), uris.size());
            const auto place = read_one(uris.substr(at, end - at));
            if (!place) return {};
            places.push_back(*place);
            at = end;
        }
        return places.empty() ? std::nullopt : std::optional(places);
    }
    bool is(std::string_view scheme) const {
        return ascii_equal(uri.substr(0, scheme.size() + 1), std::string(scheme) + ":");
    }

private:
    static std::optional<Place> read_one(const std::string& uri) {
        Place place{uri, ServerAddress::local(uri)};
        if (uri.starts_with("ldapi://")) return place;
        LDAPURLDesc* url = nullptr;
        if (ldap_url_parse(uri.c_str(), &url) != LDAP_URL_SUCCESS) return {};
        const bool has_host = url->lud_host != nullptr && *url->lud_host != '\0';
        const int usual = place.is("ldaps") ? LDAPS_PORT : LDAP_PORT;
        place.server = ServerAddress::tcp(has_host ? url->lud_host : "localhost",
                                          static_cast<std::uint16_t>(url->lud_port != 0 ? url->lud_port : usual));
        ldap_free_urldesc(url);
        if (place.server.host().empty()) return {};
        return place;
    }
};

/// A connection with one time limit for all of its calls together.
class Directory {
public:
    Directory(const Clock& clock, Duration time) : clock_(clock), deadline_(clock.now() + time), time_(time) {}
    ~Directory() {
        if (handle_ != nullptr) ldap_unbind_ext_s(handle_, nullptr, nullptr);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    /// Sets the time limit, counted from now.
    void allow(MonotonicTime deadline, Duration time) {
        deadline_ = deadline;
        time_ = time;
    }
    /// Whether the connection failed; false if the error is an answer of the directory.
    bool is_gone() const noexcept { return is_gone_; }

    /// Connects to `address`, or to a local socket.
    Result<void> open(const Place& place, const IpAddress* address, const AuthLdapBindOptions& options,
                      const std::string& ca_file) {
        static const bool is_kept = keep_library();
        (void)is_kept;
        if (auto made = address != nullptr ? connect(place, *address) : prepare(place); !made) return made;
        const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, is_server = 0;
        set(LDAP_OPT_PROTOCOL_VERSION, &version);
        set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
        if (!options.starttls && !place.is("ldaps")) return {};
        set(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
        if (!ca_file.empty()) set(LDAP_OPT_X_TLS_CACERTFILE, ca_file.c_str());
        if (const int status = set(LDAP_OPT_X_TLS_NEWCTX, &is_server); status != LDAP_SUCCESS)
            return failure("cannot be asked with TLS", status);
        hurry();
        const int status = options.starttls ? ldap_start_tls_s(handle_, nullptr, nullptr) : ldap_install_tls(handle_);
        return status == LDAP_SUCCESS ? Result<void>()
                                      : failure(options.starttls ? "does not begin TLS" : "cannot be asked", status);
    }

    /// Whether this is the password for that name.
    Result<bool> bind(const std::string& name, const std::string& password) {
        hurry();
        berval secret{static_cast<ber_len_t>(password.size()), const_cast<char*>(password.data())};
        int message = 0;
        if (const int status = ldap_sasl_bind(handle_, name.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr, nullptr,
                                              &message);
            status != LDAP_SUCCESS)
            return failure("cannot be asked", status);
        const auto result = receive(message, {LDAP_RES_BIND});
        if (!result) return result.error();
        switch (const int status = status_of(result->get())) {
            case LDAP_SUCCESS: return true;
            case LDAP_INVALID_CREDENTIALS:
            case LDAP_INAPPROPRIATE_AUTH:
            case LDAP_NO_SUCH_OBJECT: return false;
            default: return failure("refuses the bind", status);
        }
    }

    /// The name of the only entry that the filter finds below `base`; nothing if it finds none.
    Result<std::optional<std::string>> find(const std::string& base, const std::string& filter) {
        hurry();
        char no_attributes[] = "1.1";
        char* attributes[] = {no_attributes, nullptr};
        timeval time = left();
        int message = 0;
        constexpr int more_than_one = 2;
        if (const int status = ldap_search_ext(handle_, base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(), attributes, 0,
                                               nullptr, nullptr, &time, more_than_one, &message);
            status != LDAP_SUCCESS)
            return failure("cannot be asked", status);
        const auto result = receive(message,
                                    {LDAP_RES_SEARCH_ENTRY, LDAP_RES_SEARCH_REFERENCE, LDAP_RES_SEARCH_RESULT});
        if (!result) return result.error();
        if (ldap_count_entries(handle_, result->get()) > 1)
            return Error{ErrorCode::unavailable,
                         format_text("the directory has more than one entry for {}", quoted(filter)), 0};
        if (const int status = status_of(result->get()); status != LDAP_SUCCESS)
            return failure("refuses the search", status);
        LDAPMessage* const entry = ldap_first_entry(handle_, result->get());
        if (entry == nullptr) return std::optional<std::string>();
        char* const name = ldap_get_dn(handle_, entry);
        if (name == nullptr) return Error{ErrorCode::unavailable, "the directory returned an entry without a name", 0};
        std::optional<std::string> out(name);
        ldap_memfree(name);
        if (out->empty()) return Error{ErrorCode::unavailable, "the directory returned an entry without a name", 0};
        return out;
    }

private:
    struct Free {
        void operator()(LDAPMessage* message) const noexcept { ldap_msgfree(message); }
    };
    using Message = std::unique_ptr<LDAPMessage, Free>;

    int set(int what, const void* value) { return ldap_set_option(handle_, what, value); }

    /// We make the connection, so that the time limit holds and we choose the address. The URI has the name that the
    /// certificate must be for.
    Result<void> connect(const Place& place, const IpAddress& address) {
        auto socket = ClientSocket::connect_tcp(address, place.server.port(), time_left());
        if (!socket) {
            const char* const text = ldap_err2string(LDAP_SERVER_DOWN);
            return Error{socket.error().code,
                         format_text("the directory cannot be asked: {} ({})", text, socket.error().what), 0};
        }
        FileDescriptor connection = std::move(*socket).release();
        if (const int status = ldap_init_fd(connection.get(), LDAP_PROTO_TCP, place.uri.c_str(), &handle_);
            status != LDAP_SUCCESS)
            return failure("cannot be asked", status);
        (void)connection.release();
        Sockbuf* octets = nullptr;
        ldap_get_option(handle_, LDAP_OPT_SOCKBUF, &octets);
        return add_layer(octets) == 0 ? Result<void>() : failure("cannot be asked", LDAP_NO_MEMORY);
    }
    /// libldap connects when it needs the connection.
    Result<void> prepare(const Place& place) {
        if (const int status = ldap_initialize(&handle_, place.uri.c_str()); status != LDAP_SUCCESS)
            return failure("cannot be asked", status);
        set(LDAP_OPT_CONNECT_CB, &connected_);
        return {};
    }

    Duration time_left() const { return std::max(Duration(1), std::chrono::floor<Duration>(deadline_ - clock_.now())); }
    timeval left() const {
        const auto time = time_left();
        return {static_cast<time_t>(time.count() / 1000), static_cast<suseconds_t>(time.count() % 1000 * 1000)};
    }
    // libldap ignores time limits during a TLS handshake, and with GnuTLS it polls for data in a loop. So all data pass
    // through a layer below TLS. The layer waits for data until the time is over, and then reports a broken connection.

    int add_layer(Sockbuf* socket) {
        static Sockbuf_IO layer{&set_up, nullptr, &control, &read, &write, nullptr};
        return ber_sockbuf_add_io(socket, &layer, LBER_SBIOD_LEVEL_PROVIDER + 1, this);
    }
    static int add_layer_to_new(LDAP*, Sockbuf* socket, LDAPURLDesc*, sockaddr*, ldap_conncb* callback) {
        return static_cast<Directory*>(callback->lc_arg)->add_layer(socket);
    }
    static void forget(LDAP*, Sockbuf*, ldap_conncb*) {}
    static int set_up(Sockbuf_IO_Desc* layer, void* directory) {
        layer->sbiod_pvt = directory;
        return 0;
    }
    static int control(Sockbuf_IO_Desc* layer, int what, void* value) {
        return LBER_SBIOD_CTRL_NEXT(layer, what, value);
    }
    static ber_slen_t read(Sockbuf_IO_Desc* layer, void* octets, ber_len_t size) {
        return waits(layer, POLLIN) ? LBER_SBIOD_READ_NEXT(layer, octets, size) : -1;
    }
    static ber_slen_t write(Sockbuf_IO_Desc* layer, void* octets, ber_len_t size) {
        return waits(layer, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(layer, octets, size) : -1;
    }
    /// Returns false and sets ETIMEDOUT when the time is over.
    static bool waits(Sockbuf_IO_Desc* layer, short events) {
        pollfd wait{-1, events, 0};
        ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &wait.fd);
        int ready = 0;
        do
            ready = poll(&wait, 1,
                         static_cast<int>(static_cast<const Directory*>(layer->sbiod_pvt)->time_left().count()));
        while (ready < 0 && errno == EINTR);
        if (ready == 0) errno = ETIMEDOUT;
        return ready > 0;
    }

    /// Sets the remaining time as the limit for libldap's own waits (connections, StartTLS).
    void hurry() {
        const timeval time = left();
        set(LDAP_OPT_NETWORK_TIMEOUT, &time);
        set(LDAP_OPT_TIMEOUT, &time);
    }

    /// The whole answer, which must begin with one of these.
    Result<Message> receive(int message, std::initializer_list<ber_tag_t> wanted) {
        timeval time = left();
        LDAPMessage* received = nullptr;
        const int kind = ldap_result(handle_, message, LDAP_MSG_ALL, &time, &received);
        Message result(received);
        is_gone_ = kind <= 0;
        if (kind == 0)
            return Error{ErrorCode::timeout, format_text("the directory did not answer within {} ms", time_.count()),
                         0};
        if (kind < 0) {
            int status = LDAP_SERVER_DOWN;
            ldap_get_option(handle_, LDAP_OPT_RESULT_CODE, &status);
            return failure("does not answer", status);
        }
        if (std::find(wanted.begin(), wanted.end(), static_cast<ber_tag_t>(kind)) == wanted.end())
            return failure("sent an unexpected answer", LDAP_PROTOCOL_ERROR);
        return result;
    }

    /// The result code that the directory sent.
    int status_of(LDAPMessage* result) {
        int status = LDAP_OTHER;
        const int parsed = ldap_parse_result(handle_, result, &status, nullptr, nullptr, nullptr, nullptr, 0);
        return parsed == LDAP_SUCCESS ? status : parsed;
    }

    /// An error with the message of the directory or of the TLS library.
    Error failure(std::string_view what, int status) {
        is_gone_ |= status == LDAP_SERVER_DOWN || status == LDAP_CONNECT_ERROR || status == LDAP_TIMEOUT;
        char* more = nullptr;
        if (handle_ != nullptr) ldap_get_option(handle_, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
        std::string text = format_text("the directory {}: {}", what, static_cast<const char*>(ldap_err2string(status)));
        if (more != nullptr && *more != '\0') text += " (" + quoted(more) + ")";
        ldap_memfree(more);
        return {ErrorCode::unavailable, std::move(text), 0};
    }

    const Clock& clock_;
    MonotonicTime deadline_;
    Duration time_;
    ldap_conncb connected_{&add_layer_to_new, &forget, this};
    LDAP* handle_ = nullptr;
    bool is_gone_ = false;
};

}  // namespace

class AuthLdapBind final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    using Options = AuthLdapBindOptions;

    /// Each login has a separate connection: after a bind the connection belongs to that user. Another bind would
    /// change the user, but libldap does not say whether the directory still has something to send on it.
    AuthLdapBind(Setup& setup, const Options& options)
        : options_(completed(setup, options)),
          ca_file_(options.ca_file.empty() ? std::string() : setup.path(options.ca_file)),
          dn_(options_.dn),
          filter_(options_.filter.empty() ? "(" + options_.attribute + "=%u)" : options_.filter),
          places_(places(setup)),
          directories_(setup.instance(), servers(), {.balance = options_.balance}, setup.clock(), setup.log()) {
        check(setup);
        read_password(setup);
        for (auto* const hook : {&setup.hooks.auth_plain, &setup.hooks.auth_login})
            hook->ask([this](const AuthHook&, Questions& questions) {
                    questions.timeout(options_.timeout);
                    directories_.ask(questions);
                })
                .add([this](const AuthHook& auth, const Answers& answers) { return judge(auth, answers); });
    }

private:
    static std::string uri_of(const std::string& host, unsigned port) {
        const bool is_v6 = host.find(':') != std::string::npos;
        return format_text("ldap://{}{}{}:{}", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
    }

    /// Adds the settings of the control file if the configuration does not say where the users are.
    static Options completed(Setup& setup, Options options) {
        if (!options.ldap_host.empty()) options.uri = {uri_of(options.ldap_host, options.ldap_port)};
        if (!options.base.empty() || !options.dn.empty()) return options;
        FileOptions file;
        const auto lines = setup.control().lines("ldap").get();
        for (const auto& line : *lines)
            if (const auto read = FileOptions::table().read(&file, line.text); !read)
                setup.error("{}: {}", line.position(), read.error().what);
        if (lines->empty() || file.base.empty()) {
            setup.error("set base or dn; the control file ldap has no ldap_base either");
            return options;
        }
        options.uri = {uri_of(file.host, file.port)};
        options.base = file.base;
        options.attribute = file.attribute;
        options.timeout = file.timeout;
        return options;
    }

    std::vector<Place> places(Setup& setup) const {
        std::vector<Place> out;
        for (const auto& uri : options_.uri) {
            const auto read = Place::read(uri);
            if (!read) setup.error("uri: \"{}\" is not a valid ldap://, ldaps:// or ldapi:// URI", quoted(uri));
            else out.insert(out.end(), read->begin(), read->end());
        }
        return out;
    }
    std::vector<ServerAddress> servers() const {
        std::vector<ServerAddress> out;
        for (const auto& place : places_) out.push_back(place.server);
        return out;
    }

    void check(Setup& setup) const {
        const auto is_letter = [](char c) {
            return is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.' || c == ';';
        };
        const bool is_attribute = !options_.attribute.empty() &&
                                  std::all_of(options_.attribute.begin(), options_.attribute.end(), is_letter);
        if (!is_attribute) setup.error("attribute: \"{}\" is not the name of an attribute", quoted(options_.attribute));
        const bool is_plain = std::all_of(places_.begin(), places_.end(),
                                          [](const Place& place) { return place.is("ldap"); });
        if (options_.starttls && !is_plain) setup.error("starttls needs a uri with ldap://");
        if (!options_.dn.empty() && !options_.filter.empty()) setup.error("dn and filter exclude each other");
        if (const auto problem = dn_.problem(); !options_.dn.empty() && !problem.empty())
            setup.error("dn: {}", problem);
        if (const auto problem = filter_.problem(); is_attribute && !problem.empty())
            setup.error("filter: {}", problem);
        if (options_.bind_dn.empty() != options_.bind_password_file.empty())
            setup.error("bind_dn and bind_password_file go together");
    }

    void read_password(Setup& setup) {
        if (options_.bind_password_file.empty()) return;
        constexpr std::size_t longest = 4096;
        setup.uses({FileUse::Kind::passwords, setup.path(options_.bind_password_file)});
        auto text = read_file(setup.path(options_.bind_password_file), longest);
        if (!text) return setup.error("bind_password_file: {}", text.error().what);
        password_.set(std::string_view(*text).substr(0, text->find_first_of("\r\n")));
        wipe(*text);
        if (password_.empty())
            setup.error("bind_password_file: the first line of {} is empty", options_.bind_password_file);
    }

    Response judge(const AuthHook& hook, const Answers& answers) const {
        if (hook.password()->empty()) return deny();
        const auto answer = ask(hook, answers);
        if (!answer) {
            hook.log(LogLevel::error, "error: {}", answer.error().what);
            return denysoft();
        }
        return !*answer ? declined() : **answer ? ok() : deny();
    }

    /// Whether the password is right; nothing for an unknown user.
    Result<std::optional<bool>> ask(const AuthHook& hook, const Answers& answers) const {
        const bool is_looked_for = options_.dn.empty();
        const auto wanted = is_looked_for ? filter_.fill(hook.user(), in_filter) : dn_.fill(hook.user(), in_name);
        if (!wanted) return std::optional<bool>();
        const MonotonicTime deadline = hook.deadline(options_.timeout);
        std::optional<Directory> directory;
        Result<std::optional<std::string>> name = wanted;
        const auto begin = [&](const ServerAddress& server, const IpAddress* address, Duration time) -> Result<void> {
            directory.emplace(hook.clock(), time);
            const auto place = std::find_if(places_.begin(), places_.end(),
                                            [&](const Place& one) { return one.server == server; });
            if (auto opened = directory->open(*place, address, options_, ca_file_); !opened) return opened;
            if (is_looked_for) name = find(*directory, *wanted);
            return directory->is_gone() ? Result<void>(name.error()) : Result<void>();
        };
        auto lease = directories_.reach(answers, deadline, begin);
        if (!lease) return lease.error();
        if (is_looked_for) lease->succeeded();
        if (!name) return name.error();
        if (!*name) return std::optional<bool>();
        directory->allow(deadline, options_.timeout);
        const auto is_good = directory->bind(**name, hook.password()->reveal());
        if (!is_good) return is_good.error();  // not reported: the client may have caused it
        lease->succeeded();
        return std::optional(*is_good);
    }

    Result<std::optional<std::string>> find(Directory& directory, const std::string& filter) const {
        if (!options_.bind_dn.empty()) {
            const auto bound = directory.bind(options_.bind_dn, password_.reveal());
            if (!bound) return bound.error();
            if (!*bound)
                return Error{ErrorCode::unavailable,
                             format_text("the directory does not know {} with this password", options_.bind_dn), 0};
        }
        return directory.find(options_.base, filter);
    }

    const Options options_;
    const std::string ca_file_;
    const Template dn_;
    const Template filter_;
    const std::vector<Place> places_;
    const Backend directories_;
    Secret password_;
};

}  // namespace smtpd::plugins

#else

namespace smtpd::plugins {

class AuthLdapBind final : public Plugin {
public:
    using Options = AuthLdapBindOptions;

    AuthLdapBind(Setup& setup, const Options&) {
        setup.error("mod_smtpd was built without libldap, which this plugin needs");
    }
};

}  // namespace smtpd::plugins

#endif

SMTPD_PLUGIN("auth/auth_ldap_bind", smtpd::plugins::AuthLdapBind);
