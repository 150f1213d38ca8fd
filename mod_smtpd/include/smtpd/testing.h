/// testing.h: runs a plugin in a simulated environment: options and control files as in a configuration, a clock that
/// the test moves, a client, a transaction, a name server, a log.
///
///     smtpd::testing::PluginUnderTest plugin("./closed_mailbox.so", "name=office");
///     assert(plugin.rcpt("office@example.com").verdict == smtpd::Verdict::deny);
///     assert(plugin.last_log_line() == "fail: office@example.com is closed");
///
/// There is no server and no network, and nothing takes time: the clock jumps ahead, the DNS answers from the test's
/// records, and tasks and streams run in the test's thread. Compile and link a test program with the output of
/// `pkg-config --cflags --libs smtpd-testing`; any test framework will do. Not thread-safe.
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

/// A message that does not come from a session, for a queue plugin: as if it came from a queue.
struct Parcel {
    std::string id = "parcel-1";
    Envelope envelope{};
    std::vector<std::string> recipients;  ///< "user@example.com"
    std::string message;                  ///< the whole message, with CRLF line ends
    bool replies_to_each = true;          ///< see Delivery::replies_to_each()
};

class PluginUnderTest {
public:
    using Files = std::vector<std::pair<std::string, std::string>>;  ///< name and content

    /// Loads a plugin: the path of its DSO, or a name that is looked up in $SMTPD_TEST_PLUGIN_DIR. Throws
    /// std::runtime_error if the DSO, its options or its control files are invalid; what() is the message that
    /// configtest would show.
    explicit PluginUnderTest(std::string_view plugin, std::string_view options = {}, const Files& control_files = {});
    /// The same for a plugin whose source is included in the test: `PluginUnderTest plugin(smtpd_plugin);`
    explicit PluginUnderTest(const PluginDescriptor& plugin, std::string_view options = {},
                             const Files& control_files = {});
    ~PluginUnderTest();
    PluginUnderTest(const PluginUnderTest&) = delete;
    PluginUnderTest& operator=(const PluginUnderTest&) = delete;

    // The environment
    Connection& connection() noexcept;
    Transaction& transaction() noexcept;
    const Clock& clock() const noexcept;
    void advance(std::chrono::milliseconds time);
    /// Sets the client's address; takes effect until the next reconnect().
    void set_client(std::string_view address, std::string_view host = {});
    /// reconnect() starts a session with another client, reset() another transaction of the same client.
    void reconnect();
    void reset();
    /// Writes a control file; the plugin sees the new content at once.
    void write_control(const std::string& name, std::string_view content);
    /// The directory that relative paths in options refer to.
    std::string directory() const;
    /// The name server's records: "example.net MX 10 mx.example.net", "slow.example TIMEOUT", "broken.example
    /// SERVFAIL". No other records exist.
    void dns(std::initializer_list<std::string_view> records);
    /// The plugin's DNS questions so far: "example.net MX".
    const std::vector<std::string>& questions() const noexcept;
    /// Whether the client sends something while the plugin waits for it to be silent.
    void let_client_speak(bool speaks = true) noexcept;
    /// Makes the plugin's task with that key miss its deadline; "": no task does.
    void let_task_be_late(std::string key);

    // The log
    /// "(rcpt) closed_mailbox: fail: office@example.com is closed", one for each line.
    std::vector<std::string> log_lines() const;
    std::string last_log_line() const;  ///< its text alone; "" if there is none
    void clear_log();

    // Calls the plugin's handlers as the server would. `declined` if there is no handler.
    void child_start();
    Response connect();
    Response helo(std::string_view host);
    Response ehlo(std::string_view host);
    /// AUTH PLAIN.
    Response auth(std::string_view user, std::string_view password);
    Response mail(std::string_view sender);  ///< "" is the null sender
    /// A recipient with the verdict `ok` joins the transaction.
    Response rcpt(std::string_view recipient);
    Response data();
    /// Delivers a message in pieces of that size to the streams of data_chunk; then runs data_post.
    Response message(std::string_view message, std::size_t piece = 4096);
    Response data_post_rcpt(std::size_t index = 0);  ///< for one of transaction().recipients()
    Response queue_pre();
    /// Queues the message of the transaction.
    Response queue();
    /// The result of a delivery: the fate of each recipient, in the order of the parcel: "delivered", "deferred 451
    /// 4.3.0 Later".
    std::vector<std::string> deliver(const Parcel& parcel);
    Response quit();
    void disconnect();

private:
    struct World;
    const std::unique_ptr<World> world_;
};

}  // namespace smtpd::testing
