/// instance.cc: creates plugin objects from configuration lines. Exceptions of the plugin end here.
#include "host/instance.h"

#include "host/no_store.h"
#include "support/thrown.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <exception>
#include <stdexcept>

namespace smtpd::host {
namespace {

/// Runs code of the plugin; an exception becomes a problem. False if it threw.
template <class Call>
bool guarded(const std::string& position, const std::string& subject, std::string_view doing, Problems& problems,
             Call call) {
    try {
        call();
        return true;
    } catch (...) {
        problems.push_back({true, position, format_text("{}: {} failed: {}", subject, doing, support::thrown_text())});
    }
    return false;
}

}  // namespace

/// The Setup object of the plugin's constructor. It exists as long as the instance, because a plugin may keep
/// references to what it received.
class Instance::InstanceSetup final : private HookRegistrar, public Setup {
public:
    InstanceSetup(Instance& instance, const Environment& environment, LogRouter& log)
        : Setup(static_cast<HookRegistrar&>(*this), log_outlets_),
          instance_(instance),
          control_(*environment.control),
          clock_(*environment.clock),
          is_dry_run_(environment.is_dry_run),
          stores_(environment.stores),
          log_(log),
          server_name_(environment.server_name),
          resolve_path_(environment.resolve_path),
          password_check_(environment.password_check),
          sql_query_(environment.sql_query) {}

    const std::string& name() const noexcept override { return instance_.plugin_name_; }
    const std::string& instance() const noexcept override { return instance_.name_; }
    const std::string& server_name() const noexcept override { return server_name_; }
    ControlFiles& control() override { return control_; }
    const Clock& clock() const noexcept override { return clock_; }
    LogSink& log() const noexcept override { return log_; }
    LogSink& server_log() const noexcept override { return log_.server_log(); }
    bool is_dry_run() const noexcept override { return is_dry_run_; }
    PolicyDefaults& policy() noexcept override { return instance_.common_.policy; }
    std::string path(std::string_view from_configuration) const override {
        return resolve_path_ ? resolve_path_(from_configuration) : std::string(from_configuration);
    }

    const PasswordCheck* password_check(std::string_view name) override {
        return asked_for(password_check_, name, "this server has no password checks of its own");
    }
    const SqlQuery* sql_query(std::string_view statement) override {
        return asked_for(sql_query_, statement, "this server has no database");
    }

    /// Ends the time in which handlers may be added, and moves the problems out. True if the server may start with this
    /// plugin.
    bool close(Problems& problems) {
        is_open_ = false;
        for (const auto& text : control_.take_problems()) {
            report(true, text);
            complaints_.back().is_in_control_file = true;
        }
        bool is_good = true;
        for (auto& complaint : complaints_) {
            is_good &= !complaint.is_error;
            problems.push_back(std::move(complaint));
        }
        complaints_.clear();
        return is_good;
    }

    void uses(FileUse use) override { instance_.files_.push_back(std::move(use)); }

    std::vector<std::pair<HookId, Handler>> handlers;
    LogOutlets log_outlets_;

private:
    void add(HookId id, Handler handler) override {
        if (!is_open_) throw std::logic_error("handlers can only be added in the plugin's constructor");
        if (handler.decide && !instance_.is_policy_)
            error("its handler of the hook {} returns findings, which only a PolicyPlugin may do", hook_name(id));
        handlers.emplace_back(id, std::move(handler));
    }

    void report(bool is_error, std::string text) override {
        const bool is_in_control_file = instance_.is_in_plugins_file_ || is_about_a_line(text);
        complaints_.push_back({is_error, instance_.position_, format_text("{}: {}", instance_.subject_, text),
                               is_error && is_in_control_file});
    }

    /// Whether a message begins with the line of a control file.
    bool is_about_a_line(std::string_view text) const {
        const auto files = control_.existing_files();
        return std::any_of(files.begin(), files.end(),
                           [&](const std::string& file) { return text.starts_with(file + ":"); });
    }

    /// The server's object for that name; if there is none, null, and an error.
    template <class T>
    T* asked_for(const std::function<Result<T*>(std::string_view)>& give, std::string_view name,
                 const char* otherwise) {
        const Result<T*> given = give ? give(name) : Error{ErrorCode::config, otherwise, 0};
        if (given) return *given;
        error("{}", given.error().what);
        return nullptr;
    }

    StoreSpace& store_space(std::string_view name) override {
        const Result<StoreSpace*> space = stores_ ? stores_->space(name)
                                                  : Error{ErrorCode::config, "this server has no store", 0};
        if (space) instance_.use_store((*space)->lane());
        if (space) return **space;
        error("{}", space.error().what);
        return no_store_;
    }

