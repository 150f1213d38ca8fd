#include "store/spaces.h"

#include "store/file_reader.h"
#include "store/redis_store.h"

namespace smtpd::store {
namespace {

/// Every operation says for itself that Redis cannot be reached.
class Silence final : public Events {
public:
    void damaged(const std::string&) noexcept override {}
    void unreachable(const std::string&) noexcept override {}
    void reachable(const std::string&) noexcept override {}
};

}  // namespace

Result<std::vector<SpaceSize>> list_spaces(const Address& address, const Clock& clock, Limit limit) {
    switch (address.kind) {
        case Address::Kind::file: return FileReader(address.path, clock).spaces(limit);
        case Address::Kind::redis: {
            Silence events;
            RedisStore redis(address.redis, events);
            redis.start();
            return redis.spaces(limit);
        }
        case Address::Kind::memory: break;
    }
    return Error{ErrorCode::unavailable, "what is in memory can be seen by the server only", 0};
}

}  // namespace smtpd::store
