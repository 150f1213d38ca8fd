/// spool_file.h: an unnamed file for data that is too large for memory. It disappears with its descriptor, even after a
/// crash.
///
/// Not thread-safe. Errors: no_space if the disk, a quota or the file size limit is full, otherwise io.
#pragma once

#include "support/file_descriptor.h"

#include <smtpd/base/result.h>

#include <sys/uio.h>

#include <climits>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace smtpd::message {

class SpoolFile {
public:
    /// How the file is created: `anonymous` never has a name if the file system supports that (O_TMPFILE), and falls
    /// back to `unlinked`, which has one between two system calls.
    enum class Creation { anonymous, unlinked };

    /// Returns the error of a process without free descriptors if the file would get the descriptor `first_refused` or
    /// a higher one.
    static Result<SpoolFile> create(const std::string& directory, Creation creation = Creation::anonymous,
                                    int first_refused = INT_MAX);
    /// How many octets a new file can have, as far as the file system knows.
    static Result<std::uint64_t> free_space(const std::string& directory);
    /// Takes ownership of a descriptor that is open for reading and writing.
    explicit SpoolFile(support::FileDescriptor descriptor) noexcept : descriptor_(std::move(descriptor)) {}

    /// Appends octets, all or none as far as size() shows. The list is consumed.
    Result<void> append(std::vector<iovec>& list);
    /// Reads from `offset`; returns the number of octets, 0 at the end.
    Result<std::size_t> read(std::uint64_t offset, char* buffer, std::size_t size) const;
    std::uint64_t size() const noexcept { return size_; }

private:
    support::FileDescriptor descriptor_;
    std::uint64_t size_ = 0;
};

}  // namespace smtpd::message
