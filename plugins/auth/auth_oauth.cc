/// auth/auth_oauth: bearer tokens, as the server that gave them out checks them.
///
/// Serves XOAUTH2 and OAUTHBEARER (RFC 7628): a mail program has got a token from an authorization server, with which it logs in. That server is asked about each token
/// (introspection, RFC 7662), with the name and the secret that it knows this server by:
///
///     SmtpPlugin auth/auth_oauth https://login.example.com/introspect client_file=/etc/smtpd/oauth scope=smtp
///
/// `client_file` has the name in its first line and the secret in its second. It is read while httpd starts and may be root's alone.
///
/// A token is good when the server says that it is active, when it has every `scope` and one `audience` of those that are named, and when it is whose login the
/// client gives, if it gives one. Who that is says the member `username` of the answer, or with `username=email` another one; with several of them, the first that is there.
/// Upper and lower case are the same.
///
/// What is found out is kept in the store for `cache`, never longer than the token is valid, under a digest of the token and not under the token itself. A token
/// that is withdrawn is taken for so long; `cache=0s` asks every time.
///
/// ## When the server cannot say
///
/// One that is down, slow (`timeout`), that refuses this client, or answers with anything but 200 and a JSON object that says whether the token is active, is 454 4.7.0. The thread
/// waits for it. It is asked directly, without a proxy, and where it sends us is not followed. `https://` asks for a certificate that `ca_file`, or the system, trusts;
/// `http://` is for this machine only.
///
/// ## Replies
///
/// `535 5.7.8 Authentication failed`; `454 4.7.0`. A token that is not active is left to the next plugin.
///
/// ## Differences from qpsmtpd
///
/// There is no such plugin there.
///
/// ## Limits
///
/// A mod_smtpd that was built without libcurl says so at configtest.
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
        return {option("endpoint", &O::endpoint, "where the authorization server is asked about tokens").positional(0).required(),
                option("client_file", &O::client_file, "the file with the name and the secret of this server"),
                option("scope", &O::scope, "a scope that a token needs"),
                option("audience", &O::audience, "whom a token has to be for; one of those that are named"),
                option("username", &O::username, "the member of the answer that is the login"),
                option("ca_file", &O::ca_file, "the certificates of authorities that may vouch for the server"),
                option("timeout", &O::timeout, "how long it may take").range("100ms", "50s"),
                option("cache", &O::cache, "how long an answer is good").range("0s", "1h")};
    }
};

}  // namespace smtpd::plugins

#ifdef HAVE_CURL

#include <smtpd/files.h>
#include <smtpd/text.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include <curl/curl.h>
#include <openssl/evp.h>

namespace smtpd::plugins {
namespace {

constexpr std::size_t largest_answer = 64 * 1024;

/// A member of a JSON object. Of a list only its strings are kept, of an object nothing.
struct JsonValue {
    std::optional<bool> truth;
    std::optional<double> number;
    std::vector<std::string> texts;
};
using JsonObject = std::map<std::string, JsonValue>;

/// Reads one object (RFC 8259); a name that is there twice is a mistake.
class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    std::optional<JsonObject> read() {
        JsonObject object;
        if (!read_object(&object)) return {};
        skip_blanks();
        return at_ == text_.size() ? std::optional(std::move(object)) : std::nullopt;
    }

private:
    static constexpr unsigned deepest = 32;

    void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
    bool take(char wanted) {
        skip_blanks();
        const bool is_there = at_ < text_.size() && text_[at_] == wanted;
        at_ += is_there;
        return is_there;
    }
    bool take_word(std::string_view word) {
        const bool is_there = text_.substr(at_).starts_with(word);
        if (is_there) at_ += word.size();
        return is_there;
    }

