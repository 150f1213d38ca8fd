/// testing.cc: implements <smtpd/testing.h> with the fakes of mod_smtpd's own tests (tests/fakes).
#include <smtpd/testing.h>

#include "fakes/plugin_under_test.h"

#include <filesystem>
#include <stdexcept>

namespace smtpd::testing {

struct PluginUnderTest::World {
    template <class... Arguments>
    explicit World(Arguments&&... arguments) : plugin(std::forward<Arguments>(arguments)...) {
        if (!plugin.is_usable()) throw std::runtime_error(plugin.problems());
    }
    fakes::PluginUnderTest plugin;
};

namespace {

bool is_path(const std::filesystem::path& plugin) { return plugin.extension() == ".so"; }
std::string name_of(const std::filesystem::path& plugin) { return is_path(plugin) ? plugin.stem() : plugin; }
std::string folder_of(const std::filesystem::path& plugin) {
    return is_path(plugin) ? std::filesystem::absolute(plugin).parent_path().string() : fakes::test_plugin_dir();
}

}  // namespace

PluginUnderTest::PluginUnderTest(std::string_view plugin, std::string_view options, const Files& control_files)
    : world_(std::make_unique<World>(name_of(plugin), options, control_files, std::vector{folder_of(plugin)})) {}
PluginUnderTest::PluginUnderTest(const PluginDescriptor& plugin, std::string_view options, const Files& control_files)
    : world_(std::make_unique<World>(plugin, options, control_files)) {}
PluginUnderTest::~PluginUnderTest() = default;

Connection& PluginUnderTest::connection() noexcept { return world_->plugin.connection(); }
Transaction& PluginUnderTest::transaction() noexcept { return world_->plugin.transaction(); }
const Clock& PluginUnderTest::clock() const noexcept { return world_->plugin.clock(); }
void PluginUnderTest::advance(std::chrono::milliseconds time) { world_->plugin.clock().advance(time); }

void PluginUnderTest::set_client(std::string_view address, std::string_view host) {
    world_->plugin.connection().set_client(address);
    world_->plugin.connection().set_host(std::string(host));
}

void PluginUnderTest::reconnect() { world_->plugin.reconnect(); }
void PluginUnderTest::reset() { world_->plugin.reset(); }
void PluginUnderTest::write_control(const std::string& name, std::string_view content) {
    world_->plugin.write_control(name, content);
}
std::string PluginUnderTest::directory() const { return world_->plugin.directory().path(); }
void PluginUnderTest::dns(std::initializer_list<std::string_view> records) { world_->plugin.dns(records); }
const std::vector<std::string>& PluginUnderTest::questions() const noexcept { return world_->plugin.questions(); }
void PluginUnderTest::let_client_speak(bool speaks) noexcept { world_->plugin.let_client_speak(speaks); }
void PluginUnderTest::let_task_be_late(std::string key) { world_->plugin.let_task_be_late(std::move(key)); }

std::vector<std::string> PluginUnderTest::log_lines() const {
    std::vector<std::string> out;
    for (const auto& line : world_->plugin.log().lines()) out.push_back(line.to_string());
    return out;
}

std::string PluginUnderTest::last_log_line() const { return world_->plugin.log().last(); }
void PluginUnderTest::clear_log() { world_->plugin.log().clear(); }

void PluginUnderTest::child_start() {
    if (const auto started = world_->plugin.child_start(); !started) throw std::runtime_error(started.error().what);
}

Response PluginUnderTest::connect() { return world_->plugin.connect(); }
Response PluginUnderTest::helo(std::string_view host) { return world_->plugin.helo(host); }
Response PluginUnderTest::ehlo(std::string_view host) { return world_->plugin.ehlo(host); }
Response PluginUnderTest::auth(std::string_view user, std::string_view password) {
    return world_->plugin.auth_plain(user, password);
}
Response PluginUnderTest::mail(std::string_view sender) { return world_->plugin.mail(sender); }
Response PluginUnderTest::rcpt(std::string_view recipient) { return world_->plugin.rcpt(recipient); }
Response PluginUnderTest::data() { return world_->plugin.data(); }

Response PluginUnderTest::message(std::string_view message, std::size_t piece) {
    auto& plugin = world_->plugin;
    plugin.begin_streams();
    for (std::size_t at = 0; at < message.size(); at += piece) plugin.data_chunk(message.substr(at, piece));
    plugin.transaction().set_message(message);
    plugin.end_streams();
    return plugin.data_post();
}

Response PluginUnderTest::data_post_rcpt(std::size_t index) { return world_->plugin.data_post_rcpt(index); }
Response PluginUnderTest::queue_pre() { return world_->plugin.queue_pre(); }
Response PluginUnderTest::queue() { return world_->plugin.queue(); }

std::vector<std::string> PluginUnderTest::deliver(const Parcel& parcel) {
    fakes::Parcel made(parcel.message);
    made.id = parcel.id;
    made.envelope = parcel.envelope;
    made.replies_to_each = parcel.replies_to_each;
    for (const auto& recipient : parcel.recipients) made.to(recipient);
    const DeliveryResult result = world_->plugin.deliver(made);
    std::vector<std::string> out;
    for (const auto& recipient : made.recipients)
        out.push_back(result.is_declined() ? "not mine" : result.of(recipient).to_string());
    return out;
}

Response PluginUnderTest::quit() { return world_->plugin.quit(); }
void PluginUnderTest::disconnect() { static_cast<void>(world_->plugin.disconnect()); }

}  // namespace smtpd::testing
