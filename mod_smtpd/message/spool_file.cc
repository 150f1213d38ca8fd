/// spool_file.cc: see spool_file.h.
#include "message/spool_file.h"

#include <smtpd/base/format.h>

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

namespace smtpd::message {
namespace {

Error os_error(const std::string& what, int os_status) {
    const bool is_full = os_status == ENOSPC || os_status == EDQUOT || os_status == EFBIG;
    return {is_full ? ErrorCode::no_space : ErrorCode::io, format_text("{}: {}", what, support::os_message(os_status)),
            os_status};
}

/// The errors of open() if the kernel or the file system does not support O_TMPFILE.
bool lacks_anonymous_files(int os_status) noexcept {
    return os_status == EOPNOTSUPP || os_status == EISDIR || os_status == EINVAL || os_status == ENOSYS;
}

Result<support::FileDescriptor> create_unlinked(const std::string& directory) {
    std::string path = directory + "/smtpd-XXXXXX";
    support::FileDescriptor descriptor(mkostemp(path.data(), O_CLOEXEC));  // mode 0600
    if (!descriptor) return os_error(format_text("cannot create a spool file in {}", directory), errno);
    if (unlink(path.c_str()) != 0) return os_error(format_text("cannot unlink the spool file {}", path), errno);
    return descriptor;
}

Result<support::FileDescriptor> create_anonymous(const std::string& directory) {
#ifdef O_TMPFILE
    support::FileDescriptor descriptor(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (descriptor) return descriptor;
    if (!lacks_anonymous_files(errno))
        return os_error(format_text("cannot create a spool file in {}", directory), errno);
#endif
    return create_unlinked(directory);
}

/// Removes the written part from the front of the list; `first` is the first unfinished entry.
void skip_written(std::vector<iovec>& list, std::size_t& first, std::size_t written) noexcept {
    while (first < list.size() && written >= list[first].iov_len) written -= list[first++].iov_len;
    if (first == list.size()) return;
    list[first].iov_base = static_cast<char*>(list[first].iov_base) + written;
    list[first].iov_len -= written;
}

}  // namespace

Result<SpoolFile> SpoolFile::create(const std::string& directory, Creation creation, int first_refused) {
    auto created = creation == Creation::anonymous ? create_anonymous(directory) : create_unlinked(directory);
    if (!created) return created.error();
    if (created->get() >= first_refused)
        return os_error(format_text("cannot create a spool file in {}", directory), EMFILE);
    return SpoolFile(*std::move(created));
}

Result<std::uint64_t> SpoolFile::free_space(const std::string& directory) {
    struct statvfs about {};
    if (statvfs(directory.c_str(), &about) != 0)
        return os_error(format_text("cannot query the file system of {}", directory), errno);
    return std::uint64_t{about.f_bavail} * about.f_frsize;
}

Result<void> SpoolFile::append(std::vector<iovec>& list) {
    std::uint64_t end = size_;
    std::size_t first = 0;
    for (skip_written(list, first, 0); first < list.size();) {
        const int count = static_cast<int>(std::min<std::size_t>(list.size() - first, IOV_MAX));
        const ssize_t written = pwritev(descriptor_.get(), &list[first], count, static_cast<off_t>(end));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return os_error("cannot write to the spool file", written < 0 ? errno : ENOSPC);
        end += static_cast<std::uint64_t>(written);
        skip_written(list, first, static_cast<std::size_t>(written));
    }
    size_ = end;
    return {};
}

Result<std::size_t> SpoolFile::read(std::uint64_t offset, char* buffer, std::size_t size) const {
    for (;;) {
        const ssize_t got = pread(descriptor_.get(), buffer, size, static_cast<off_t>(offset));
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) return os_error("cannot read the spool file", errno);
    }
}

}  // namespace smtpd::message
