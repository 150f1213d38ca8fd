/// auth/auth_oauth: check bearer tokens with the server that issued them.
///
/// The plugin provides XOAUTH2 and OAUTHBEARER (RFC 7628): a mail program logs in with a token from an authorization
/// server. The plugin asks the authorization server about each token (introspection, RFC 7662), with the name and the
/// secret that the authorization server has assigned to this server:
///
///     SmtpPlugin auth/auth_oauth https://login.example.com/introspect client_file=/etc/smtpd/oauth scope=smtp
///
/// `client_file` has the name in its first line and the secret in its second. The plugin reads the file when httpd
/// starts, so only root needs to be able to read it.
///
/// A token is valid if the authorization server says that it is active, if it has every `scope`, and if it has one of
/// the `audience` values. If the client gives a login, the token must belong to that login. The member `username` of
/// the answer names the owner of the token; `username=email` names another member. You can name several members: the
/// first one that the answer has counts. Case does not matter.
///
/// The plugin keeps the result in the store for `cache`, but not longer than the token is valid. The store has a digest
/// of the token, not the token itself. For that time the plugin also accepts a token that has been withdrawn. With
/// `cache=0s` the plugin asks every time.
///
/// ## When the server fails
///
/// The reply is 454 4.7.0 if the authorization server is down or slow (`timeout`), refuses this client, or answers with
/// anything other than 200 and a JSON object that says whether the token is active. The thread waits for the server.
/// The plugin asks directly, without a proxy, and does not follow redirects. With `https://` the server must show a
/// certificate that `ca_file`, or the system, trusts. Use `http://` for this machine only.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0`. If a token is not active, the next plugin decides.
///
/// ## Differences from qpsmtpd
///
/// qpsmtpd does not have this plugin.
///
/// ## Limits
///
/// A mod_smtpd that was built without libcurl or jansson says so at configtest.
#include <smtpd/plugin.h>

namespace smtpd::plugins {

struct AuthOauthOptions {
    std::string endpoint;
    std::string client_file;
    std::vector<std::string> scope;
    std::vector<std::string> audience;
    std::vector<std::string> username{"username"};
    std::string ca_file;
    Duration timeout = std::chrono::seconds(5);
    Duration cache = std::chrono::minutes(5);

    static OptionTable table() {
        using O = AuthOauthOptions;
        return {
            option("endpoint", &O::endpoint, "the URL at which the authorization server answers questions about tokens")
                .positional(0)
                .required(),
            option("client_file", &O::client_file, "the file with the name and the secret of this server"),
            option("scope", &O::scope, "a scope that a token must have"),
            option("audience", &O::audience, "an audience that a token must have; one of several is enough"),
            option("username", &O::username, "the member of the answer that is the login"),
            option("ca_file", &O::ca_file, "the certificates of the authorities that you trust"),
            option("timeout", &O::timeout, "how long to wait for an answer").range("100ms", "50s"),
            option("cache", &O::cache, "how long to reuse an answer").range("0s", "1h")};
    }
};

}  // namespace smtpd::plugins

#if defined(HAVE_CURL) && defined(HAVE_JANSSON)

#include <smtpd/base/files.h>
#include <smtpd/base/secret_text.h>
#include <smtpd/base/text.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/evp.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t largest_answer = 64 * 1024;

struct FreeJson {
    void operator()(json_t* value) const noexcept { json_decref(value); }
};

