/// standard_error.h: captures what a call writes to the process's standard error.
#pragma once

#include "fakes/temp_directory.h"

#include <smtpd/base/files.h>

#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace smtpd::fakes {

template <class F>
std::string standard_error_of(F call) {
    TempDirectory directory;
    const std::string path = directory.path("stderr");
    const FileDescriptor saved(dup(STDERR_FILENO)), file(open(path.c_str(), O_WRONLY | O_CREAT, 0600));
    dup2(file.get(), STDERR_FILENO);
    call();
    dup2(saved.get(), STDERR_FILENO);
    const auto text = read_file(path, 10'000'000);
    return text ? *text : "(" + text.error().what + ")";
}

}  // namespace smtpd::fakes
