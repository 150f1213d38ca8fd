/// geoip_test.cc: the location of clients, from databases that the tests write.
#include "fakes/mmdb_file.h"
#include "fakes/plugin_under_test.h"
#include "fakes/response_text.h"

#include <smtpd/known_notes.h>

#include <cppunit/extensions/HelperMacros.h>

#include <cmath>

namespace smtpd {
namespace {

using fakes::MmdbFile;
using fakes::MmdbMap;
using fakes::PluginUnderTest;
using fakes::shown;

#ifdef HAVE_MAXMINDDB

class GeoIpTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GeoIpTest);
    CPPUNIT_TEST(a_client_is_found);
    CPPUNIT_TEST(each_database_is_enough);
    CPPUNIT_TEST(a_database_of_cities_is_preferred);
    CPPUNIT_TEST(who_is_in_no_database_is_skipped);
    CPPUNIT_TEST(the_distance_is_along_the_globe);
    CPPUNIT_TEST(who_is_too_far_away_loses_karma);
    CPPUNIT_TEST(the_message_gets_fields);
    CPPUNIT_TEST(fields_from_outside_are_replaced_or_removed);
    CPPUNIT_TEST(without_add_headers_the_message_is_left_alone);
    CPPUNIT_TEST(immune_clients_are_not_looked_up);
    CPPUNIT_TEST(a_new_database_is_taken_and_a_broken_one_is_not);
    CPPUNIT_TEST(mistakes_are_found_at_configtest);
    CPPUNIT_TEST(damaged_databases_do_no_harm);
    CPPUNIT_TEST_SUITE_END();

    fakes::TempDirectory directory_;

    static MmdbMap place(const char* country, const char* name, const char* continent) {
        return {{"continent", MmdbMap{{"code", continent}}},
                {"country", MmdbMap{{"iso_code", country}, {"names", MmdbMap{{"de", "?"}, {"en", name}}}}}};
    }
    static MmdbMap city(MmdbMap country, const char* name, double latitude, double longitude) {
        country.push_back({"city", MmdbMap{{"names", MmdbMap{{"en", name}}}}});
        country.push_back({"location", MmdbMap{{"latitude", latitude}, {"longitude", longitude}}});
        return country;
    }
    static MmdbFile cities() {
        MmdbFile file("GeoLite2-City");
        file.add("24.24.24.0/24", city(place("US", "United States", "NA"), "Syracuse", 43.0481, -76.1474));
        file.add("192.0.2.25/32", city(place("DE", "Germany", "EU"), "M\u00fcnchen", 48.1374, 11.5755));
        file.add("2001:db8::/32", city(place("JP", "Japan", "AS"), "Tokyo", 35.6895, 139.6917));
        file.add("198.51.100.0/24", place("FR", "France", "EU"));
        file.add("203.0.113.0/24", {{"country", "not a map"}, {"city", MmdbMap{}}});
        return file;
    }
    static MmdbFile networks() {
        MmdbFile file("GeoLite2-ASN");
        file.add("24.24.0.0/16",
                 {{"autonomous_system_number", 64496u}, {"autonomous_system_organization", "Example Net"}});
        file.add("100.64.0.0/10", {{"autonomous_system_number", 64497u}});
        return file;
    }
    /// Replaces a file as a whole, as geoipupdate does.
    void put(const std::string& name, std::string_view content) {
        std::filesystem::rename(directory_.write("new", content), directory_.path(name));
    }
    void put_both() {
        put("GeoLite2-City.mmdb", cities().to_string());
        put("GeoLite2-ASN.mmdb", networks().to_string());
    }
    std::string options(const std::string& others = {}) const { return "db_dir=" + directory_.path() + " " + others; }

    static const notes::GeoLocation* connect(PluginUnderTest& plugin, const char* client) {
        plugin.reconnect();
        plugin.connection().set_client(client);
        CPPUNIT_ASSERT_EQUAL_MESSAGE(client, std::string("declined"), shown(plugin.connect()));
        return plugin.connection().notes().find(notes::geoip);
    }
    static std::string header_after(PluginUnderTest& plugin, const char* client,
                                    const std::string& message = "From: a@example.net\r\n\r\nx\r\n") {
        (void)connect(plugin, client);
        plugin.transaction().set_message(message);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.data_post()));
        return plugin.transaction().message().headers().to_string();
    }

