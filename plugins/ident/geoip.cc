/// ident/geoip: find the client's country and network in MaxMind's databases.
///
/// The plugin looks up each client's address before the greeting. It keeps the result for other plugins (greylisting,
/// karma), and adds it to the message as
///
///     X-GeoIP-Country: US
///     X-GeoIP-Continent: NA
///     X-GeoIP-City: Syracuse
///     X-GeoIP-ASN: 64496 Example Net
///
/// The plugin removes fields of these names that came with the message. It does not look up clients that are exempt
/// from policies, because the location of your own users is private.
///
/// ## Databases
///
/// The plugin reads files in the format of MaxMind DB in the folder `db_dir`. It uses the first existing file of
/// `GeoIP2-City.mmdb`, `GeoLite2-City.mmdb`, `GeoIP2-Country.mmdb` and `GeoLite2-Country.mmdb`, and `GeoLite2-ASN.mmdb`
/// for networks. One of the two is enough. If a file is replaced, the plugin opens the new file within a minute.
/// Replace files by renaming, as geoipupdate does. If a new file is unusable, the plugin reports this and keeps using
/// the old one.
///
/// ## Distance
///
/// `distance` is the address of this server as seen from outside. With it the plugin calculates the distance to the
/// client, in kilometres along the globe, if the database has coordinates (City). A client farther away than `too_far`
/// is a `fail`, which costs `karma_fail` points (-1 unless the instance says otherwise). The plugin refuses such a
/// client only with `reject=yes` or `reject=naughty`.
///
///     SmtpPlugin ident/geoip db_dir=/var/lib/GeoIP distance=192.0.2.25 too_far=4000
///
/// ## Differences from qpsmtpd
///
/// Networks, distance and log lines work with current databases. An address that is not in them is not a fault. The
/// older `.dat` databases are not supported; they are no longer published.
///
/// ## Limits
///
/// A mod_smtpd that was built without libmaxminddb says so at configtest.
#include <smtpd/known_notes.h>
#include <smtpd/plugin.h>

namespace smtpd::plugins {

struct GeoIpOptions {
    std::string distance;
    std::uint64_t too_far = 0;
    std::string db_dir = "/usr/local/share/GeoIP";
    bool add_headers = true;

    static OptionTable table() {
        return {option("distance", &GeoIpOptions::distance, "this server's address, for the distance to clients"),
                option("too_far", &GeoIpOptions::too_far,
                       "a client that is more than this many kilometres away fails; 0 = no limit")
                    .range("0", "100000"),
                option("db_dir", &GeoIpOptions::db_dir, "the folder with the databases"),
                option("add_headers", &GeoIpOptions::add_headers, "whether to add the X-GeoIP fields to messages")};
    }
};

}  // namespace smtpd::plugins

#ifdef HAVE_MAXMINDDB

#include <smtpd/base/text.h>

#include <maxminddb.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <tuple>

#include <sys/socket.h>
#include <sys/stat.h>

#include <netinet/in.h>

namespace smtpd::plugins {
namespace {

constexpr double earth_radius = 6378;  // kilometres, at the equator
constexpr std::chrono::minutes look_interval{1};

struct Coordinates {
    double latitude = 0;
    double longitude = 0;
};

/// The distance along a great circle.
double distance_between(const Coordinates& a, const Coordinates& b) {
    const auto radians = [](double degrees) { return degrees * std::numbers::pi / 180; };
    const auto half_sine = [](double angle) { return std::sin(angle / 2) * std::sin(angle / 2); };
    const double chord = half_sine(radians(b.latitude - a.latitude)) +
                         std::cos(radians(a.latitude)) * std::cos(radians(b.latitude)) *
                             half_sine(radians(b.longitude - a.longitude));
    return 2 * earth_radius * std::asin(std::min(1.0, std::sqrt(chord)));
}

/// The data of a database about one address. Values that are missing or of the wrong type are empty.
class Entry {
public:
    Entry() = default;
    explicit Entry(const MMDB_entry_s& entry) : entry_(entry), exists_(true) {}
    bool exists() const noexcept { return exists_; }

    template <class... Path>
    std::string text(Path... path) const {
        const auto data = get(path...);
        return data && data->type == MMDB_DATA_TYPE_UTF8_STRING ? std::string(data->utf8_string, data->data_size)
                                                                : std::string();
    }
    template <class... Path>
    std::optional<double> number(Path... path) const {
        const auto data = get(path...);
        if (data && data->type == MMDB_DATA_TYPE_DOUBLE) return data->double_value;
        if (data && data->type == MMDB_DATA_TYPE_UINT32) return data->uint32;
        return {};
    }

private:
    template <class... Path>
    std::optional<MMDB_entry_data_s> get(Path... path) const {
        MMDB_entry_data_s data{};
        MMDB_entry_s entry = entry_;
        if (!exists_ || MMDB_get_value(&entry, &data, path..., nullptr) != MMDB_SUCCESS || !data.has_data) return {};
        return data;
    }

