/// spool_file.h: a file without a name that holds what is too large for memory. It vanishes with its descriptor, after
/// a crash too.
///
/// Not thread-safe. Errors: no_space when the disk, a quota or the file size limit is full, else io.
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
    /// How the file comes to be: `anonymous` never has a name where the file system can do that (O_TMPFILE) and falls
    /// back to `unlinked`, which has one for the moment between two system calls.
    enum class Creation { anonymous, unlinked };

    /// Gives the error of a process that has no descriptors left where the file would get the descriptor
    /// `first_refused` or a higher one.
    static Result<SpoolFile> create(const std::string& directory, Creation creation = Creation::anonymous,
                                    int first_refused = INT_MAX);
    /// How many octets a file there can have, as far as the file system knows.
    static Result<std::uint64_t> free_space(const std::string& directory);
    /// Takes over a descriptor that is open for reading and writing.
    explicit SpoolFile(support::FileDescriptor descriptor) noexcept : descriptor_(std::move(descriptor)) {}

    /// Adds octets at the end, all or none as far as size() tells. The list is used up.
    Result<void> append(std::vector<iovec>& list);
    /// Reads from `offset`; how many octets, 0 at the end.
    Result<std::size_t> read(std::uint64_t offset, char* buffer, std::size_t size) const;
    std::uint64_t size() const noexcept { return size_; }

private:
    support::FileDescriptor descriptor_;
    std::uint64_t size_ = 0;
};

}  // namespace smtpd::message
