/// temp_directory.h: a private directory for a test, removed with its content at the end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace smtpd::fakes {

class TempDirectory {
public:
    TempDirectory() : path_((std::filesystem::temp_directory_path() / "smtpd-test-XXXXXX").string()) {
        if (!mkdtemp(path_.data())) throw std::runtime_error("cannot create " + path_);
    }
    ~TempDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;

    const std::string& path() const noexcept { return path_; }
    std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

    /// Writes a file and creates the directories in its name; returns its path.
    std::string write(std::string_view name, std::string_view content) const {
        const std::filesystem::path file = path(name);
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
        return file.string();
    }
    bool is_empty() const { return std::filesystem::is_empty(path_); }

private:
    std::string path_;
};

}  // namespace smtpd::fakes