    MMDB_entry_s entry_{};
    bool exists_ = false;
};

/// An open database. Entries are valid while it exists.
class Database {
public:
    static Result<std::shared_ptr<const Database>> open(const std::string& path) {
        auto database = std::make_shared<Database>();
        const int status = MMDB_open(path.c_str(), MMDB_MODE_MMAP, &database->data_);
        if (status != MMDB_SUCCESS)
            return Error{ErrorCode::unavailable,
                         format_text("{} cannot be used: {}", path, static_cast<const char*>(MMDB_strerror(status)))};
        database->is_open_ = true;
        return std::shared_ptr<const Database>(std::move(database));
    }
    Database() = default;
    ~Database() {
        if (is_open_) MMDB_close(&data_);
    }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// The entry of the address. If the database has none, exists() of the result is false.
    Result<Entry> find(const IpAddress& address) const {
        if (address.is_v6() && data_.metadata.ip_version == 4) return Entry();
        sockaddr_storage storage{};
        if (address.is_v6()) {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
            v6.sin6_family = AF_INET6;
            std::copy_n(address.bytes().data(), sizeof v6.sin6_addr, reinterpret_cast<std::uint8_t*>(&v6.sin6_addr));
        } else {
            auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
            v4.sin_family = AF_INET;
            std::copy_n(address.bytes().data(), sizeof v4.sin_addr, reinterpret_cast<std::uint8_t*>(&v4.sin_addr));
        }
        int status = MMDB_SUCCESS;
        MMDB_lookup_result_s found = MMDB_lookup_sockaddr(&data_, reinterpret_cast<const sockaddr*>(&storage), &status);
        if (status != MMDB_SUCCESS)
            return Error{ErrorCode::unavailable, static_cast<const char*>(MMDB_strerror(status))};
        return found.found_entry ? Entry(found.entry) : Entry();
    }

private:
    MMDB_s data_{};
    bool is_open_ = false;
};
using DatabasePointer = std::shared_ptr<const Database>;  // null if there is none

/// The first existing file of a list, opened again when it has changed. Thread-safe.
class WatchedDatabase {
public:
    WatchedDatabase(const Clock& clock, const std::string& folder, std::initializer_list<const char*> names)
        : clock_(clock) {
        for (const char* name : names) paths_.push_back(format_text("{}/{}", folder, name));
    }

    /// The newest usable database. `problem` gets, once, the reason why a newer one is unusable.
    DatabasePointer get(std::string& problem) {
        const std::lock_guard lock(mutex_);
        if (looked_at_ && clock_.now() - *looked_at_ < look_interval) return database_;
        looked_at_ = clock_.now();
        for (const auto& path : paths_) {
            struct stat status {};
            if (stat(path.c_str(), &status) != 0) continue;
            const Stamp stamp{path, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
            if (stamp == stamp_) break;
            stamp_ = stamp;
            if (auto opened = Database::open(path)) database_ = std::move(*opened);
            else problem = opened.error().what;
            break;
        }
        return database_;
    }

private:
    using Stamp = std::tuple<std::string, ino_t, off_t, time_t, long>;

    const Clock& clock_;
    std::vector<std::string> paths_;
    std::mutex mutex_;
    std::optional<MonotonicTime> looked_at_;
    Stamp stamp_;
    DatabasePointer database_;
};

std::optional<Coordinates> coordinates_of(const Entry& entry) {
    const auto latitude = entry.number("location", "latitude"), longitude = entry.number("location", "longitude");
    if (!latitude || !longitude) return {};
    return Coordinates{*latitude, *longitude};
}

}  // namespace

class GeoIp final : public PolicyPlugin {
public:
    static constexpr PolicyDefaults policy_defaults{.reject = PolicyDefaults::Reject::no, .karma_fail = -1};
    static constexpr bool reads_body = false;

    using Options = GeoIpOptions;

    GeoIp(Setup& setup, const Options& options)
        : options_(options),
          places_(setup.clock(), setup.path(options.db_dir),
                  {"GeoIP2-City.mmdb", "GeoLite2-City.mmdb", "GeoIP2-Country.mmdb", "GeoLite2-Country.mmdb"}),
          networks_(setup.clock(), setup.path(options.db_dir), {"GeoLite2-ASN.mmdb"}) {
        std::string problem;
        const bool has_database = places_.get(problem) || networks_.get(problem);
        if (!problem.empty()) setup.error("{}", problem);
        else if (!has_database)
            setup.error("there is no GeoIP2 or GeoLite2 database in {}", setup.path(options.db_dir));
        if (!options.distance.empty() && !(own_address_ = IpAddress::parse(options.distance)))
            setup.error("distance: \"{}\" is not an IP address", options.distance);
        if (options.too_far > 0 && options.distance.empty()) setup.error("too_far needs the option distance");
        setup.hooks.connect.decide([this](const ConnectHook& hook) { return locate(hook); });
        if (options.add_headers) setup.hooks.data_post.observe([](const DataPostHook& hook) { add_fields(hook); });
    }

private:
    DatabasePointer newest(WatchedDatabase& database, const HookContext& hook) {
        std::string problem;
        auto newest = database.get(problem);
        if (!problem.empty()) hook.log(LogLevel::warning, "{}; the previous database stays in use", problem);
        return newest;
    }

