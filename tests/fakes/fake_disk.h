/// fake_disk.h: simulates the disk for a test.
///
/// The test program has its own fsync() and writev() (fake_disk.cc), which plugins find before those of the C library.
/// So a test sees what a plugin forces to the disk, and in which order, and can make the disk fail or be full.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::fakes {

struct FakeDisk {
    std::atomic<bool> is_watched{false};
    std::vector<std::string> synced;   ///< paths given to fsync(), while watched
    std::string fails_to_sync;         ///< a path that ends so cannot be forced to the disk
    std::atomic<bool> is_full{false};  ///< writev() writes nothing
    std::string quota_is_full_below;   ///< nor does it where the path has this in it
};
inline FakeDisk disk;

/// Records the calls during its lifetime, and restores the real disk at its end.
class WatchedDisk {
public:
    explicit WatchedDisk(std::string fails_to_sync = {}) {
        disk.synced.clear();
        disk.fails_to_sync = std::move(fails_to_sync);
        disk.is_watched = true;
    }
    ~WatchedDisk() {
        disk.is_watched = disk.is_full = false;
        disk.quota_is_full_below.clear();
    }
    WatchedDisk(const WatchedDisk&) = delete;
    WatchedDisk& operator=(const WatchedDisk&) = delete;
};

}  // namespace smtpd::fakes
