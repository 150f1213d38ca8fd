/// store_test.cc: the store in the plugin API: typed values, and two example plugins.
#include "fakes/plugin_under_test.h"

#include <smtpd/plugin.h>
#include <smtpd/store/records.h>

#include <cppunit/extensions/HelperMacros.h>

#include <limits>
#include <thread>

namespace smtpd {
namespace {

using namespace std::chrono_literals;

// --- two plugins ---

/// Greylisting without its finer points: it defers a new client.
class SketchOfGreylisting final : public PolicyPlugin {
public:
    struct Options {
        Duration wait = 5min;
        static OptionTable table() { return {option("wait", &Options::wait, "how long a new client is kept waiting")}; }
    };

    SketchOfGreylisting(Setup& setup, const Options& options)
        : options_(options), seen_(setup.store<GreylistRecord>(greylist_space)) {
        setup.hooks.mail.decide([this](const MailHook& hook) { return judge(hook); });
    }

private:
    Finding judge(const MailHook& hook) const {
        const auto now = hook.clock().wall();
        const auto record = hook.store(seen_).update(
            client_key(hook.connection.address()), greylist_lifetime, [&](GreylistRecord& known) {
                if (known.refused == 0 && known.passed == 0) known.since = now;
                ++(now - known.since < options_.wait ? known.refused : known.passed);
            });
        if (!record) return error("store: {}", record.error().what);
        if (record->passed == 0)
            return fail("first seen {} s ago",
                        std::chrono::duration_cast<std::chrono::seconds>(now - record->since).count())
                .soft(true);
        return pass("known, {} times accepted", record->passed);
    }

    const Options options_;
    const Store<GreylistRecord> seen_;
};
constexpr PluginDescriptor sketch_of_greylisting = detail::describe<SketchOfGreylisting>("sketch_of_greylisting");

/// A limit on connections.
class SketchOfLimit final : public PolicyPlugin {
public:
    struct Options {
        unsigned max = 3;
        Duration period = 1min;
        static OptionTable table() {
            return {option("max", &Options::max, "connections"), option("period", &Options::period, "in that time")};
        }
    };

    SketchOfLimit(Setup& setup, const Options& options)
        : options_(options), counts_(setup.store<std::int64_t>("limit")) {
        setup.hooks.connect.decide([this](const ConnectHook& hook) { return judge(hook); });
    }

private:
    Finding judge(const ConnectHook& hook) const {
        const auto count = hook.store(counts_).add(client_key(hook.connection.address(), 24), 1, options_.period);
        if (!count) return error("store: {}", count.error().what);
        return *count > options_.max ? fail("{} connections, {} are allowed", *count, options_.max) : pass();
    }

