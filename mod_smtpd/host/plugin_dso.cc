/// plugin_dso.cc: opens a plugin's DSO and checks that it was built for this server.
#include "host/plugin_dso.h"

#include "host/notes.h"
#include "host/plugin_names.h"
#include "support/strings.h"

#include <smtpd/base/format.h>

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

namespace smtpd::host {
namespace {

namespace fs = std::filesystem;

Error mistake(std::string what) { return {ErrorCode::config, std::move(what), 0}; }

/// Whether a name stays in the plugin directory: no empty part, no `.`, no `..`.
bool is_plain_name(std::string_view name) {
    const auto parts = support::split(name, '/');
    return std::none_of(parts.begin(), parts.end(),
                        [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

std::string with_suffix(std::string_view path) { return std::string(path) + (path.ends_with(".so") ? "" : ".so"); }

bool is_file(const std::string& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

Error no_such_plugin(std::string_view name, const std::vector<std::string>& directories) {
    const std::string hint = nearest_plugin(name, plugin_names(directories));
    return {ErrorCode::not_found,
            format_text("there is no such plugin in {}{}", support::join(directories, ", "), hint), 0};
}

Result<std::string> find_file(std::string_view name, const std::vector<std::string>& directories) {
    if (name.starts_with('/')) {
        if (is_file(with_suffix(name))) return with_suffix(name);
        return Error{ErrorCode::not_found, format_text("there is no file {}", with_suffix(name)), 0};
    }
    if (name.find("::") != std::string_view::npos)
        return Error{ErrorCode::not_found, "a Perl module cannot be loaded here", 0};
    if (name.starts_with("./")) name.remove_prefix(2);
    if (!is_plain_name(name))
        return mistake("this is not the name of a plugin: it must not have an empty, \".\" or \"..\" part");
    for (const auto& directory : directories)
        if (const std::string path = directory + "/" + with_suffix(name); is_file(path)) return path;
    return no_such_plugin(name, directories);
}

/// Names the file if an object at namespace scope throws: an exception cannot leave dlopen(), so the process ends.
class LoadingFile {
public:
    explicit LoadingFile(const std::string& path) : previous_(std::set_terminate(terminate)) {
        file_ = path.c_str();
        next_ = previous_;
    }
    ~LoadingFile() {
        std::set_terminate(previous_);
        file_ = nullptr;
    }

private:
    [[noreturn]] static void terminate() {
        if (file_) std::fprintf(stderr, "smtpd: an object at namespace scope of %s threw an exception\n", file_);
        if (next_) next_();
        std::abort();
    }

    static thread_local const char* file_;
    static thread_local std::terminate_handler next_;
    const std::terminate_handler previous_;
};
thread_local const char* LoadingFile::file_ = nullptr;
thread_local std::terminate_handler LoadingFile::next_ = nullptr;

/// Calls dlopen(); an error is returned as text.
Result<void*> open_file(const std::string& path) {
    take_note_complaints();
    const LoadingFile loading(path);
    if (void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
    const char* const why = dlerror();
    return mistake(format_text("{} cannot be loaded: {}", path, why ? why : "unknown reason"));
}

/// Only the first two members may be read before they are known to be right.
Result<void> check(const PluginDescriptor* descriptor, const std::string& path) {
    if (!descriptor)
        return mistake(format_text("{} is not a plugin of this server: it has no symbol smtpd_plugin", path));
    if (descriptor->magic != api_magic)
        return mistake(
            format_text("{} is not a plugin of this server: its descriptor has the wrong magic number", path));
    if (descriptor->version != api_version)
        return mistake(format_text(
            "{} was built against plugin API version {}, and this server has version {}; build it again with this "
            "server's headers",
            path, descriptor->version, api_version));
    const auto complaints = take_note_complaints();
    if (!complaints.empty())
        return mistake(format_text("{} cannot be used: {}", path, support::join(complaints, "; ")));
    return {};
}

}  // namespace

Result<std::shared_ptr<const PluginDso>> PluginDso::open(std::string_view name,
                                                         const std::vector<std::string>& directories) {
    const auto path = find_file(name, directories);
    if (!path) return path.error();
    const auto handle = open_file(*path);
    if (!handle) return handle.error();
    std::shared_ptr<PluginDso> dso(new PluginDso(*path, *handle));
    dso->descriptor_ = static_cast<const PluginDescriptor*>(dlsym(*handle, "smtpd_plugin"));
    if (const auto checked = check(dso->descriptor_, *path); !checked) return checked.error();
    return std::shared_ptr<const PluginDso>(std::move(dso));
}

PluginDso::~PluginDso() { dlclose(handle_); }

std::vector<std::string> plugin_names(const std::vector<std::string>& directories) {
    std::vector<std::string> names;
    for (const auto& directory : directories) {
        std::error_code error;
        fs::recursive_directory_iterator entry(directory, fs::directory_options::skip_permission_denied, error);
        for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
            if (entry.depth() > 2) entry.disable_recursion_pending();
            if (entry->path().extension() == ".so" && is_file(entry->path().string()))
                names.push_back(entry->path().lexically_relative(directory).replace_extension().string());
        }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace smtpd::host
