/// spaces.h: lists the namespaces of a store, for the command smtpd-store. Plugins do not need this: they open theirs
/// by name.
#pragma once

#include "store/address.h"
#include "store/backend.h"

#include <vector>

namespace smtpd::store {

/// The namespaces that have entries, sorted by name. An Error for a store in memory, which only the server can read.
Result<std::vector<SpaceSize>> list_spaces(const Address& address, const Clock& clock, Limit limit);

}  // namespace smtpd::store
