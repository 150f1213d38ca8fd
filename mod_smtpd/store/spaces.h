/// spaces.h: which namespaces a store has, for the command smtpd-store. Plugins never need to know: they open theirs by
/// name.
#pragma once

#include "store/address.h"
#include "store/backend.h"

#include <vector>

namespace smtpd::store {

/// The namespaces that have entries, sorted by name. A store in memory is an Error: it is the server's own.
Result<std::vector<SpaceSize>> list_spaces(const Address& address, const Clock& clock, Limit limit);

}  // namespace smtpd::store
