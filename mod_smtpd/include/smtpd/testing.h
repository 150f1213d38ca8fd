/// testing.h: a plugin in a world made for a test: options and control files as in a configuration, a clock that the
/// test moves, a client, a transaction, a name server, a log.
///
///     smtpd::testing::PluginUnderTest plugin("./closed_mailbox.so", "name=office");
///     assert(plugin.rcpt("office@example.com").verdict == smtpd::Verdict::deny);
///     assert(plugin.last_log_line() == "fail: office@example.com is closed");
///
/// There is no server and no network. What a plugin waits for comes at once: the clock moves, the DNS answers from the
/// records that the test gives, tasks and streams run in the test's thread. A test program is compiled and linked with
/// what `pkg-config --cflags --libs smtpd-testing` says; any test framework will do. Not thread-safe.
#pragma once

#include <smtpd/base/clock.h>
#include <smtpd/connection.h>
#include <smtpd/delivery/delivery.h>
#include <smtpd/hook/traits.h>
#include <smtpd/plugin.h>
#include <smtpd/transaction.h>
#include <smtpd/verdict.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace smtpd::testing {

/// A message that no session has brought, for a queue plugin: as it comes out of a queue.
struct Parcel {
    std::string id = "parcel-1";
    Envelope envelope{};
    std::vector<std::string> recipients;  ///< "user@example.com"
    std::string message;                  ///< all of it, with CRLF line ends
    bool replies_to_each = true;          ///< see Delivery::replies_to_each()
};

class PluginUnderTest {
public:
    using Files = std::vector<std::pair<std::string, std::string>>;  ///< name and content

    /// Loads a plugin: the path of its DSO, or a name that is looked for in $SMTPD_TEST_PLUGIN_DIR. Throws
    /// std::runtime_error where that, its options, or its control files are no good; what() is what configtest would
    /// say.
    explicit PluginUnderTest(std::string_view plugin, std::string_view options = {}, const Files& control_files = {});
    /// The same with a plugin that is compiled into the test, by including its source: `PluginUnderTest
    /// plugin(smtpd_plugin);`
    explicit PluginUnderTest(const PluginDescriptor& plugin, std::string_view options = {},
                             const Files& control_files = {});
    ~PluginUnderTest();
    PluginUnderTest(const PluginUnderTest&) = delete;
    PluginUnderTest& operator=(const PluginUnderTest&) = delete;

    // The world
    Connection& connection() noexcept;
    Transaction& transaction() noexcept;
    const Clock& clock() const noexcept;
    void advance(std::chrono::milliseconds time);
    /// The client's address, until the next reconnect().
    void set_client(std::string_view address, std::string_view host = {});
    /// Another client; another transaction of the same client.
    void reconnect();
    void reset();
    /// Writes a control file, whose new content the plugin sees at once.
    void write_control(const std::string& name, std::string_view content);
    /// The folder that relative paths in options are relative to.
    std::string directory() const;
    /// Records that the name server has: "example.net MX 10 mx.example.net", "slow.example TIMEOUT", "broken.example
    /// SERVFAIL". Nothing else exists.
    void dns(std::initializer_list<std::string_view> records);
    /// What the plugin has asked so far: "example.net MX".
    const std::vector<std::string>& questions() const noexcept;
    /// Whether the client sends something while the plugin waits for its silence.
    void let_client_speak(bool speaks = true) noexcept;
    /// The plugin's task of that name does not end in time; "": all do.
    void let_task_be_late(std::string key);

    // The log
    /// "(rcpt) closed_mailbox: fail: office@example.com is closed", one for each line.
    std::vector<std::string> log_lines() const;
    std::string last_log_line() const;  ///< its text alone; "" if there is none
    void clear_log();

    // What the server asks the plugin. `declined` where it has no handler.
    void child_start();
    Response connect();
    Response helo(std::string_view host);
    Response ehlo(std::string_view host);
    /// AUTH PLAIN.
    Response auth(std::string_view user, std::string_view password);
    Response mail(std::string_view sender);  ///< "" is the null sender
    /// A recipient with an `ok` joins the transaction.
    Response rcpt(std::string_view recipient);
    Response data();
    /// A message arrives, in pieces of that size, with the streams of data_chunk; then data_post.
    Response message(std::string_view message, std::size_t piece = 4096);
    Response data_post_rcpt(std::size_t index = 0);  ///< about one of transaction().recipients()
    Response queue_pre();
    /// The message of the transaction is queued.
    Response queue();
    /// The result of a delivery, with a fate for each recipient in the order of the parcel: "delivered", "deferred 451
    /// 4.3.0 Later".
    std::vector<std::string> deliver(const Parcel& parcel);
    Response quit();
    void disconnect();

private:
    struct World;
    const std::unique_ptr<World> world_;
};

}  // namespace smtpd::testing
