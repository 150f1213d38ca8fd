/// plugin_set.cc: the plugins of one server.
#include "host/plugin_set.h"

#include "host/plugin_dso.h"
#include "host/plugin_names.h"
#include "support/strings.h"
#include "support/thrown.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <exception>

namespace smtpd::host {
namespace {

Result<PluginCode> find_code(const std::string& name, const Environment& environment) {
    for (const PluginDescriptor* descriptor : environment.built_in)
        if (name == descriptor->name) return PluginCode{descriptor, nullptr};
    auto dso = PluginDso::open(name, environment.plugin_dirs);
    if (!dso) return dso.error();
    return PluginCode{&(*dso)->descriptor(), *dso};
}

/// What to write instead of the name of a missing plugin.
std::string what_exists(const PluginLine& line, const Environment& environment) {
    auto names = plugin_names(environment.plugin_dirs);
    for (const PluginDescriptor* built_in : environment.built_in) names.emplace_back(built_in->name);
    const std::string all = support::join(names, ", ");
    return substitute_for(line.name) + (all.empty() ? "" : "; the plugins are " + all);
}

/// Replaces former names in directives, unless the site has a plugin of that name.
std::vector<PluginLine> with_current_names(std::vector<PluginLine> lines, const Environment& environment) {
    for (auto& line : lines) {
        PluginLine renamed = line;
        if (use_current_name(renamed) && !find_code(line.name, environment)) line = std::move(renamed);
    }
    return lines;
}

/// Of these files, only databytes must have a certain form.
Result<ControlText> read_lines(std::string_view name, const ControlText& text) {
    if (name == "databytes" && !text.empty() && !support::parse_unsigned(text.front().text))
        return Error{ErrorCode::config,
                     format_text("{}: databytes is a number of octets, not \"{}\"", text.front().position(),
                                 support::escape_for_log(text.front().text, 200))};
    return text;
}

}  // namespace

std::vector<PluginLine> merged(const std::vector<PluginLine>& lines) {
    std::vector<PluginLine> out;
    for (const auto& line : lines) {
        const auto earlier = std::find_if(out.begin(), out.end(),
                                          [&](const PluginLine& other) { return other.instance() == line.instance(); });
        earlier == out.end() ? out.push_back(line) : void(*earlier = line);
    }
    return out;
}

namespace {

/// Checks the options even of lines that a later one replaces.
void check_replaced(const std::vector<PluginLine>& lines, const Environment& environment, Problems& problems) {
    for (auto line = lines.begin(); line != lines.end(); ++line) {
        const auto later = std::find_if(line + 1, lines.end(),
                                        [&](const PluginLine& other) { return other.instance() == line->instance(); });
        if (later == lines.end() || later->words == line->words) continue;  // identical, so nothing is lost
        if (auto code = find_code(line->name, environment))
            Instance::check(*line, std::move(*code), environment, problems);
        if (later->scope != line->scope) continue;
        problems.push_back(warning(
            line->position(),
            format_text(
                "{}: the line at {} replaces this one, so its options have no effect; remove one of the two, or "
                "give one a label, as in \"{}:second\", so that the plugin runs twice",
                subject_of(*line), later->position(), line->name)));
    }
}

}  // namespace

PluginSet::PluginSet(const Environment& environment)
    : control_(*environment.control),
      server_log_(*environment.log),
      router_(*environment.log),
      dispatcher_(environment.heartbeat) {}

PluginSet::~PluginSet() {
    dispatcher_ = Dispatcher();  // handlers are code of the DSOs, which are unloaded with the instances
    router_.remove_all();
    while (!instances_.empty()) instances_.pop_back();  // in reverse order
}

std::unique_ptr<PluginSet> PluginSet::build(const std::vector<PluginLine>& written, const Environment& environment,
                                            Problems& problems) {
    const auto lines = with_current_names(written, environment);
    std::unique_ptr<PluginSet> set(new PluginSet(environment));
    for (const char* name : {"databytes", "smtpgreeting"})
        set->control_file(name);  // every session reads these; report errors now
    for (auto& text : environment.control->take_problems()) problems.push_back(control_file_error(std::move(text)));
    check_replaced(lines, environment, problems);
    for (const auto& line : merged(lines)) set->add(line, environment, problems);
    return set;
}

void PluginSet::add(const PluginLine& line, const Environment& environment, Problems& problems) {
    auto code = find_code(line.name, environment);
    if (!code) {
        const bool is_foreign = line.origin == PluginLine::Origin::plugins_file &&
                                code.error().code == ErrorCode::not_found;
        const bool is_unknown = code.error().code == ErrorCode::not_found && !line.name.starts_with('/') &&
                                line.name.find("::") == std::string::npos;
        const std::string more = is_unknown ? what_exists(line, environment) : std::string();
        const char* const consequence = is_foreign ? "; the line is ignored" : "";
        problems.push_back({!is_foreign, line.position(),
                            format_text("{}: {}{}{}", subject_of(line), code.error().what, consequence, more),
                            line.origin == PluginLine::Origin::plugins_file});
        return;
    }
    auto instance = Instance::make(line, std::move(*code), environment, router_, problems);
    if (!instance) return;
    const bool reads_body = instance->reads_body();
    judges_recipients_ |= instance->judges_recipients();
    sends_bounces_ |= instance->sends_bounces();
    for (auto& [hook, handler] : instance->take_handlers()) {
        reads_body_ = reads_body_ || (reads_body && traits(hook).has(HookTraits::has_message));
        dispatcher_.add(hook, *instance, std::move(handler));
    }
    for (auto& [up_to, writer] : instance->take_log_outlets()) {
        loggers_.push_back({instance.get(), Dispatcher::Kind::observe, Priority::normal, false});
        if (!environment.is_dry_run) router_.add(instance->name(), up_to, std::move(writer), instance->counters());
    }
    instances_.push_back(std::move(instance));
}

Result<void> PluginSet::child_start() {
    control_.started();
    std::string failed;
    for (const auto& instance : instances_) {
        std::string why;
        try {
            instance->plugin().child_start();
            continue;
        } catch (...) { why = support::thrown_text(); }
        PluginCounters::count(instance->counters().fault);
        const std::string text = format_text("plugin fault: {}", why);
        LogLine line;
        line.level = LogLevel::crit;
        line.hook = hook_name(HookId::post_fork);
        line.plugin = instance->name();
        line.text = text;
        server_log_.write(line);
        failed += format_text("{}{}: {}", failed.empty() ? "" : "; ", instance->name(), why);
    }
    if (!failed.empty()) return Error{ErrorCode::unavailable, "plugins that could not start: " + failed, 0};
    return {};
}

Watched<ControlText> PluginSet::control_file(std::string_view name) {
    const std::lock_guard lock(files_mutex_);
    if (const auto found = files_.find(name); found != files_.end()) return found->second;
    const auto parse = [name = std::string(name)](const ControlText& text) { return read_lines(name, text); };
    return files_.emplace(name, control_.parsed<ControlText>(name, parse)).first->second;
}

std::vector<std::string> PluginSet::control_lines(std::string_view name) noexcept {
    std::vector<std::string> out;
    try {
        const auto text = control_file(name).get();
        for (const auto& line : *text) out.push_back(line.text);
    } catch (...) {  // no memory: treat the file as empty
        out.clear();
    }
    return out;
}

}  // namespace smtpd::host
