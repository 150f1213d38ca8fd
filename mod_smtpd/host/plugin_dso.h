/// plugin_dso.h: opens a plugin's DSO and checks that it is one for this server.
///
/// Opened with dlopen() and not apr_dso_load(), which makes symbols global: plugins must not see each other's. They do
/// see the symbols of the module (httpd loads modules globally) or of a program linked with -export-dynamic. Opening
/// the same file again gives the same DSO. Called while the configuration is read, by one thread at a time. Known
/// limit: a DSO with an object at namespace scope whose constructor throws ends the process, as it would in any
/// program; what is printed then names the file.
#pragma once

#include <smtpd/base/result.h>
#include <smtpd/plugin.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::host {

class PluginDso {
public:
    /// Opens the plugin of that name: `queue/maildir` is `queue/maildir.so` in the first of the directories that has
    /// it; an absolute path is itself, with or without `.so`. The Error is a sentence fragment about this plugin
    /// ("there is no such plugin in …"); its code is not_found where the file is missing, config where it is none for
    /// this server.
    static Result<std::shared_ptr<const PluginDso>> open(std::string_view name,
                                                         const std::vector<std::string>& directories);

    /// The DSO stays mapped until the last holder is gone: hold it longer than everything that its code has made.
    ~PluginDso();
    PluginDso(const PluginDso&) = delete;
    PluginDso& operator=(const PluginDso&) = delete;

    const PluginDescriptor& descriptor() const noexcept { return *descriptor_; }
    const std::string& path() const noexcept { return path_; }

private:
    PluginDso(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}

    std::string path_;
    void* handle_;
    const PluginDescriptor* descriptor_ = nullptr;
};

/// The names of all plugins in these directories ("queue/maildir"), sorted.
std::vector<std::string> plugin_names(const std::vector<std::string>& directories);

}  // namespace smtpd::host
