#include "store/spaces.h"

#include "store/file_reader.h"
#include "store/redis_store.h"

namespace smtpd::store {

Result<std::vector<SpaceSize>> list_spaces(const Address& address, const Clock& clock, Limit limit) {
    switch (address.kind) {
        case Address::Kind::file: return FileReader(address.path, clock).spaces(limit);
        case Address::Kind::redis: {
            NoEvents events;  // every operation reports by itself that Redis cannot be reached
            RedisStore redis(address.redis, events);
            redis.start();
            return redis.spaces(limit);
        }
        case Address::Kind::memory: break;
    }
    return Error{ErrorCode::unavailable, "only the server can read a store in memory", 0};
}

}  // namespace smtpd::store