    const Options options_;
    const Store<std::int64_t> counts_;
};
constexpr PluginDescriptor sketch_of_limit = detail::describe<SketchOfLimit>("sketch_of_limit");

/// A plugin whose namespaces have impossible names.
class WrongNames final : public Plugin {
public:
    explicit WrongNames(Setup& setup) : first_(setup.store("a b")), second_(setup.store("")) {}

private:
    const Store<> first_, second_;
};
constexpr PluginDescriptor wrong_names = detail::describe<WrongNames>("wrong_names");

// --- values ---

struct Everything {
    std::string text;
    WallTime when;
    Duration span{};
    std::uint64_t large = 0;
    std::int8_t small = 0;
    bool flag = false;
    static constexpr auto fields = [](auto& self) {
        return std::tie(self.text, self.when, self.span, self.large, self.small, self.flag);
    };
};

struct Older {
    std::string text;
    WallTime when;
    static constexpr auto fields = [](auto& self) { return std::tie(self.text, self.when); };
};

template <class T>
T must(Result<T> result) {
    if (!result) CPPUNIT_FAIL(result.error().what);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class StoreTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(StoreTest);
    CPPUNIT_TEST(records_are_text_that_people_can_read);
    CPPUNIT_TEST(what_is_written_is_read);
    CPPUNIT_TEST(records_can_grow);
    CPPUNIT_TEST(what_is_no_such_value_is_an_error);
    CPPUNIT_TEST(put_if_absent_says_what_is_there_now);
    CPPUNIT_TEST(replace_compares_records);
    CPPUNIT_TEST(update_loses_no_change);
    CPPUNIT_TEST(update_may_leave_everything_as_it_is);
    CPPUNIT_TEST(list_reads_values);
    CPPUNIT_TEST(keys_of_clients_and_greylisting);
    CPPUNIT_TEST(greylisting_reads_well);
    CPPUNIT_TEST(a_limit_reads_well);
    CPPUNIT_TEST(a_store_that_is_down_is_an_error_of_the_finding);
    CPPUNIT_TEST(wrong_names_are_found_while_the_configuration_is_read);
    CPPUNIT_TEST_SUITE_END();

    template <class T>
    Store<T> open(std::string_view name = "test") {
        return store_.open<T>(name);
    }

    void records_are_text_that_people_can_read() {
        CPPUNIT_ASSERT_EQUAL(std::string("1795199220:3:7"), StoreValue<GreylistRecord>::show({clock_.wall(), 3, 7}));
        CPPUNIT_ASSERT_EQUAL(std::string("0:0:4:9"), StoreValue<KarmaRecord>::show({{}, 0, 4, 9}));
        const Everything all{
            "a:b %\n\xc3\xa9", clock_.wall(), 1500ms, std::numeric_limits<std::uint64_t>::max(), -5, true};
        CPPUNIT_ASSERT_EQUAL(std::string("a%3Ab%20%25%0A\xc3\xa9:1795199220:1500:18446744073709551615:-5:1"),
                             StoreValue<Everything>::show(all));
    }

    void what_is_written_is_read() {
        const Everything all{std::string("a:b %\n\0\xff", 8),           clock_.wall(), -1ms,
                             std::numeric_limits<std::uint64_t>::max(), -128,          true};
        const auto store = open<Everything>();
        must(store.put("key", all, 1h));
        const auto read = must(store.get("key"));
        CPPUNIT_ASSERT(read && Everything::fields(*read) == Everything::fields(all));
        must(open<WallTime>("times").put("key", clock_.wall(), 1h));
        CPPUNIT_ASSERT(must(open<WallTime>("times").get("key")) == clock_.wall());
    }

    void records_can_grow() {
        must(open<Older>().put("key", {"text", clock_.wall()}, 1h));
        const auto newer = must(open<Everything>().get("key"));
        CPPUNIT_ASSERT(newer && newer->text == "text" && newer->when == clock_.wall() && newer->large == 0 &&
                       !newer->flag);
        must(open<Everything>().put("key", {"new", clock_.wall(), 5ms, 6, 7, true}, 1h));
        CPPUNIT_ASSERT_EQUAL(std::string("new"), must(open<Older>().get("key"))->text);
    }

    void what_is_no_such_value_is_an_error() {
        for (const char* octets : {"", "x", "1:x", "1:2:x", "1: 2:3", "99999999999999999999:1:1",
                                   "9223372036854775807:1:1", "1:99999999999:1"}) {
            must(open<std::string>().put("key", octets, 1h));
            const auto read = open<GreylistRecord>().get("key");
            CPPUNIT_ASSERT_MESSAGE(octets, !read);
            CPPUNIT_ASSERT_EQUAL(std::string("the entry of \"key\" is not of the kind that is expected there"),
                                 read.error().what);
            CPPUNIT_ASSERT(!open<GreylistRecord>().update("key", 1h, [](GreylistRecord&) {}));
            CPPUNIT_ASSERT(!open<GreylistRecord>().put_if_absent("key", {}, 1h));
        }
        for (const char* octets : {"%", "%4", "%zz:1", "%4g"}) {
            must(open<std::string>().put("key", octets, 1h));
            CPPUNIT_ASSERT_MESSAGE(octets, !open<Older>().get("key"));
        }
    }

    void put_if_absent_says_what_is_there_now() {
        const auto first = must(open<std::int64_t>().put_if_absent("key", 5, 1h));
        CPPUNIT_ASSERT(first.is_new && first.value == 5);
        const auto second = must(open<std::int64_t>().put_if_absent("key", 6, 1h));
        CPPUNIT_ASSERT(!second.is_new && second.value == 5);
    }

    void replace_compares_records() {
        const auto store = open<Older>();
        must(store.put("key", {"old", {}}, 1h));
        CPPUNIT_ASSERT(!must(store.replace("key", {"other", {}}, {"new", {}}, 1h)));
        CPPUNIT_ASSERT(must(store.replace("key", {"old", {}}, {"new", {}}, 1h)));
        CPPUNIT_ASSERT_EQUAL(std::string("new"), must(store.get("key"))->text);
        CPPUNIT_ASSERT(must(store.remove("key")) && !must(store.remove("key")));
    }

    void update_loses_no_change() {
        const auto store = open<KarmaRecord>();
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int n = 0; n < 200; ++n)
                    static_cast<void>(store.update("key", 1h, [](KarmaRecord& record) { ++record.connects; }));
            });
        for (auto& thread : threads) thread.join();
        CPPUNIT_ASSERT_EQUAL(800u, must(store.get("key"))->connects);
    }

    void update_may_leave_everything_as_it_is() {
        const auto store = open<KarmaRecord>();
        CPPUNIT_ASSERT_EQUAL(
            1u, must(store.update("key", 1h, [](KarmaRecord& record) { return ++record.nice, false; })).nice);
        CPPUNIT_ASSERT(!must(store.get("key")).has_value());
        CPPUNIT_ASSERT_EQUAL(
            1u, must(store.update("key", 1h, [](KarmaRecord& record) { return ++record.nice, true; })).nice);
        CPPUNIT_ASSERT(must(store.get("key")).has_value());
    }

    void list_reads_values() {
        const auto store = open<std::int64_t>();
        for (int i = 0; i < 10; ++i) must(store.put("key" + std::to_string(i), i, 1h));
        std::int64_t sum = 0;
        std::string from;
        do {
            const auto page = must(store.list("key", 3, from));
            for (const auto& entry : page.entries) sum += entry.value;
            from = page.next;
        } while (!from.empty());
        CPPUNIT_ASSERT_EQUAL(std::int64_t(45), sum);
    }

    void keys_of_clients_and_greylisting() {
        const auto v4 = *IpAddress::parse("192.0.2.77");
        const auto v6 = *IpAddress::parse("2001:db8:1:2:3::4");
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.77"), client_key(v4));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.77"), client_key(v4, 32));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.0/24"), client_key(v4, 24));
        CPPUNIT_ASSERT_EQUAL(std::string("2001:db8:1:2::/64"), client_key(v6, 64));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.77"), greylist_key("192.0.2.77"));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.77 a@b"), greylist_key("192.0.2.77", "a@b"));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.77 - c@d"), greylist_key("192.0.2.77", "", "c@d"));
        CPPUNIT_ASSERT_EQUAL(std::string("192.0.2.77 a@b c@d"), greylist_key("192.0.2.77", "a@b", "c@d"));
    }

    void greylisting_reads_well() {
        fakes::PluginUnderTest plugin(sketch_of_greylisting);
        CPPUNIT_ASSERT(plugin.mail("me@example.net").verdict == Verdict::denysoft);
        CPPUNIT_ASSERT_EQUAL(std::string("fail: first seen 0 s ago"), plugin.log().last());
        plugin.clock().advance(4min);
        CPPUNIT_ASSERT(plugin.mail("me@example.net").verdict == Verdict::denysoft);
        plugin.clock().advance(1min);
        CPPUNIT_ASSERT(plugin.mail("me@example.net").verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(std::string("pass: known, 1 times accepted"), plugin.log().last());
        const auto record = must(plugin.store().open<GreylistRecord>("greylist").get("192.0.2.1"));
        CPPUNIT_ASSERT(record && record->refused == 2 && record->passed == 1);
        plugin.clock().advance(greylist_lifetime);
        CPPUNIT_ASSERT(plugin.mail("me@example.net").verdict == Verdict::denysoft);
    }

    void a_limit_reads_well() {
        fakes::PluginUnderTest plugin(sketch_of_limit, "max=2 period=1min");
        CPPUNIT_ASSERT(plugin.connect().verdict == Verdict::declined);
        CPPUNIT_ASSERT(plugin.connect().verdict == Verdict::declined);
        CPPUNIT_ASSERT(plugin.connect().verdict == Verdict::deny);
        CPPUNIT_ASSERT_EQUAL(std::string("fail: 3 connections, 2 are allowed"), plugin.log().last());
        plugin.clock().advance(1min);
        CPPUNIT_ASSERT(plugin.connect().verdict == Verdict::declined);
    }

    void a_store_that_is_down_is_an_error_of_the_finding() {
        fakes::PluginUnderTest accepting(sketch_of_limit, "max=0");
        accepting.store().break_down();
        CPPUNIT_ASSERT(accepting.connect().verdict == Verdict::declined);
        CPPUNIT_ASSERT_EQUAL(std::string("error: store: the store is broken"), accepting.log().last());
        accepting.store().break_down(false);
        CPPUNIT_ASSERT(accepting.connect().verdict == Verdict::deny);
        fakes::PluginUnderTest refusing(sketch_of_greylisting, "onerror=tempfail");
        refusing.store().break_down();
        CPPUNIT_ASSERT(refusing.mail("me@example.net").verdict == Verdict::denysoft);
    }

    void wrong_names_are_found_while_the_configuration_is_read() {
        const fakes::PluginUnderTest plugin(wrong_names);
        CPPUNIT_ASSERT(!plugin.is_usable());
        CPPUNIT_ASSERT_EQUAL(std::string("SmtpPlugin wrong_names: \"a%20b\" is not a valid namespace of the store\n"
                                         "SmtpPlugin wrong_names: \"\" is not a valid namespace of the store"),
                             plugin.problems());
    }

    fakes::FakeClock clock_;
    fakes::FakeStore store_{clock_};
};
CPPUNIT_TEST_SUITE_REGISTRATION(StoreTest);

}  // namespace
}  // namespace smtpd
