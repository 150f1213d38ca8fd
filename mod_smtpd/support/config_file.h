/// config_file.h: reads control files: significant lines only, with the place where each stands, and `$include`
/// resolved.
///
/// Blank lines and lines that start with `#` are dropped, the others trimmed; lines may end in LF or CR LF. `$include
/// NAME` is replaced by the lines of that file, or of the regular files of that directory whose names do not start with
/// a dot, sorted by name. NAME is an absolute path or is looked up as a control file is. What was looked at is listed
/// whether reading succeeded or not, so that a caller can tell when it is worth reading again. Errors are sentences
/// that begin with `file:line` where there is one. Thread-safe (no state).
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

/// What a path was when it was looked at. Two looks that compare equal saw the same content, unless it was changed
/// within the resolution of the file system's clock.
struct FileStamp {
    std::string path;
    bool exists = false;
    std::int64_t modified = 0;  ///< nanoseconds since 1970
    std::int64_t changed = 0;  ///< the same for the inode: moves when a file is renamed over, or its times are set back
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;

    static FileStamp of(const std::string& path);
    bool operator==(const FileStamp&) const = default;
};

/// Whether any of these paths is not any more what it was.
bool any_changed(const std::vector<FileStamp>& stamps);

struct ConfigFile {
    Result<ControlText> text = ControlText();
    std::vector<FileStamp> files;   ///< the file, all included files and directories, and places where a file was
                                    ///< missing
    bool ends_in_mid_line = false;  ///< the last line of one of the files has no LF: it may still be written
};

/// Limits on what one control file may pull in, all included files counted.
inline constexpr std::uint64_t max_config_size = 64 * 1024 * 1024;
inline constexpr unsigned max_include_depth = 32;
inline constexpr unsigned max_config_files = 10'000;

/// Where a control file of that name is, or nothing.
using ConfigLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// Reads the file at `path`. That it does not exist is an Error.
ConfigFile read_config_file(const std::string& path, const ConfigLookup& lookup);

/// The first of the directories that has an entry of that name: its path. A name is relative and has no `..` in it.
std::optional<std::string> find_control_file(const std::vector<std::string>& directories, std::string_view name);

/// Reads the control file `name` from the first directory that has it; one that no directory has is empty. The list of
/// files then has the places where it might appear.
ConfigFile read_control_file(const std::vector<std::string>& directories, std::string_view name);

}  // namespace smtpd::support