/// The answer of a server: one JSON object (RFC 8259).
class JsonObject {
public:
    /// Returns nothing for any other text: a repeated name, text that is not UTF-8 or has a NUL, a number that does not
    /// fit a double, or nesting deeper than 2048 levels (jansson's built-in limit, JSON_PARSER_MAX_DEPTH).
    static std::optional<JsonObject> read(const std::string& text) {
        Value root(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, nullptr));
        return json_is_object(root.get()) ? std::optional(JsonObject(std::move(root))) : std::nullopt;
    }

    std::optional<bool> truth(const char* name) const {
        const json_t* const value = json_object_get(root_.get(), name);
        return json_is_boolean(value) ? std::optional(json_is_true(value)) : std::nullopt;
    }
    std::optional<double> number(const char* name) const {
        const json_t* const value = json_object_get(root_.get(), name);
        return json_is_number(value) ? std::optional(json_number_value(value)) : std::nullopt;
    }
    /// The text of a member; the texts of a member that is a list.
    std::vector<std::string> texts(const char* name) const {
        const json_t* const value = json_object_get(root_.get(), name);
        std::vector<std::string> found;
        const auto add = [&found](const json_t* text) {
            if (json_is_string(text)) found.emplace_back(json_string_value(text), json_string_length(text));
        };
        add(value);
        for (std::size_t i = 0; i < json_array_size(value); ++i) add(json_array_get(value, i));
        return found;
    }

private:
    using Value = std::unique_ptr<json_t, FreeJson>;
    explicit JsonObject(Value root) : root_(std::move(root)) {}

    Value root_;
};

/// The text as application/x-www-form-urlencoded.
std::string encoded(std::string_view text) {
    std::string out;
    out.reserve(3 * text.size());  // so that no copies of a secret are left in memory when `out` grows
    constexpr char digits[] = "0123456789ABCDEF";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (is_ascii_letter(c) || is_ascii_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') out += c;
        else out.append({'%', digits[octet >> 4], digits[octet & 15]});
    }
    return out;
}

std::string digest_of(const std::string& text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string out;
    for (unsigned i = 0; i < size; ++i)
        out.append({"0123456789abcdef"[digest[i] >> 4], "0123456789abcdef"[digest[i] & 15]});
    return out;
}

std::size_t collect(char* octets, std::size_t, std::size_t size, void* answer) {
    auto& text = *static_cast<std::string*>(answer);
    if (text.size() + size > largest_answer) return 0;
    text.append(octets, size);
    return size;
}

struct FreeCurl {
    void operator()(CURL* request) const noexcept { curl_easy_cleanup(request); }
    void operator()(curl_slist* fields) const noexcept { curl_slist_free_all(fields); }
};

}  // namespace

class AuthOauth final : public Plugin {
public:
    static constexpr bool reads_body = false;
    static constexpr bool waits_for_backend = true;

    using Options = AuthOauthOptions;

    AuthOauth(Setup& setup, const Options& options)
        : options_(options),
          ca_file_(options.ca_file.empty() ? std::string() : setup.path(options.ca_file)),
          logins_(setup.store("oauth")) {
        check_endpoint(setup);
        read_client(setup);
        setup.hooks.auth_bearer.add([this](const AuthHook& hook) { return judge(hook); });
    }
    void child_start() override { curl_global_init(CURL_GLOBAL_DEFAULT); }

private:
    void check_endpoint(Setup& setup) const {
        const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
        const auto part = [&url](CURLUPart which) {
            char* text = nullptr;
            std::string out = curl_url_get(url.get(), which, &text, 0) == CURLUE_OK ? text : "";
            curl_free(text);
            return out;
        };
        const bool is_url = curl_url_set(url.get(), CURLUPART_URL, options_.endpoint.c_str(), 0) == CURLUE_OK;
        const std::string scheme = is_url ? part(CURLUPART_SCHEME) : "", host = is_url ? part(CURLUPART_HOST) : "";
        if (scheme != "https" && scheme != "http")
            return setup.error("endpoint: \"{}\" is not an https:// URL", quoted(options_.endpoint));
        const auto address = IpAddress::parse(host.starts_with('[') ? host.substr(1, host.size() - 2) : host);
        if (scheme == "http" && host != "localhost" && (!address || !address->is_loopback()))
            setup.error("endpoint: {} is not on this machine, and tokens would go there in the clear: use https://",
                        quoted(host));
    }