    Instance& instance_;
    DirectoryControlFiles& control_;
    const Clock& clock_;
    const bool is_dry_run_;
    StoreSpaces* const stores_;
    NoStore no_store_;
    LogRouter& log_;
    const std::string server_name_;
    const std::function<std::string(std::string_view)> resolve_path_;
    const std::function<Result<const PasswordCheck*>(std::string_view)> password_check_;
    const std::function<Result<const SqlQuery*>(std::string_view)> sql_query_;
    Problems complaints_;
    bool is_open_ = true;
};

std::string subject_of(const PluginLine& line) {
    return line.origin == PluginLine::Origin::directive ? "SmtpPlugin " + line.instance() : line.instance();
}

Instance::Instance(const PluginLine& line, PluginCode code, const Environment& environment)
    : code_(std::move(code)),
      name_(line.instance()),
      plugin_name_(line.name),
      position_(line.position()),
      subject_(subject_of(line)),
      is_in_plugins_file_(line.origin == PluginLine::Origin::plugins_file),
      is_policy_(code_.descriptor->is_policy),
      options_(nullptr, code_.descriptor->free_options),
      plugin_(nullptr, code_.descriptor->destroy) {
    common_.policy = code_.descriptor->defaults;
    if (environment.counters) counters_ = environment.counters(name_);
    if (!counters_) {
        own_counters_ = std::make_unique<PluginCounters>();
        counters_ = own_counters_.get();
    }
}

Instance::~Instance() = default;

void Instance::check(const PluginLine& line, PluginCode code, const Environment& environment, Problems& problems) {
    Instance(line, std::move(code), environment).read_options(line, problems);
}

std::unique_ptr<Instance> Instance::make(const PluginLine& line, PluginCode code, const Environment& environment,
                                         LogRouter& log, Problems& problems) {
    std::unique_ptr<Instance> instance(new Instance(line, std::move(code), environment));
    if (!instance->read_options(line, problems)) return nullptr;
    if (!instance->create(environment, log, problems)) return nullptr;
    return instance;
}

bool Instance::read_options(const PluginLine& line, Problems& problems) {
    OptionReader::Findings findings;
    const bool is_done = guarded(position_, subject_, "its option table", problems, [&] {
        const OptionTable own = code_.descriptor->options();
        const OptionTable common = common_options(is_policy_, code_.descriptor->may_wait);
        options_.reset(code_.descriptor->make_options());
        OptionReader reader;
        reader.add(own, options_.get());
        reader.add(common, &common_);
        findings = reader.read(line.words);
    });
    for (auto& text : findings.errors)
        problems.push_back({true, position_, format_text("{}: {}", subject_, text), is_in_plugins_file_});
    for (auto& text : findings.warnings) problems.push_back({false, position_, format_text("{}: {}", subject_, text)});
    host_caller_ = {name_, 0, -1, this};
    caller_ = {name_, common_.loglevel.shift, common_.loglevel.fixed, this};
    return is_done && findings.errors.empty();
}

bool Instance::create(const Environment& environment, LogRouter& log, Problems& problems) {
    if (code_.descriptor->waits_for_backend != nullptr) waits_at_ = code_.descriptor->waits_for_backend(options_.get());
    if (!waits_at_.empty() || code_.descriptor->runs_tasks)
        own_lane_ = std::make_unique<support::Lane>(name_, common_.concurrency);
    setup_ = std::make_unique<InstanceSetup>(*this, environment, log);
    const bool is_done = guarded(position_, subject_, "its constructor", problems,
                                 [&] { plugin_.reset(code_.descriptor->create(*setup_, options_.get())); });
    const bool is_good = setup_->close(problems);
    if (is_done && !plugin_)
        problems.push_back({true, position_, format_text("{}: it created no plugin object", subject_)});
    return is_good && plugin_;
}

void Instance::use_store(support::Lane* lane) {
    if (lane == nullptr || lane == store_lane_ || mixed_lane_) return;
    if (store_lane_ != nullptr) mixed_lane_ = std::make_unique<support::Lane>(name_, common_.concurrency);
    store_lane_ = mixed_lane_ ? mixed_lane_.get() : lane;
}

support::Lane* Instance::lane(HookId hook) const noexcept {
    if (own_lane_ && waits_at_.contains(hook)) return own_lane_.get();
    return code_.descriptor->uses_store_at.contains(hook) ? store_lane_ : nullptr;
}

std::vector<Instance::Setting> Instance::settings() const {
    std::vector<Setting> out;
    std::vector<std::string> seen;  // an option of the plugin's own hides the common one of that name
    const auto compare = [&](const OptionTable& table, const void* values, const void* defaults) {
        for (const auto& row : table.rows()) {
            if (!row.show || std::find(seen.begin(), seen.end(), row.name) != seen.end()) continue;
            seen.push_back(row.name);
            if (auto value = row.show(values); value != row.show(defaults)) out.push_back({row.name, std::move(value)});
        }
    };
    const std::unique_ptr<void, void (*)(void*)> defaults(code_.descriptor->make_options(),
                                                          code_.descriptor->free_options);
    compare(code_.descriptor->options(), options_.get(), defaults.get());
    CommonOptions common_defaults;
    common_defaults.policy = code_.descriptor->defaults;
    compare(common_options(is_policy_, code_.descriptor->may_wait), &common_, &common_defaults);
    return out;
}

std::vector<std::pair<HookId, Handler>> Instance::take_handlers() { return std::exchange(setup_->handlers, {}); }

Instance::LogOutlets Instance::take_log_outlets() { return std::exchange(setup_->log_outlets_, {}); }

}  // namespace smtpd::host
