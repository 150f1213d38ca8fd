#include "store/turnstile.h"

#include <new>

#include <sys/mman.h>

namespace smtpd::store {

Turnstile* Turnstile::map() noexcept {
    void* const memory = mmap(nullptr, sizeof(Turnstile), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : new (memory) Turnstile;
}

void Turnstile::unmap(Turnstile* turnstile) noexcept {
    if (turnstile != nullptr) munmap(turnstile, sizeof(Turnstile));
}

}  // namespace smtpd::store
