/// secret.cc: overwrites secrets when they are destroyed, in a way that the compiler must not optimise away.
#include <smtpd/auth/credentials.h>

#include <cstring>

namespace smtpd {

void wipe(std::string& octets) noexcept {
    // An earlier, longer content may be after the end; within the capacity nothing is allocated.
    octets.resize(octets.capacity());
    explicit_bzero(octets.data(), octets.size());
    octets.clear();
}

void Secret::set(std::string_view octets) {
    wipe(octets_);  // growing would leave the old content in freed memory
    octets_.assign(octets);
}

bool Secret::equals(std::string_view octets) const noexcept {
    unsigned char difference = octets.size() == octets_.size() ? 0 : 1;
    for (std::size_t i = 0; i < octets.size(); ++i)
        difference |= static_cast<unsigned char>(octets[i] ^ (octets_.empty() ? '\1' : octets_[i % octets_.size()]));
    return difference == 0;
}

}  // namespace smtpd
