/// plugin_dso.h: opens a plugin's DSO and checks that it was built for this server.
///
/// It uses dlopen() instead of apr_dso_load(), which makes symbols global: plugins must not see each other's symbols.
/// They do see those of the module (httpd loads modules globally) or of a program linked with -export-dynamic. Opening
/// the same file again returns the same DSO. Called while the configuration is read, by one thread at a time. Known
/// limitation: if the constructor of an object at namespace scope throws, the process ends, as in any program; the
/// message then names the file.
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
    /// Opens the plugin of that name: `queue/maildir` is `queue/maildir.so` in the first of the directories that
    /// contains it; an absolute path is used directly, with or without `.so`. The Error is a fragment about this plugin
    /// ("there is no such plugin in …"); its code is not_found if the file is missing, config if it is not a plugin for
    /// this server.
    static Result<std::shared_ptr<const PluginDso>> open(std::string_view name,
                                                         const std::vector<std::string>& directories);

    /// The DSO stays mapped until its last holder is destroyed: hold it longer than everything that its code created.
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