    Finding locate(const ConnectHook& hook) {
        const IpAddress& client = hook.connection.address();
        if (client.is_loopback()) return skip("this machine");
        const auto places = newest(places_, hook), networks = newest(networks_, hook);
        const auto place = places ? places->find(client) : Entry(),
                   network = networks ? networks->find(client) : Entry();
        if (!place) return error("{}", place.error().what);
        if (!network) return error("{}", network.error().what);
        if (!place->exists() && !network->exists()) return skip("{} is in no database", client);

        auto& location = hook.connection.notes().get(notes::geoip);
        location.country = place->text("country", "iso_code");
        location.country_name = place->text("country", "names", "en");
        location.continent = place->text("continent", "code");
        location.city = place->text("city", "names", "en");
        location.as_number = static_cast<std::uint32_t>(network->number("autonomous_system_number").value_or(0));
        location.as_name = network->text("autonomous_system_organization");
        location.distance = distance_to(places, *place);
        if (options_.too_far > 0 && location.distance && *location.distance > static_cast<double>(options_.too_far))
            return fail("{}: farther than {} km", shown(location), options_.too_far).reply("You are too far away");
        return pass("{}", shown(location));
    }

    /// The distance from this server; nothing unless both places are known.
    std::optional<double> distance_to(const DatabasePointer& places, const Entry& client) const {
        if (!own_address_ || !places) return {};
        const auto here = places->find(*own_address_);
        const auto from = here ? coordinates_of(*here) : std::nullopt, to = coordinates_of(client);
        if (!from || !to) return {};
        return distance_between(*from, *to);
    }

    /// "NA, US, Syracuse, AS64496 Example Net, 1234 km".
    static std::string shown(const notes::GeoLocation& location) {
        std::string out;
        const auto add = [&out](const std::string& text) {
            if (!text.empty()) out += (out.empty() ? "" : ", ") + quoted(text);
        };
        add(location.continent);
        add(location.country);
        add(location.city);
        if (location.as_number > 0) add(format_text("AS{} {}", location.as_number, location.as_name));
        if (location.distance) add(format_text("{} km", std::lround(*location.distance)));
        return out.empty() ? "nothing known" : out;
    }

    static void add_fields(const DataPostHook& hook) {
        const auto* const note = hook.connection.notes().find(notes::geoip);
        const notes::GeoLocation location = note ? *note : notes::GeoLocation();
        auto& headers = hook.message().headers();
        add_field(headers, "X-GeoIP-Country", location.country);
        add_field(headers, "X-GeoIP-Continent", location.continent);
        add_field(headers, "X-GeoIP-City", location.city);
        add_field(headers, "X-GeoIP-ASN",
                  location.as_number == 0 ? std::string() : format_text("{} {}", location.as_number, location.as_name));
    }
    static void add_field(Headers& headers, std::string_view name, const std::string& value) {
        headers.remove(name);
        if (!value.empty()) headers.append(name, encoded(value));
    }
    /// A name for a header field; a non-ASCII name is encoded as in RFC 2047.
    static std::string encoded(std::string_view text) {
        constexpr char digits[] = "0123456789ABCDEF";
        if (std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }))
            return std::string(text);
        std::string out = "=?UTF-8?Q?";
        for (const char c : text) {
            const auto octet = static_cast<unsigned char>(c);
            if (is_ascii_letter(c) || is_ascii_digit(c)) out += c;
            else out.append({'=', digits[octet >> 4], digits[octet & 15]});
        }
        return out + "?=";
    }

    const Options options_;
    std::optional<IpAddress> own_address_;
    WatchedDatabase places_;
    WatchedDatabase networks_;
};

}  // namespace smtpd::plugins

#else

namespace smtpd::plugins {

class GeoIp final : public PolicyPlugin {
public:
    using Options = GeoIpOptions;

    GeoIp(Setup& setup, const Options&) {
        setup.error("mod_smtpd was built without libmaxminddb, which this plugin needs");
    }
};

}  // namespace smtpd::plugins

#endif

SMTPD_PLUGIN("ident/geoip", smtpd::plugins::GeoIp);