    /// Its members go into `object` unless that is null.
    bool read_object(JsonObject* object) {
        if (!take('{') || ++depth_ > deepest) return false;
        for (bool is_first = true; !take('}'); is_first = false) {
            std::string name;
            JsonValue value;
            if ((!is_first && !take(',')) || !read_text(name) || !take(':') || !read_value(value)) return false;
            if (object != nullptr && !object->emplace(std::move(name), std::move(value)).second) return false;
        }
        --depth_;
        return true;
    }
    bool read_list(std::vector<std::string>& texts) {
        if (!take('[') || ++depth_ > deepest) return false;
        for (bool is_first = true; !take(']'); is_first = false) {
            JsonValue value;
            if ((!is_first && !take(',')) || !read_value(value)) return false;
            if (value.texts.size() == 1) texts.push_back(std::move(value.texts[0]));
        }
        --depth_;
        return true;
    }
    bool read_value(JsonValue& value) {
        skip_blanks();
        const char first = at_ < text_.size() ? text_[at_] : '\0';
        if (first == '{') return read_object(nullptr);
        if (first == '[') return read_list(value.texts);
        if (first == '"') return read_text(value.texts.emplace_back());
        if (take_word("null")) return true;
        if (first == 't' || first == 'f') return take_word(value.truth.emplace(first == 't') ? "true" : "false");
        return read_number(value.number.emplace());
    }
    bool read_number(double& number) {
        const auto digits = text_.substr(at_, text_.find_first_not_of("0123456789+-.eE", at_) - at_);
        const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        at_ += digits.size();
        return !digits.empty() && status == std::errc() && end == digits.data() + digits.size();
    }
    bool read_text(std::string& out) {
        if (!take('"')) return false;
        while (at_ < text_.size() && text_[at_] != '"') {
            const char c = text_[at_++];
            if (static_cast<unsigned char>(c) < ' ') return false;
            if (c != '\\') out += c;
            else if (!read_escape(out)) return false;
        }
        return take_word("\"");
    }
    bool read_escape(std::string& out) {
        constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        const char c = at_ < text_.size() ? text_[at_++] : '\0';
        if (const auto which = names.find(c); which != names.npos) return out += meanings[which], true;
        unsigned code = 0, low = 0;
        if (c != 'u' || !read_code(code) || (code >= 0xdc00 && code < 0xe000)) return false;
        if (code >= 0xd800 && code < 0xdc00) {
            if (!take_word("\\u") || !read_code(low) || low < 0xdc00 || low >= 0xe000) return false;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        append_utf8(out, code);
        return true;
    }
    bool read_code(unsigned& code) {
        const auto digits = text_.substr(at_, 4);
        const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        at_ += digits.size();
        return digits.size() == 4 && status == std::errc() && end == digits.data() + 4;
    }
    static void append_utf8(std::string& out, unsigned code) {
        const auto add = [&out](unsigned octet) { out += static_cast<char>(octet); };
        if (code < 0x80) return add(code);
        if (code < 0x800) add(0xc0 | code >> 6);
        else if (code < 0x10000) add(0xe0 | code >> 12), add(0x80 | (code >> 6 & 63));
        else add(0xf0 | code >> 18), add(0x80 | (code >> 12 & 63)), add(0x80 | (code >> 6 & 63));
        add(0x80 | (code & 63));
    }

    const std::string_view text_;
    std::size_t at_ = 0;
    unsigned depth_ = 0;
};

/// The strings of a member.
std::vector<std::string> texts_of(const JsonObject& object, const std::string& name) {
    const auto found = object.find(name);
    return found != object.end() ? found->second.texts : std::vector<std::string>();
}

/// As application/x-www-form-urlencoded has it.
std::string encoded(const std::string& text) {
    std::string out;
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
    for (unsigned i = 0; i < size; ++i) out.append({"0123456789abcdef"[digest[i] >> 4], "0123456789abcdef"[digest[i] & 15]});
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

    using Options = AuthOauthOptions;

    AuthOauth(Setup& setup, const Options& options)
        : options_(options), ca_file_(options.ca_file.empty() ? std::string() : setup.path(options.ca_file)), logins_(setup.store("oauth")) {
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
        if (scheme != "https" && scheme != "http") return setup.error("endpoint: \"{}\" is no URL with https://", quoted(options_.endpoint));
        const auto address = IpAddress::parse(host.starts_with('[') ? host.substr(1, host.size() - 2) : host);
        if (scheme == "http" && host != "localhost" && (!address || !address->is_loopback())) setup.error("endpoint: {} is not on this machine, and tokens would go there without TLS", quoted(host));
    }

    void read_client(Setup& setup) {
        if (options_.client_file.empty()) return;
        constexpr std::size_t longest = 16 * 1024;
        auto text = read_file(setup.path(options_.client_file), longest);
        if (!text) return setup.error("client_file: {}", text.error().what);
        std::istringstream lines(*text);
        std::string name, secret;
        std::getline(lines, name);
        std::getline(lines, secret);
        if (name.empty() || secret.empty()) setup.error("client_file: {} needs two lines, a name and a secret", options_.client_file);
        client_ = encoded(name);
        secret_.set(encoded(secret));
        wipe(*text);
        wipe(secret);
    }

    Answer judge(const AuthHook& hook) const {
        const std::string key = key_of(hook);
        auto login = remembered(hook, key);
        if (!login) {
            const auto answer = ask(hook);
            if (!answer) {
                hook.log(LogLevel::error, "error: {}", answer.error().what);
                return denysoft();
            }
            if (!answer->at("active").truth.value()) return declined();
            const auto problem = problem_of(hook, *answer);
            if (!problem.empty()) {
                hook.log(LogLevel::info, "the token {}", problem);
                return deny();
            }
            login = login_of(*answer);
            remember(hook, key, *login, *answer);
        }
        if (!hook.user().empty() && !ascii_equal(hook.user(), *login)) {
            hook.log(LogLevel::info, "the token is that of \"{}\"", quoted(*login));
            return deny();
        }
        hook.set_login(*login);
        return ok();
    }

    // ---- what is known already

    /// Of the token, and of all that its answer is judged by.
    std::string key_of(const AuthHook& hook) const {
        std::string text = options_.endpoint + "\n" + client_;
        for (const auto* const list : {&options_.scope, &options_.audience, &options_.username}) {
            text += '\n';
            for (const auto& word : *list) text += encoded(word) + " ";
        }
        text += "\n" + hook.credentials.token().reveal();
        std::string key = digest_of(text);
        wipe(text);
        return key;
    }
    std::optional<std::string> remembered(const AuthHook& hook, const std::string& key) const {
        if (options_.cache.count() == 0) return {};
        auto login = hook.store(logins_).get(key);
        if (login) return std::move(*login);
        hook.log(LogLevel::warning, "store: {}", login.error().what);
        return {};
    }
    void remember(const AuthHook& hook, const std::string& key, const std::string& login, const JsonObject& answer) const {
        Duration lifetime = options_.cache;
        if (const auto left = seconds_left(hook, answer)) lifetime = std::min(lifetime, Duration(static_cast<Duration::rep>(std::min(*left, 86400.0) * 1000)));
        if (lifetime.count() <= 0) return;
        if (const auto kept = hook.store(logins_).put(key, login, lifetime); !kept) hook.log(LogLevel::warning, "store: {}", kept.error().what);
    }

    // ---- what an answer means

    static std::optional<double> seconds_left(const AuthHook& hook, const JsonObject& answer) {
        const auto end = answer.find("exp");
        if (end == answer.end() || !end->second.number) return {};
        return *end->second.number - std::chrono::duration<double>(hook.clock().wall().time_since_epoch()).count();
    }
    std::string login_of(const JsonObject& answer) const {
        for (const auto& name : options_.username)
            if (const auto texts = texts_of(answer, name); texts.size() == 1 && !texts[0].empty()) return texts[0];
        return {};
    }
    /// Why an active token is not good, or "".
    std::string problem_of(const AuthHook& hook, const JsonObject& answer) const {
        if (const auto left = seconds_left(hook, answer); left && *left <= 0) return "has expired";
        std::vector<std::string> scopes;
        for (const auto& text : texts_of(answer, "scope")) {
            std::istringstream words(text);
            for (std::string word; words >> word;) scopes.push_back(word);
        }
        const auto has = [](const std::vector<std::string>& list, const std::string& word) { return std::find(list.begin(), list.end(), word) != list.end(); };
        for (const auto& scope : options_.scope)
            if (!has(scopes, scope)) return "has not the scope " + scope;
        const auto audiences = texts_of(answer, "aud");
        const bool is_for_us = std::any_of(options_.audience.begin(), options_.audience.end(), [&](const std::string& own) { return has(audiences, own); });
        if (!options_.audience.empty() && !is_for_us) return "is for another audience";
        return login_of(answer).empty() ? "has no user" : "";
    }

    // ---- the question

    /// An object that says whether the token is active.
    Result<JsonObject> ask(const AuthHook& hook) const {
        const std::unique_ptr<CURL, FreeCurl> request(curl_easy_init());
        const std::unique_ptr<curl_slist, FreeCurl> fields(curl_slist_append(nullptr, "Accept: application/json"));
        if (!request || !fields) return Error{ErrorCode::unavailable, "libcurl has no memory", 0};
        std::string question = "token=" + encoded(hook.credentials.token().reveal()) + "&token_type_hint=access_token";
        std::string answer;
        prepare(request.get(), std::min(options_.timeout, hook.time_left()));
        curl_easy_setopt(request.get(), CURLOPT_HTTPHEADER, fields.get());
        curl_easy_setopt(request.get(), CURLOPT_POSTFIELDS, question.c_str());
        curl_easy_setopt(request.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(question.size()));
        curl_easy_setopt(request.get(), CURLOPT_WRITEFUNCTION, &collect);
        curl_easy_setopt(request.get(), CURLOPT_WRITEDATA, &answer);
        const CURLcode status = curl_easy_perform(request.get());
        wipe(question);
        if (status != CURLE_OK) return Error{ErrorCode::unavailable, format_text("{}: {}", options_.endpoint, static_cast<const char*>(curl_easy_strerror(status))), 0};
        long code = 0;
        curl_easy_getinfo(request.get(), CURLINFO_RESPONSE_CODE, &code);
        if (code != 200) return Error{ErrorCode::unavailable, format_text("{}: the answer is {}", options_.endpoint, code), 0};
        auto object = JsonReader(answer).read();
        const bool says_it = object && object->contains("active") && object->at("active").truth;
        if (!says_it) return Error{ErrorCode::unavailable, format_text("{}: the answer is not that of RFC 7662", options_.endpoint), 0};
        return std::move(*object);
    }

    void prepare(CURL* request, Duration time) const {
        curl_easy_setopt(request, CURLOPT_URL, options_.endpoint.c_str());
        curl_easy_setopt(request, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(request, CURLOPT_PROXY, "");
        curl_easy_setopt(request, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(request, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<Duration::rep>(time.count(), 1)));  // 0 would be for ever
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

    AuthOauth(Setup& setup, const Options&) { setup.error("mod_smtpd was built without libcurl, which this plugin needs"); }
};

}  // namespace smtpd::plugins

#endif

SMTPD_PLUGIN("auth/auth_oauth", smtpd::plugins::AuthOauth);
