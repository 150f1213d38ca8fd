/// config_file.h: reads control files: returns significant lines only, with their positions, and resolves `$include`.
///
/// Blank lines and lines that start with `#` are dropped, the others trimmed; lines may end in LF or CR LF. `$include
/// NAME` is replaced by the lines of that file, or of the regular files in that directory whose names do not start with
/// a dot, sorted by name. NAME is an absolute path, or is looked up like a control file. The result lists the files
/// that were examined, even after an error, so that the caller knows when to read again. Errors are sentences that
/// begin with `file:line` if there is one. Thread-safe (no state).
#pragma once

#include <smtpd/base/result.h>
#include <smtpd/control.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::support {

/// The state of a path when it was checked. If two states compare equal, the content was the same, unless it changed
/// within the resolution of the file system's clock.
struct FileStamp {
    std::string path;
    bool exists = false;
    std::int64_t modified = 0;  ///< nanoseconds since 1970
    std::int64_t changed = 0;   ///< the same for the inode: changes when a file is renamed over, or its times are set
                                ///< back
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;

    static FileStamp of(const std::string& path);
    bool operator==(const FileStamp&) const = default;
};

/// Whether the state of any of these paths has changed.
bool any_changed(const std::vector<FileStamp>& stamps);

struct ConfigFile {
    Result<ControlText> text = ControlText();
    std::vector<FileStamp> files;   ///< the file, all included files and directories, and paths at which a file was
                                    ///< missing
    bool ends_in_mid_line = false;  ///< the last line of a file has no LF: it may still be being written
};

/// Limits on one control file, including all included files.
inline constexpr std::uint64_t max_config_size = 64 * 1024 * 1024;
inline constexpr unsigned max_include_depth = 32;
inline constexpr unsigned max_config_files = 10'000;

/// The path of the control file with that name, or nothing.
using ConfigLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// Reads the file at `path`. An Error if it does not exist.
ConfigFile read_config_file(const std::string& path, const ConfigLookup& lookup);

/// Searches the directories in order for an entry of that name, and returns its path. A name is relative and contains
/// no `..`.
std::optional<std::string> find_control_file(const std::vector<std::string>& directories, std::string_view name);

/// Reads the control file `name` from the first directory that contains it; if none does, it is empty. Then the list of
/// files contains the paths at which it might appear.
ConfigFile read_control_file(const std::vector<std::string>& directories, std::string_view name);

}  // namespace smtpd::support
