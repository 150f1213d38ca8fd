#include "httpd/file_checks.h"

#include "httpd/serving_user.h"
#include "support/paths.h"

#include <smtpd/base/format.h>

#include <algorithm>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

namespace smtpd::httpd {
namespace {

using host::Instance;
using support::exists;
using support::folder_of;
using support::is_folder;

bool is_readable_by_everybody(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & S_IROTH) != 0;
}

/// An access that the user needs, and the message if the user does not have it.
struct Demand {
    Access access;
    std::string position;
    std::string subject;  ///< "SmtpPlugin queue/maildir", or ""
    std::string doing;    ///< "create files in"
    std::string remedy;   ///< a command
};

/// The nearest existing parent of a path, and the first missing component below it.
struct Missing {
    std::string above, first;
};
Missing first_missing(const std::string& path) {
    Missing out{folder_of(path), path};
    while (!exists(out.above) && out.above != "/") {
        out.first = out.above;
        out.above = folder_of(out.above);
    }
    return out;
}

class FileChecks {
public:
    explicit FileChecks(host::Problems& problems) : problems_(problems) {}

    /// A plugin creates files in that directory, and the directory itself if its parent exists.
    void fills(const Instance& plugin, const std::string& folder) {
        if (!exists(folder) && !is_folder(folder_of(folder)))
            return problems_.push_back({true, plugin.position(),
                                        format_text("{}: neither {} nor the directory above it exists; run: {}",
                                                    plugin.subject(), folder, command_for_directory(folder))});
        if (!exists(folder)) return makes(plugin, folder, folder);
        for (const std::string& part : {folder, folder + "/tmp", folder + "/new", folder + "/cur"})
            if (part == folder || is_folder(part))
                demand(plugin, {part, W_OK | X_OK}, "create files in", command_for_directory(part));
    }

    /// A plugin appends to that file, and creates it and its missing parent directories.
    void appends(const Instance& plugin, const std::string& file) {
        if (is_folder(file)) return warn(plugin, format_text("{} is a directory, not a file", file));
        if (exists(file)) {
            const std::string user = name_of_serving_user();
            return demand(plugin, {file, W_OK}, "write to",
                          user == "this user" ? "chmod u+w " + file : format_text("chown {} {}", user, file));
        }
        makes(plugin, file, folder_of(file));
    }

    void reads(const Instance& plugin, const std::string& file) {
        if (exists(file)) demand(plugin, {file, R_OK}, "read", command_for_reading(file, false));
    }

    void passwords(const Instance& plugin, const std::string& file, bool is_missing) {
        if (is_missing)
            return warn(plugin, format_text("there is no {}, so no user can log in with it; create the file, readable "
                                            "by the server only: install -m 0640 /dev/null {} && {}",
                                            file, file, command_for_reading(file, false)));
        if (is_readable_by_everybody(file))
            warn(plugin, format_text("{} contains passwords, and every user of this machine can read it; run: {}", file,
                                     command_for_reading(file, false)));
    }

    /// A control file or directory, which belongs to no plugin.
    void control(const std::string& path, bool is_directory, const std::string& where) {
        demands_.push_back({{path, is_directory ? R_OK | X_OK : R_OK},
                            where,
                            "",
                            is_directory ? "access" : "read",
                            command_for_reading(path, is_directory)});
    }

    /// Asks the system about all requirements.
    void finish() {
        std::vector<Access> questions;
        for (const auto& demand : demands_) questions.push_back(demand.access);
        const auto answers = access_of_serving_user(questions);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i] == 0) continue;
            const Demand& demand = demands_[i];
            problems_.push_back(host::warning(
                demand.position, format_text("{}{}the serving user ({}) cannot {} {}: {}; run: {}", demand.subject,
                                             demand.subject.empty() ? "" : ": ", name_of_serving_user(), demand.doing,
                                             demand.access.path, std::strerror(answers[i]), demand.remedy)));
        }
    }

private:
    void warn(const Instance& plugin, const std::string& text) {
        problems_.push_back(host::warning(plugin.position(), format_text("{}: {}", plugin.subject(), text)));
    }
    void demand(const Instance& plugin, Access access, std::string doing, std::string remedy) {
        demands_.push_back(
            {std::move(access), plugin.position(), plugin.subject(), std::move(doing), std::move(remedy)});
    }
    /// The plugin will create `path`; `folder` is the directory that the administrator can create for it.
    void makes(const Instance& plugin, const std::string& path, const std::string& folder) {
        const Missing missing = first_missing(path);
        demand(plugin, {missing.above, W_OK | X_OK}, format_text("create {} in", missing.first),
               command_for_directory(folder));
    }

    host::Problems& problems_;
    std::vector<Demand> demands_;
};

void check_file(FileChecks& checks, const FileUse& use, const Instance& plugin, host::DirectoryControlFiles& control,
                const std::string& control_dir) {
    const bool is_control_file = use.path.find('/') == std::string::npos;
    const std::string found = is_control_file ? control.source(use.path)->path() : use.path;
    const std::string path = found.empty() ? format_text("{}/{}", control_dir, use.path) : found;
    switch (use.kind) {
        case FileUse::Kind::fills: return checks.fills(plugin, path);
        case FileUse::Kind::appends: return checks.appends(plugin, path);
        case FileUse::Kind::reads: return checks.reads(plugin, path);
        case FileUse::Kind::passwords: return checks.passwords(plugin, path, is_control_file && found.empty());
        case FileUse::Kind::own_domains:
        case FileUse::Kind::relay_networks: break;  // control files, which are checked elsewhere
    }
}

}  // namespace

void check_files(const host::PluginSet& plugins, host::DirectoryControlFiles& control,
                 const std::optional<std::string>& control_dir, const std::string& where, host::Problems& problems) {
    FileChecks checks(problems);
    const std::string directory = control_dir.value_or(control.directories().empty() ? std::string()
                                                                                     : control.directories().front());
    if (control_dir) checks.control(*control_dir, true, where);
    for (const auto& file : control.existing_files())
        if (!is_folder(file)) checks.control(file, false, where);  // a folder is for the plugin that asked where it is
    for (const auto& plugin : plugins.instances())
        for (const auto& use : plugin->files()) check_file(checks, use, *plugin, control, directory);
    checks.finish();
}

}  // namespace smtpd::httpd
