#include "fakes/fake_disk.h"

#include <cerrno>

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

using smtpd::fakes::disk;

namespace {

std::string path_of(int descriptor) {
    char path[4096];
    const auto size = readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path, sizeof path);
    return size < 0 ? std::string() : std::string(path, static_cast<std::size_t>(size));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int fsync(int descriptor) {
    if (disk.is_watched) {
        disk.synced.push_back(path_of(descriptor));
        if (!disk.fails_to_sync.empty() && disk.synced.back().ends_with(disk.fails_to_sync)) {
            errno = EIO;
            return -1;
        }
    }
    return static_cast<int>(syscall(SYS_fsync, descriptor));
}

extern "C" __attribute__((visibility("default"))) ssize_t writev(int descriptor, const iovec* parts, int count) {
    const bool is_over_quota = !disk.quota_is_full_below.empty() &&
                               path_of(descriptor).find(disk.quota_is_full_below) != std::string::npos;
    if (disk.is_full || is_over_quota) {
        errno = is_over_quota ? EDQUOT : ENOSPC;
        return -1;
    }
    return syscall(SYS_writev, descriptor, parts, count);
}
