#include "store/fair_process_lock.h"

#include <new>

#include <sys/mman.h>

namespace smtpd::store {

FairProcessLock* FairProcessLock::map() noexcept {
    void* const memory = mmap(nullptr, sizeof(FairProcessLock), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                              0);
    return memory == MAP_FAILED ? nullptr : new (memory) FairProcessLock;
}

void FairProcessLock::unmap(FairProcessLock* lock) noexcept {
    if (lock != nullptr) munmap(lock, sizeof(FairProcessLock));
}

}  // namespace smtpd::store
