/// A fate is that of a recipient of the delivery; recipients cannot be copied, so it cannot be that of a copy.
/// The compiler says: deleted
#include <smtpd/plugin.h>

using namespace smtpd;

DeliveryResult deliver(const Delivery& delivery) {
    DeliveryResult result;
#ifdef WRONG
    for (const auto recipient : delivery.recipients()) result[recipient] = delivered();
#else
    for (const auto& recipient : delivery.recipients()) result[recipient] = delivered();
#endif
    return result;
}