public:
    void a_client_is_found() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options());
        const auto* location = connect(plugin, "24.24.24.24");
        CPPUNIT_ASSERT(location);
        CPPUNIT_ASSERT_EQUAL(std::string("US|United States|NA|Syracuse|64496|Example Net"),
                             format_text("{}|{}|{}|{}|{}|{}", location->country, location->country_name,
                                         location->continent, location->city, location->as_number, location->as_name));
        CPPUNIT_ASSERT(!location->distance);
        CPPUNIT_ASSERT_EQUAL(std::string("pass: NA, US, Syracuse, AS64496 Example Net"), plugin.log().last());

        location = connect(plugin, "2001:db8::1");
        CPPUNIT_ASSERT_EQUAL(std::string("JP"), location->country);
        CPPUNIT_ASSERT_EQUAL(0u, location->as_number);
        CPPUNIT_ASSERT_EQUAL(std::string("pass: AS, JP, Tokyo"), plugin.log().last());
        CPPUNIT_ASSERT_EQUAL(std::string("Tokyo"), connect(plugin, "2001:db8:ffff::")->city);
        CPPUNIT_ASSERT_EQUAL(std::string(), connect(plugin, "198.51.100.1")->city);
        CPPUNIT_ASSERT_EQUAL(std::string(), connect(plugin, "203.0.113.1")->country);
        CPPUNIT_ASSERT_EQUAL(std::string("pass: nothing known"), plugin.log().last());
    }

    void each_database_is_enough() {
        put("GeoLite2-ASN.mmdb", networks().to_string());
        {
            PluginUnderTest plugin("ident/geoip", options());
            const auto* location = connect(plugin, "24.24.24.24");
            CPPUNIT_ASSERT_EQUAL(64496u, location->as_number);
            CPPUNIT_ASSERT_EQUAL(std::string(), location->country);
        }
        std::filesystem::remove(directory_.path("GeoLite2-ASN.mmdb"));
        MmdbFile countries("GeoLite2-Country", 4);
        countries.add("24.24.24.0/24", place("US", "United States", "NA"));
        put("GeoLite2-Country.mmdb", countries.to_string());
        PluginUnderTest plugin("ident/geoip", options());
        CPPUNIT_ASSERT_EQUAL(std::string("US"), connect(plugin, "24.24.24.24")->country);
        CPPUNIT_ASSERT_MESSAGE("this one has IPv4 only", !connect(plugin, "2001:db8::1"));
    }

    void a_database_of_cities_is_preferred() {
        put_both();
        put("GeoLite2-Country.mmdb", MmdbFile("GeoLite2-Country").to_string());
        {
            PluginUnderTest plugin("ident/geoip", options());
            CPPUNIT_ASSERT_EQUAL(std::string("Syracuse"), connect(plugin, "24.24.24.24")->city);
        }
        MmdbFile paid("GeoIP2-City");
        paid.add("24.24.24.0/24", city(place("US", "United States", "NA"), "Utica", 43, -75));
        put("GeoIP2-City.mmdb", paid.to_string());
        PluginUnderTest plugin("ident/geoip", options());
        CPPUNIT_ASSERT_EQUAL(std::string("Utica"), connect(plugin, "24.24.24.24")->city);
    }

    void who_is_in_no_database_is_skipped() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options());
        const struct {
            const char* client;
            const char* line;
        } rows[] = {
            {"127.0.0.1", "skip: this machine"},
            {"::1", "skip: this machine"},
            {"10.0.0.1", "skip: 10.0.0.1 is in no database"},
            {"2001:db9::1", "skip: 2001:db9::1 is in no database"},
        };
        for (const auto& row : rows) {
            CPPUNIT_ASSERT_MESSAGE(row.client, !connect(plugin, row.client));
            CPPUNIT_ASSERT_EQUAL(std::string(row.line), plugin.log().last());
        }
    }

    void the_distance_is_along_the_globe() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options("distance 192.0.2.25"));
        const struct {
            const char* client;
            double distance;
        } rows[] = {{"24.24.24.24", 6472.7}, {"2001:db8::1", 9380.2}, {"192.0.2.25", 0}};
        for (const auto& row : rows) {
            const auto* location = connect(plugin, row.client);
            CPPUNIT_ASSERT_MESSAGE(row.client, location->distance.has_value());
            CPPUNIT_ASSERT_DOUBLES_EQUAL_MESSAGE(row.client, row.distance, *location->distance, 0.1);
        }
        CPPUNIT_ASSERT_MESSAGE("no coordinates", !connect(plugin, "198.51.100.1")->distance);
        PluginUnderTest unknown("ident/geoip", options("distance=10.1.1.1"));
        CPPUNIT_ASSERT_MESSAGE("where we are is not known", !connect(unknown, "24.24.24.24")->distance);
    }

    void who_is_too_far_away_loses_karma() {
        put_both();
        const struct {
            const char* options;
            const char* client;
            int karma;
            const char* answer;
            const char* line;
        } rows[] = {
            {"too_far=4000", "24.24.24.24", -1, "declined", "fail, tolerated: NA, US, Syracuse, AS64496 Example Net, "},
            {"too_far=8000", "24.24.24.24", 0, "declined", "pass: NA, US, Syracuse"},
            {"too_far=8000", "2001:db8::1", -1, "declined", "fail, tolerated: AS, JP, Tokyo, "},
            {"too_far=4000 karma_fail=-3", "24.24.24.24", -3, "declined", "fail, tolerated: "},
            {"too_far=4000 reject=yes", "24.24.24.24", -1, "deny 5.7.1 You are too far away", "fail: "},
            {"too_far=4000", "198.51.100.1", 0, "declined", "pass: EU, FR"},
            {"", "24.24.24.24", 0, "declined", "pass: "},
        };
        for (const auto& row : rows) {
            PluginUnderTest plugin("ident/geoip", options(std::string("distance=192.0.2.25 ") + row.options));
            plugin.connection().set_client(row.client);
            const std::string what = std::string(row.options) + " " + row.client;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, std::string(row.answer), shown(plugin.connect()));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(what, row.karma, plugin.connection().karma());
            CPPUNIT_ASSERT_MESSAGE(what + ": " + plugin.log().to_string(), plugin.log().contains(row.line));
        }
    }

    void the_message_gets_fields() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options());
        CPPUNIT_ASSERT_EQUAL(
            std::string(
                "From: a@example.net\r\nX-GeoIP-Country: US\r\nX-GeoIP-Continent: NA\r\nX-GeoIP-City: Syracuse\r\n"
                "X-GeoIP-ASN: 64496 Example Net\r\n"),
            header_after(plugin, "24.24.24.24"));
        CPPUNIT_ASSERT_EQUAL_MESSAGE(
            "a name that is not ASCII",
            std::string("From: a@example.net\r\nX-GeoIP-Country: DE\r\nX-GeoIP-Continent: EU\r\n"
                        "X-GeoIP-City: =?UTF-8?Q?M=C3=BCnchen?=\r\n"),
            header_after(plugin, "192.0.2.25"));
        CPPUNIT_ASSERT_EQUAL(std::string("From: a@example.net\r\nX-GeoIP-ASN: 64497\r\n"),
                             header_after(plugin, "100.64.0.1"));
    }

    void fields_from_outside_are_replaced_or_removed() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options());
        const std::string forged =
            "X-GeoIP-Country: XX\r\nFrom: a@example.net\r\nX-GeoIP-ASN: 1\r\nx-geoip-city: "
            "Nowhere\r\nX-GeoIP-Continent: ZZ\r\n\r\nx\r\n";
        CPPUNIT_ASSERT_EQUAL(std::string("From: a@example.net\r\n"), header_after(plugin, "10.0.0.1", forged));
        CPPUNIT_ASSERT_EQUAL(std::string("From: a@example.net\r\nX-GeoIP-Country: FR\r\nX-GeoIP-Continent: EU\r\n"),
                             header_after(plugin, "198.51.100.1", forged));
    }

    void without_add_headers_the_message_is_left_alone() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options("add_headers false"));
        CPPUNIT_ASSERT_EQUAL(std::string("X-GeoIP-Country: XX\r\n"),
                             header_after(plugin, "24.24.24.24", "X-GeoIP-Country: XX\r\n\r\nx\r\n"));
        CPPUNIT_ASSERT(plugin.connection().notes().find(notes::geoip));
    }

    void immune_clients_are_not_looked_up() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options("distance=192.0.2.25 too_far=1"));
        plugin.connection().set_client("24.24.24.24");
        plugin.connection().set_relay_client(true);
        CPPUNIT_ASSERT_EQUAL(std::string("declined"), shown(plugin.connect()));
        CPPUNIT_ASSERT(!plugin.connection().notes().find(notes::geoip));
        CPPUNIT_ASSERT_EQUAL(0, plugin.connection().karma());
    }

    void a_new_database_is_taken_and_a_broken_one_is_not() {
        put_both();
        PluginUnderTest plugin("ident/geoip", options());
        MmdbFile moved("GeoLite2-City");
        moved.add("24.24.24.0/24", city(place("CA", "Canada", "NA"), "Kingston", 44, -76));
        put("GeoLite2-City.mmdb", moved.to_string());
        CPPUNIT_ASSERT_EQUAL_MESSAGE("not looked at again at once", std::string("US"),
                                     connect(plugin, "24.24.24.24")->country);
        plugin.clock().advance(std::chrono::minutes(1));
        CPPUNIT_ASSERT_EQUAL(std::string("CA"), connect(plugin, "24.24.24.24")->country);

        put("GeoLite2-City.mmdb", "no database");
        plugin.clock().advance(std::chrono::minutes(1));
        CPPUNIT_ASSERT_EQUAL(std::string("CA"), connect(plugin, "24.24.24.24")->country);
        const std::string warning = "GeoLite2-City.mmdb cannot be used: ";
        CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), plugin.log().contains(warning));
        CPPUNIT_ASSERT_EQUAL(std::size_t(1), plugin.log().texts(LogLevel::warning).size());
        plugin.clock().advance(std::chrono::minutes(1));
        std::filesystem::remove(directory_.path("GeoLite2-City.mmdb"));
        CPPUNIT_ASSERT_EQUAL(std::string("CA"), connect(plugin, "24.24.24.24")->country);
        CPPUNIT_ASSERT_EQUAL_MESSAGE("told once", std::size_t(1), plugin.log().texts(LogLevel::warning).size());
    }

    void mistakes_are_found_at_configtest() {
        const auto problems = [](const std::string& options) {
            const PluginUnderTest plugin("ident/geoip", options);
            return plugin.is_usable() ? "none" : plugin.problems();
        };
        CPPUNIT_ASSERT(problems(options()).find("there is no GeoIP2 or GeoLite2 database in " + directory_.path()) !=
                       std::string::npos);
        put("GeoLite2-City.mmdb", "no database");
        CPPUNIT_ASSERT(problems(options()).find("GeoLite2-City.mmdb cannot be used: ") != std::string::npos);
        put_both();
        CPPUNIT_ASSERT_EQUAL(std::string("none"), problems(options()));
        CPPUNIT_ASSERT(problems(options("distance=here")).find("distance: \"here\" is not an IP address") !=
                       std::string::npos);
        CPPUNIT_ASSERT(problems(options("too_far=1000")).find("too_far needs the option distance") !=
                       std::string::npos);
        CPPUNIT_ASSERT(problems(options("distance=192.0.2.25 too_far=far")).find("too_far") != std::string::npos);
    }

    /// Each octet of the file is inverted once: the result may be wrong, but nothing crashes, hangs or throws.
    void damaged_databases_do_no_harm() {
        MmdbFile small("GeoLite2-City", 4);
        small.add("24.24.24.0/24", city(place("US", "United States", "NA"), "Syracuse", 43.0481, -76.1474));
        const std::string good = small.to_string();
        put("GeoLite2-City.mmdb", good);
        PluginUnderTest plugin("ident/geoip", options());
        std::size_t read = 0;
        for (std::size_t i = 0; i < good.size(); ++i) {
            std::string damaged = good;
            damaged[i] = static_cast<char>(~damaged[i]);
            put("GeoLite2-City.mmdb", damaged);
            plugin.clock().advance(std::chrono::minutes(1));
            read += connect(plugin, "24.24.24.24") != nullptr;
            CPPUNIT_ASSERT_MESSAGE(plugin.log().to_string(), !plugin.log().contains("plugin fault"));
        }
        CPPUNIT_ASSERT(read > 0);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(GeoIpTest);

#else

class GeoIpTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(GeoIpTest);
    CPPUNIT_TEST(without_the_library_configtest_says_so);
    CPPUNIT_TEST_SUITE_END();

public:
    void without_the_library_configtest_says_so() {
        const PluginUnderTest plugin("ident/geoip");
        CPPUNIT_ASSERT(plugin.problems().find("mod_smtpd was built without libmaxminddb") != std::string::npos);
    }
};
CPPUNIT_TEST_SUITE_REGISTRATION(GeoIpTest);

#endif

}  // namespace
}  // namespace smtpd