    void read_client(Setup& setup) {
        if (options_.client_file.empty()) return;
        constexpr std::size_t longest = 16 * 1024;
        setup.uses({FileUse::Kind::passwords, setup.path(options_.client_file)});
        auto text = read_file(setup.path(options_.client_file), longest);
        if (!text) return setup.error("client_file: {}", text.error().what);
        std::string_view rest = *text;
        const auto name = take_line(rest), secret = take_line(rest);
        if (name.empty() || secret.empty())
            setup.error("client_file: {} needs two lines, a name and a secret", options_.client_file);
        client_ = encoded(name);
        std::string shown = encoded(secret);
        secret_.set(shown);
        wipe(shown);
        wipe(*text);
    }

    /// The line without its line end, LF or CRLF.
    static std::string_view take_line(std::string_view& text) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }

    Response judge(const AuthHook& hook) const {
        const std::string key = key_of(hook);
        auto login = remembered(hook, key);
        if (!login) {
            const auto answer = ask(hook);
            if (!answer) {
                hook.log(LogLevel::error, "error: {}", answer.error().what);
                return denysoft();
            }
            if (!answer->truth("active").value()) return declined();
            const auto problem = problem_of(hook, *answer);
            if (!problem.empty()) {
                hook.log(LogLevel::info, "the token {}", problem);
                return deny();
            }
            login = login_of(*answer);
            remember(hook, key, *login, *answer);
        }
        if (!hook.user().empty() && !ascii_equal(hook.user(), *login)) {
            hook.log(LogLevel::info, "the token belongs to \"{}\"", quoted(*login));
            return deny();
        }
        hook.set_login(*login);
        return ok();
    }

    // ---- cached answers

    /// The key: a digest of the token and of all options that decide whether it is valid.
    std::string key_of(const AuthHook& hook) const {
        std::string text = options_.endpoint + "\n" + client_;
        for (const auto* const list : {&options_.scope, &options_.audience, &options_.username}) {
            text += '\n';
            for (const auto& word : *list) text += encoded(word) + " ";
        }
        std::string whole = secret_text({text, "\n", hook.credentials.token().reveal()});
        std::string key = digest_of(whole);
        wipe(whole);
        return key;
    }
    std::optional<std::string> remembered(const AuthHook& hook, const std::string& key) const {
        if (options_.cache.count() == 0) return {};
        auto login = hook.store(logins_).get(key);
        if (login) return std::move(*login);
        hook.log(LogLevel::warning, "store: {}", login.error().what);
        return {};
    }
    void remember(const AuthHook& hook, const std::string& key, const std::string& login,
                  const JsonObject& answer) const {
        Duration lifetime = options_.cache;
        if (const auto left = seconds_left(hook, answer))
            lifetime = std::min(lifetime, Duration(static_cast<Duration::rep>(std::min(*left, 86400.0) * 1000)));
        if (lifetime.count() <= 0) return;
        if (const auto kept = hook.store(logins_).put(key, login, lifetime); !kept)
            hook.log(LogLevel::warning, "store: {}", kept.error().what);
    }

    // ---- what an answer means

    static std::optional<double> seconds_left(const AuthHook& hook, const JsonObject& answer) {
        const auto end = answer.number("exp");
        if (!end) return {};
        return *end - std::chrono::duration<double>(hook.clock().wall().time_since_epoch()).count();
    }
    std::string login_of(const JsonObject& answer) const {
        for (const auto& name : options_.username)
            if (const auto texts = answer.texts(name.c_str()); texts.size() == 1 && !texts[0].empty()) return texts[0];
        return {};
    }
    /// Why an active token is not valid; "" if it is.
    std::string problem_of(const AuthHook& hook, const JsonObject& answer) const {
        if (const auto left = seconds_left(hook, answer); left && *left <= 0) return "has expired";
        std::vector<std::string> scopes;
        for (const auto& text : answer.texts("scope")) {
            std::istringstream words(text);
            for (std::string word; words >> word;) scopes.push_back(word);
        }
        const auto has = [](const std::vector<std::string>& list, const std::string& word) {
            return std::find(list.begin(), list.end(), word) != list.end();
        };
        for (const auto& scope : options_.scope)
            if (!has(scopes, scope)) return "does not have the scope " + scope;
        const auto audiences = answer.texts("aud");
        const bool is_for_us = std::any_of(options_.audience.begin(), options_.audience.end(),
                                           [&](const std::string& own) { return has(audiences, own); });
        if (!options_.audience.empty() && !is_for_us) return "is for another audience";
        return login_of(answer).empty() ? "has no user" : "";
    }

    // ---- the question

    /// An object that says whether the token is active.
    Result<JsonObject> ask(const AuthHook& hook) const {
        const std::unique_ptr<CURL, FreeCurl> request(curl_easy_init());
        const std::unique_ptr<curl_slist, FreeCurl> fields(curl_slist_append(nullptr, "Accept: application/json"));
        if (!request || !fields) return Error{ErrorCode::unavailable, "libcurl has no memory", 0};
        std::string token = encoded(hook.credentials.token().reveal());
        std::string question = secret_text({"token=", token, "&token_type_hint=access_token"});
        wipe(token);
        std::string answer;
        prepare(request.get(), std::min(options_.timeout, hook.time_left()));
        curl_easy_setopt(request.get(), CURLOPT_HTTPHEADER, fields.get());
        curl_easy_setopt(request.get(), CURLOPT_POSTFIELDS, question.c_str());
        curl_easy_setopt(request.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(question.size()));
        curl_easy_setopt(request.get(), CURLOPT_WRITEFUNCTION, &collect);
        curl_easy_setopt(request.get(), CURLOPT_WRITEDATA, &answer);
        const CURLcode status = curl_easy_perform(request.get());
        wipe(question);
        if (status != CURLE_OK)
            return Error{ErrorCode::unavailable,
                         format_text("{}: {}", options_.endpoint, static_cast<const char*>(curl_easy_strerror(status))),
                         0};
        long code = 0;
        curl_easy_getinfo(request.get(), CURLINFO_RESPONSE_CODE, &code);
        if (code != 200)
            return Error{ErrorCode::unavailable, format_text("{}: the answer is {}", options_.endpoint, code), 0};
        auto object = JsonObject::read(answer);
        if (!object || !object->truth("active"))
            return Error{ErrorCode::unavailable,
                         format_text("{}: the answer does not follow RFC 7662", options_.endpoint), 0};
        return std::move(*object);
    }

    void prepare(CURL* request, Duration time) const {
        curl_easy_setopt(request, CURLOPT_URL, options_.endpoint.c_str());
        curl_easy_setopt(request, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(request, CURLOPT_PROXY, "");
        curl_easy_setopt(request, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(request, CURLOPT_TIMEOUT_MS,
                         static_cast<long>(std::max<Duration::rep>(time.count(), 1)));  // 0 would mean no limit
        curl_easy_setopt(request, CURLOPT_POST, 1L);
        if (!ca_file_.empty()) curl_easy_setopt(request, CURLOPT_CAINFO, ca_file_.c_str());
        if (client_.empty()) return;
        curl_easy_setopt(request, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
        curl_easy_setopt(request, CURLOPT_USERNAME, client_.c_str());
        curl_easy_setopt(request, CURLOPT_PASSWORD, secret_.reveal().c_str());
    }

    const Options options_;
    const std::string ca_file_;
    const Store<std::string> logins_;
    std::string client_;
    Secret secret_;
};

}  // namespace smtpd::plugins

#else

namespace smtpd::plugins {

class AuthOauth final : public Plugin {
public:
    using Options = AuthOauthOptions;

    AuthOauth(Setup& setup, const Options&) {
        setup.error("mod_smtpd was built without libcurl or jansson, and this plugin needs both");
    }
};

}  // namespace smtpd::plugins

#endif

SMTPD_PLUGIN("auth/auth_oauth", smtpd::plugins::AuthOauth);
