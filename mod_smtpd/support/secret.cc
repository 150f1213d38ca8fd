/// secret.cc: octets that are overwritten when they go. A compiler may not leave that out.
#include <smtpd/auth/credentials.h>

#include <cstring>

namespace smtpd {

void wipe(std::string& octets) noexcept {
    octets.resize(octets.capacity());  // what was longer before stands behind the end; within the capacity nothing is
                                       // allocated
    explicit_bzero(octets.data(), octets.size());
    octets.clear();
}

void Secret::set(std::string_view octets) {
    wipe(octets_);  // growing would leave the old octets in memory that is given back
    octets_.assign(octets);
}

bool Secret::equals(std::string_view octets) const noexcept {
    unsigned char difference = octets.size() == octets_.size() ? 0 : 1;
    for (std::size_t i = 0; i < octets.size(); ++i)
        difference |= static_cast<unsigned char>(octets[i] ^ (octets_.empty() ? '\1' : octets_[i % octets_.size()]));
    return difference == 0;
}

}  // namespace smtpd
